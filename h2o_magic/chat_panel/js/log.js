import { make, setHtml } from "./dom.js";
import { Keyboard } from "./keyboard.js";
import { Reveal } from "./reveal.js";
import { Scroll } from "./scroll.js";
import { Section } from "./section.js";
import { applyDelta, finishTurn, renderTurn } from "./turn.js";

const KEPT = 60; // turns that stay rendered when they are far away
const SECTION = 40; // turns in a section
const GUESS = 160; // px, the height of a turn that was never shown
const NEAR = 900; // px beyond the visible part that count as near; twice that for sections

/**
 * The turns. Those in an open section have an `article`; one that comes near to the
 * visible part gets its row from the kernel and is rendered.
 */
export class Log {
  /** `entries` are elements below the turns. */
  constructor(chat, entries) {
    this.chat = chat;
    this.turns = new Map(); // id → {id, article, row, near, height}
    this.sections = [];
    this.requested = new Set();
    this.list = make("div", { class: "h2o-list" });
    this.welcome = make("div");
    this.empty = make("div", { class: "h2o-empty" }, this.welcome, chat.starters.list);
    this.box = make(
      "div",
      { class: "h2o-log", role: "log", "aria-label": "Conversation", "aria-live": "off", tabindex: "-1" },
      this.empty,
      chat.entries.first,
      this.list,
      ...entries,
    );
    this.keyboard = new Keyboard(chat, this.box);
    this.scroll = new Scroll(this.box);
    this.reveal = new Reveal(this);
    const observer = (callback, margin) => new IntersectionObserver(callback, { root: this.box, rootMargin: `${margin}px 0px` });
    this.turnObserver = observer((entries) => this.onTurns(entries), NEAR);
    this.sectionObserver = observer((entries) => this.onSections(entries), 2 * NEAR);
    this.sizeObserver = new ResizeObserver(() => this.onResize());
    this.sizeObserver.observe(this.list);
    this.sizeObserver.observe(this.box);
  }

  close() {
    this.turnObserver.disconnect();
    this.sectionObserver.disconnect();
    this.sizeObserver.disconnect();
  }

  on_thread({ ids, rows, welcome }) {
    setHtml(this.welcome, welcome);
    this.scroll.following = true;
    this.on_order({ ids, rows });
  }

  on_order({ ids, rows, refresh }) {
    this.ordered = true;
    this.setOrder(ids, refresh);
    this.on_rows({ rows });
    this.scroll.follow();
  }

  /** Append a turn that has started; `count` includes it. */
  on_started({ id, after, count, rows }) {
    if (!this.ordered) return; // the order was requested
    if (!this.append(id, after, count)) {
      this.ordered = false;
      this.chat.send("order");
      return;
    }
    this.on_rows({ rows });
    this.scroll.follow();
  }

  on_rows({ rows }) {
    for (const row of rows) this.showRow(row);
  }

  on_delta(message) {
    const turn = this.turns.get(message.id);
    if (turn?.row?.running && turn.body) applyDelta(this.chat, turn, message);
  }

  get inOrder() {
    return this.sections.flatMap(({ turns }) => turns);
  }

  get last() {
    return this.sections.at(-1)?.turns.at(-1);
  }

  onResize() {
    if (this.width !== this.box.clientWidth) this.onWidth();
    if (this.reveal.hold()) return;
    const { scroll } = this;
    if (scroll.following || scroll.isAtEnd) scroll.toEnd(); // a smaller log may not scroll
  }

  /** What was as wide as its place may be wider now. */
  onWidth() {
    this.width = this.box.clientWidth;
    const bars = this.box.offsetWidth - this.width; // at both edges
    this.chat.root.style.setProperty("--h2o-bar", `${bars / 2}px`);
    for (const { row, article } of this.turns.values()) if (row) this.keyboard.prepare(article);
  }

  onTurns(entries) {
    for (const { target, isIntersecting } of entries) {
      const turn = this.turns.get(Number(target.dataset.id));
      if (!turn) continue;
      turn.near = isIntersecting;
      if (isIntersecting && !turn.row) this.request(turn.id);
    }
    this.unloadFar();
  }

  onSections(entries) {
    for (const { target, isIntersecting } of entries) {
      const section = this.sections.find(({ box }) => box === target);
      if (!section) continue;
      section.near = isIntersecting;
      if (isIntersecting && !section.open) section.show();
    }
    this.unloadFar();
  }

  /** Unload what is far away, and keep its height. */
  unloadFar() {
    const open = this.sections.filter((section) => section.open);
    const far = open.flatMap(({ turns }) => turns.filter(({ row, near }) => row && !near && !row.running));
    for (const turn of far.slice(0, Math.max(0, far.length - KEPT))) {
      if (!turn.article.contains(document.activeElement)) this.unload(turn);
    }
    for (const section of open) {
      const empty = !section.near && section !== this.sections.at(-1);
      if (empty && !section.turns.some(({ row }) => row)) section.close();
    }
  }

  unload(turn) {
    turn.height = turn.article.offsetHeight || turn.height; // 0 where the panel is hidden
    turn.article.style.height = `${turn.height}px`;
    turn.article.replaceChildren();
    turn.row = null;
  }

  addArticle(turn) {
    turn.article = make("article", { class: "h2o-turn", "data-id": turn.id, tabindex: "0" });
    turn.article.style.height = `${turn.height}px`;
    this.number(turn, turn.number);
    this.turnObserver.observe(turn.article);
    return turn.article;
  }

  removeArticle(turn) {
    if (!turn.article) return;
    if (turn.row) turn.height = turn.article.offsetHeight || turn.height;
    this.turnObserver.unobserve(turn.article);
    turn.article.remove();
    Object.assign(turn, { article: null, row: null, near: false });
  }

  /** Request a turn's row from the kernel, together with others of the same frame. */
  request(id) {
    if (!this.requested.size) {
      requestAnimationFrame(() => {
        this.chat.send("rows", { ids: [...this.requested] });
        this.requested.clear();
      });
    }
    this.requested.add(id);
  }

  /** Set the order of the turns; with `refresh`, rows may have changed. */
  setOrder(ids, refresh) {
    const kept = new Set(ids);
    const gone = [...this.turns.values()].filter(({ id }) => !kept.has(id));
    const focused = this.inOrder.findIndex(({ article }) => article?.contains(document.activeElement));
    for (const turn of gone) {
      this.removeArticle(turn);
      this.turns.delete(turn.id);
    }
    const turns = ids.map((id) => this.turns.get(id) ?? this.addTurn(id));
    turns.forEach((turn, place) => this.number(turn, place + 1));
    const count = Math.ceil(turns.length / SECTION);
    for (const section of this.sections.splice(count)) this.removeSection(section);
    for (let at = 0; at < count; at += 1) {
      const section = this.sections[at] ?? this.addSection();
      // The rows that come with the order may be in the last two sections.
      section.set(turns.slice(at * SECTION, (at + 1) * SECTION), section.open || at >= count - 2);
    }
    for (const turn of refresh ? turns : []) {
      if (!turn.row || turn.row.running) continue;
      if (turn.near) this.request(turn.id);
      else this.unload(turn);
    }
    for (const turn of gone) this.chat.entries.adopt(turn);
    this.empty.hidden = ids.length > 0;
    if (focused >= 0 && !this.box.contains(document.activeElement)) this.focusTurn(turns[focused] ?? turns.at(-1));
  }

  /** Focus the turn that has taken the place of one with the focus. */
  focusTurn(turn) {
    (turn?.article ?? this.chat.composer.area).focus({ preventScroll: true });
  }

  /** Append a turn; return false if it does not follow the last one of this view. */
  append(id, after, count) {
    if (this.turns.size + 1 !== count || (this.last?.id ?? 0) !== after) return false;
    const last = this.sections.at(-1);
    const section = last && last.turns.length < SECTION ? last : this.addSection();
    const turn = this.addTurn(id);
    this.number(turn, count);
    section.set([...section.turns, turn], true);
    this.empty.hidden = true;
    return true;
  }

  addTurn(id) {
    const turn = { id, article: null, row: null, near: false, height: GUESS };
    this.turns.set(id, turn);
    return turn;
  }

  /** Name a turn by its place, also one that is not drawn yet. */
  number(turn, number) {
    turn.number = number;
    turn.article?.setAttribute("aria-label", `Turn ${number}`);
  }

  addSection() {
    const section = new Section(this);
    this.sections.push(section);
    this.list.append(section.box);
    this.sectionObserver.observe(section.box);
    return section;
  }

  removeSection(section) {
    this.sectionObserver.unobserve(section.box);
    section.box.remove();
  }

  /** Show a turn; its answer is null if the view has it all. */
  showRow(row) {
    const turn = this.turns.get(row.id);
    if (!turn?.article) return;
    if (row.answer_html === null && !turn.row?.running) {
      if (turn.near) this.request(row.id); // the view did not follow it
      return;
    }
    const refocus = this.keyboard.keepFocus(turn.article);
    this.draw(turn, row);
    refocus();
    this.keyboard.prepare(turn.article);
  }

  draw(turn, row) {
    const { reasoning } = turn;
    turn.row = row;
    turn.article.style.height = "";
    if (row.answer_html === null) return finishTurn(this.chat, turn);
    renderTurn(this.chat, turn);
    if (reasoning && !row.running) turn.body.before(reasoning);
    turn.reasoning = row.running ? turn.reasoning : null;
  }

  /** Show that no answer is being written any more. */
  on_lost() {
    for (const article of this.list.querySelectorAll(".h2o-running")) article.classList.remove("h2o-running");
  }
}
