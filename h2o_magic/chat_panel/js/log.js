import { icon, make } from "./dom.js";
import { Section } from "./section.js";
import { build, finish, grow } from "./turn.js";

const KEPT = 60; // turns that stay built when they are out of sight
const SECTION = 40; // turns that get their elements together
const GUESS = 160; // px, the height of a turn that was never shown
const NEAR = 900; // px beyond the edges that count as in sight; twice that for sections

/**
 * The turns. One that comes near to what is seen gets its row from the kernel and is
 * built in its `article`, which those of an open section have.
 */
export class Log {
  constructor(chat) {
    this.chat = chat;
    this.turns = new Map(); // id → {id, article, row, near, height}
    this.sections = [];
    this.stuck = true; // at the end, and staying there
    this.wanted = new Set();
    this.list = make("div", { class: "h2o-list" });
    this.waiting = make("div", { class: "h2o-list h2o-waiting" });
    this.empty = make("div", { class: "h2o-empty" });
    this.box = make(
      "div",
      { class: "h2o-log", role: "log", "aria-label": "Conversation", "aria-live": "off", tabindex: "0" },
      this.empty,
      this.list,
      this.waiting,
    );
    this.jump = make(
      "button",
      { type: "button", class: "h2o-jump", hidden: "", click: () => this.toEnd() },
      icon("down"),
      "Jump to latest",
    );
    this.box.addEventListener("scroll", () => this.onScroll(), { passive: true });
    for (const kind of ["wheel", "touchmove", "keydown", "pointermove"]) {
      this.box.addEventListener(kind, (event) => this.onMove(event), { passive: true });
    }
    this.moved = -1e9;
    this.sight = new IntersectionObserver((seen) => this.onSight(seen), {
      root: this.box,
      rootMargin: `${NEAR}px 0px`,
    });
    this.far = new IntersectionObserver((seen) => this.onFar(seen), {
      root: this.box,
      rootMargin: `${2 * NEAR}px 0px`,
    });
    this.size = new ResizeObserver(() => this.onSize());
    this.size.observe(this.list);
    this.size.observe(this.box);
  }

  end() {
    this.sight.disconnect();
    this.far.disconnect();
    this.size.disconnect();
  }

  get last() {
    return this.sections.at(-1)?.turns.at(-1);
  }

  /** Stay at the end, unless the reader goes up: what has grown or shrunk is no reader. */
  onScroll() {
    const { scrollTop, scrollHeight } = this.box;
    const up = scrollHeight === this.height && scrollTop < this.top;
    if (this.endIsSeen) this.stuck = true;
    else if (up || performance.now() - this.moved < 400) this.stuck = false;
    this.top = scrollTop;
    this.height = scrollHeight;
    this.jump.hidden = this.stuck;
  }

  /** Note when the reader moves the page, be it by the scroll bar, whose target is the box. */
  onMove(event) {
    const drags = event.buttons && event.target === this.box;
    if (event.type !== "pointermove" || drags) this.moved = performance.now();
  }

  onSize() {
    this.chat.fit();
    if (this.stuck || this.endIsSeen) this.toEnd(); // what shrinks may not scroll any more
  }

  get endIsSeen() {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    return scrollHeight - scrollTop - clientHeight < 30;
  }

  /** Show the questions that wait for the answer before them. */
  queue(texts) {
    this.waiting.replaceChildren(
      ...texts.map((text) =>
        make("div", { class: "h2o-question" }, make("div", { class: "h2o-md" }, text), make("div", { class: "h2o-actions" }, "waits for the answer before it")),
      ),
    );
    if (this.stuck) this.toEnd();
  }

  toEnd() {
    this.stuck = true;
    this.jump.hidden = true;
    this.box.scrollTop = this.box.scrollHeight;
    this.top = this.box.scrollTop;
    this.height = this.box.scrollHeight;
  }

  onSight(seen) {
    for (const { target, isIntersecting } of seen) {
      const turn = this.turns.get(Number(target.dataset.id));
      if (!turn) continue;
      turn.near = isIntersecting;
      if (isIntersecting && !turn.row) this.want(turn.id);
    }
    this.letGo();
  }

  onFar(seen) {
    for (const { target, isIntersecting } of seen) {
      const section = this.sections.find(({ box }) => box === target);
      if (!section) continue;
      section.near = isIntersecting;
      if (isIntersecting && !section.open) section.show();
    }
    this.letGo();
  }

  /** Take apart what was built and is far away; its height stays. */
  letGo() {
    const open = this.sections.filter((section) => section.open);
    const far = open.flatMap(({ turns }) => turns.filter(({ row, near }) => row && !near && !row.live));
    for (const turn of far.slice(0, Math.max(0, far.length - KEPT))) {
      if (turn.article.contains(document.activeElement)) continue;
      this.fold(turn);
    }
    for (const section of open) {
      const empty = !section.near && section !== this.sections.at(-1);
      if (empty && !section.turns.some(({ row }) => row)) section.close();
    }
  }

  fold(turn) {
    turn.height = turn.article.offsetHeight || turn.height; // 0 where the panel is hidden
    turn.article.style.height = `${turn.height}px`;
    turn.article.replaceChildren();
    turn.row = null;
  }

  /** Make the element of a turn that is not built. */
  frame(turn) {
    turn.article = make("article", { class: "h2o-turn", "data-id": turn.id });
    turn.article.style.height = `${turn.height}px`;
    this.sight.observe(turn.article);
    return turn.article;
  }

  /** Take a turn's element away. */
  discard(turn) {
    if (!turn.article) return;
    if (turn.row) turn.height = turn.article.offsetHeight || turn.height;
    this.sight.unobserve(turn.article);
    turn.article.remove();
    Object.assign(turn, { article: null, row: null, near: false });
  }

  want(id) {
    if (!this.wanted.size) requestAnimationFrame(() => this.ask());
    this.wanted.add(id);
  }

  ask() {
    this.chat.send("rows", { ids: [...this.wanted] });
    this.wanted.clear();
  }

  /** Take the order of the turns; with `refresh` what is built may not be as it was. */
  order(ids, refresh) {
    const kept = new Set(ids);
    for (const [id, turn] of this.turns) {
      if (kept.has(id)) continue;
      this.discard(turn);
      this.turns.delete(id);
    }
    const turns = ids.map((id) => this.turns.get(id) ?? this.add(id));
    const count = Math.ceil(turns.length / SECTION);
    for (const section of this.sections.splice(count)) this.remove(section);
    for (let at = 0; at < count; at += 1) {
      const section = this.sections[at] ?? this.begin();
      // What comes with the order is shown at once, on both sides of the last border.
      section.hold(turns.slice(at * SECTION, (at + 1) * SECTION), section.open || at >= count - 2);
    }
    for (const turn of refresh ? turns : []) {
      if (!turn.row || turn.row.live) continue;
      if (turn.near) this.want(turn.id);
      else this.fold(turn);
    }
    this.empty.hidden = ids.length > 0;
  }

  /** Take one more turn; return false if it does not follow what is last here. */
  append(id, after, count) {
    if (this.turns.size + 1 !== count || (this.last?.id ?? 0) !== after) return false;
    const last = this.sections.at(-1);
    const section = last && last.turns.length < SECTION ? last : this.begin();
    section.hold([...section.turns, this.add(id)], true);
    this.empty.hidden = true;
    return true;
  }

  add(id) {
    const turn = { id, article: null, row: null, near: false, height: GUESS };
    this.turns.set(id, turn);
    return turn;
  }

  begin() {
    const section = new Section(this);
    this.sections.push(section);
    this.list.append(section.box);
    this.far.observe(section.box);
    return section;
  }

  remove(section) {
    this.far.unobserve(section.box);
    section.box.remove();
  }

  show(row) {
    const turn = this.turns.get(row.id);
    if (!turn?.article) return;
    if (row.a === null && !turn.row?.live) {
      if (turn.near) this.want(row.id); // it was not here while it grew
      return;
    }
    const thought = turn.thought;
    turn.row = row;
    turn.article.style.height = "";
    if (row.a === null) return finish(this.chat, turn);
    build(this.chat, turn);
    if (thought && !row.live) turn.body.before(thought);
    turn.thought = row.live ? turn.thought : null;
  }

  /** Show how an answer has grown: each piece is what stays of the last text, and what is new. */
  grow(message) {
    const turn = this.turns.get(message.id);
    if (turn?.row?.live && turn.body) grow(this.chat, turn, message);
  }

  /** Nothing that grows or waits here will go on. */
  stopped() {
    this.queue([]);
    for (const article of this.list.querySelectorAll(".h2o-running")) article.classList.remove("h2o-running");
  }
}
