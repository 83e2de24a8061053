// The chat view of `%h2o panel`: it shows what the kernel sends, and sends what is done.
//
// The kernel holds the conversation. A view asks for what comes into sight, so thousands
// of turns cost no more than those that are seen. All HTML is made in the kernel, by
// h2o_magic/chat_panel/html.py; `put` is the only place where some is inserted.

const WAIT = 1500; // ms without a reply until the view says that it waits
const KEPT = 60; // turns that stay built when they are out of sight
const SECTION = 40; // turns that get their elements together
const GUESS = 160; // px, the height of a turn that was never shown
const TWICE = 500; // ms within which a second Delete is of the same double click
const NEAR = 900; // px beyond the edges that count as in sight; twice that for sections
const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  send: "M8 13V3M3.5 7.5 8 3l4.5 4.5",
  stop: "M4.5 4.5h7v7h-7z",
  copy: "M6 5.5h7v8H6zM4 10.5H3v-8h7v1",
  edit: "M3 13l.6-2.6L10.8 3.2l2 2L5.6 12.4zM9.5 4.5l2 2",
  again: "M13 8a5 5 0 1 1-1.5-3.6M13 2.5v3h-3",
  remove: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 8.5h6l.5-8.5M7 7v3.5M9 7v3.5",
  insert: "M2.5 3h11v4h-11zM8 9.5v4M6 11.5h4",
  before: "M9.5 4 5.5 8l4 4",
  after: "M6.5 4l4 4-4 4",
  down: "M8 3v10M3.5 8.5 8 13l4.5-4.5",
  settings: "M2.5 4.5h6M11.5 4.5h2M2.5 11.5h2M7.5 11.5h6M10 3v3M6 10v3",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  close: "M4 4l8 8M12 4l-8 8",
};

/** Make an element: attributes that are functions are listeners, `false` ones left out. */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function button(name, label, click, more = {}) {
  const given = { type: "button", class: "h2o-button", title: label, "aria-label": label };
  return make("button", { ...given, ...more, click }, icon(name));
}

/** Show HTML that the kernel has made. */
function put(place, html) {
  place.innerHTML = html;
  for (const pre of place.querySelectorAll(".h2o-code > pre, table")) {
    pre.tabIndex = 0; // it may have to be scrolled
  }
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS a page has no clipboard but this one.
    const area = make("textarea", { class: "h2o-away", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/**
 * Some turns that follow each other. Far from what is seen they have no elements, only
 * a height: with a thousand of them in the page each frame would take longer.
 */
class Section {
  constructor(log) {
    this.log = log;
    this.turns = [];
    this.open = false;
    this.near = false;
    this.box = make("div", { class: "h2o-section" });
  }

  /** Take the turns that are here now, in their order. */
  hold(turns, open = this.open) {
    this.turns = turns;
    if (open) this.show();
    else this.close();
  }

  close() {
    this.open = false;
    for (const turn of this.turns) this.log.discard(turn);
    this.box.style.height = `${this.turns.reduce((sum, turn) => sum + turn.height, 0)}px`;
  }

  show() {
    this.open = true;
    this.box.style.height = "";
    let before = null;
    for (const turn of this.turns) {
      const article = turn.article ?? this.log.frame(turn);
      const place = before ? before.nextSibling : this.box.firstChild;
      if (article !== place) this.box.insertBefore(article, place);
      before = article;
    }
  }
}

/**
 * The turns. One that comes near to what is seen gets its row from the kernel and is
 * built in its `article`, which those of an open section have.
 */
class Log {
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
    if (row.a === null) return this.finish(turn);
    this.build(turn);
    if (thought && !row.live) turn.body.before(thought);
    turn.thought = row.live ? turn.thought : null;
  }

  /** Mark an answer that has grown to its end here. */
  finish(turn) {
    for (const piece of [...turn.body.children]) piece.replaceWith(...piece.childNodes);
    this.dress(turn.body);
    turn.foot.replaceChildren(...this.foot(turn, `turn ${turn.row.n}`));
    turn.thought = null;
    this.mark(turn);
  }

  /** Nothing that grows or waits here will go on. */
  stopped() {
    this.queue([]);
    for (const article of this.list.querySelectorAll(".h2o-running")) article.classList.remove("h2o-running");
  }

  mark({ article, row }) {
    article.classList.toggle("h2o-running", Boolean(row.live));
    article.classList.toggle("h2o-unfinished", !row.live && row.s !== "complete");
  }

  build(turn) {
    const { row, article } = turn;
    const about = `turn ${row.n}`;
    const question = make("div", { class: "h2o-md" });
    put(question, row.q);
    turn.body = make("div", { class: "h2o-md h2o-body" });
    if (row.live) this.start(turn);
    else put(turn.body, row.a || '<p class="h2o-none">(an empty answer)</p>');
    if (!row.live) this.dress(turn.body);
    turn.foot = make("footer", { class: "h2o-foot" }, ...this.foot(turn, about));
    const chat = this.chat;
    article.setAttribute("aria-label", `Turn ${row.n}`);
    this.mark(turn);
    article.replaceChildren(
      make(
        "div",
        { class: "h2o-question" },
        question,
        make(
          "div",
          { class: "h2o-actions", role: "group", "aria-label": `Question of ${about}` },
          row.cell ? make("span", { class: "h2o-from", title: "Asked by a cell" }, "cell") : null,
          button("edit", `Edit the question of ${about} and ask again`, () => chat.edit(turn)),
          button("copy", `Copy the question of ${about}`, () => chat.copy(row.question, "question")),
          button("remove", `Delete ${about}`, () => chat.remove(row.id)),
        ),
      ),
      make("div", { class: "h2o-answer" }, turn.body, turn.foot),
    );
  }

  foot({ row }, about) {
    if (row.live) return [make("span", { class: "h2o-notice" }, row.notice || "")];
    const [chosen, count] = row.v ?? [1, 1];
    const go = (to) => this.chat.send("version", { id: row.id, to });
    const actions = [
      button("copy", `Copy the answer of ${about}`, () => this.chat.copy(row.answer, "answer")),
      button("again", `Ask ${about} again`, () => this.chat.send("regenerate", { id: row.id })),
    ];
    const versions = make(
      "span",
      { class: "h2o-versions", role: "group", "aria-label": `Versions of ${about}` },
      button("before", `Earlier version of ${about}`, () => go(chosen - 1), { disabled: chosen < 2 ? "" : false }),
      make("span", {}, `${chosen} of ${count}`),
      button("after", `Later version of ${about}`, () => go(chosen + 1), { disabled: chosen >= count ? "" : false }),
    );
    return [
      count > 1 ? versions : null,
      row.m ? make("span", { class: "h2o-mark" }, row.m) : null,
      make("span", { class: "h2o-facts" }, row.f),
      make("span", { class: "h2o-actions", role: "group", "aria-label": `Answer of ${about}` }, ...actions),
    ].filter(Boolean);
  }

  /** Give code blocks their buttons. */
  dress(body) {
    for (const block of body.querySelectorAll(".h2o-code")) {
      const code = () => block.querySelector("code").textContent.replace(/\n$/, "");
      const language = block.dataset.language;
      block.prepend(
        make(
          "div",
          { class: "h2o-code-head" },
          make("span", {}, language || "code"),
          button("copy", "Copy the code", () => this.chat.copy(code(), "code")),
          button("insert", "Insert the code into a new cell below", () => this.chat.insert(code())),
        ),
      );
    }
  }

  start(turn) {
    turn.tail = "";
    turn.last = make("div", { class: "h2o-tail" });
    turn.body.replaceChildren(turn.last);
    turn.thought?.remove();
    turn.thought = null;
  }

  /** Take what has grown: each piece is what stays of the last text, and what is new. */
  grow({ id, p: pieces, x: anew, t: thought, w: notice }) {
    const turn = this.turns.get(id);
    if (!turn?.row?.live || !turn.body) return;
    if (anew) this.start(turn);
    if (thought) this.think(turn, thought);
    if (notice != null) turn.article.querySelector(".h2o-notice").textContent = notice;
    (pieces ?? []).forEach(([keep, added], place) => {
      turn.tail = turn.tail.slice(0, keep) + added;
      put(turn.last, turn.tail);
      if (place === pieces.length - 1) return;
      turn.last.className = "";
      turn.last = make("div", { class: "h2o-tail" });
      turn.body.append(turn.last);
      turn.tail = "";
    });
  }

  think(turn, text) {
    if (!turn.thought) {
      turn.thought = make("details", { class: "h2o-thought" }, make("summary", {}, "Reasoning"), make("pre"));
      turn.thought.open = this.chat.state.reasoning === "show";
      turn.body.before(turn.thought);
    }
    turn.thought.lastChild.append(text);
  }
}

/** What fits at the cursor: a list above the composer. */
class Offers {
  constructor(composer) {
    this.composer = composer;
    this.list = make("ul", { class: "h2o-offers", role: "listbox", id: `h2o-offers-${composer.chat.view}`, "aria-label": "Completions", hidden: "" });
    this.asked = 0;
  }

  get open() {
    return !this.list.hidden;
  }

  close() {
    this.asked += 1; // what is on its way comes too late
    this.list.hidden = true;
    this.composer.area.removeAttribute("aria-activedescendant");
  }

  ask() {
    const { value, selectionStart } = this.composer.area;
    const before = value.slice(0, selectionStart);
    if (!/^\/[^\n]*$|\{[^{}\n]*$/.test(before)) return this.close();
    this.asked += 1;
    this.text = before;
    this.composer.chat.send("complete", { before, after: value.slice(selectionStart), n: this.asked });
  }

  show({ n, from, offers }) {
    if (n !== this.asked || !this.current) return;
    if (offers.length === 1 && this.text.endsWith(offers[0][0])) return this.close();
    this.from = from;
    this.list.replaceChildren(
      ...offers.map(([text, kind], place) =>
        make(
          "li",
          { role: "option", id: `${this.list.id}-${place}`, mousedown: (event) => { event.preventDefault(); this.take(place); } },
          make("span", {}, text),
          make("span", { class: "h2o-kind" }, kind),
        ),
      ),
    );
    this.texts = offers.map(([text]) => text);
    this.list.hidden = !offers.length;
    this.point(0);
  }

  point(place) {
    const items = [...this.list.children];
    if (!items.length) return this.close();
    this.place = (place + items.length) % items.length;
    items.forEach((item, at) => item.setAttribute("aria-selected", String(at === this.place)));
    items[this.place].scrollIntoView({ block: "nearest" });
    this.composer.area.setAttribute("aria-activedescendant", items[this.place].id);
  }

  take(place = this.place) {
    const { area } = this.composer;
    const text = this.texts[place];
    this.close();
    area.setRangeText(text, area.selectionStart - this.from, area.selectionStart, "end");
    this.composer.onInput();
  }

  /** Whether they belong to what stands before the cursor now. */
  get current() {
    const { value, selectionStart } = this.composer.area;
    return value.slice(0, selectionStart) === this.text;
  }

  /** Whether a key was meant for the list. */
  takesKey(event) {
    if (!this.open || !this.current) return false;
    if (event.key === "ArrowDown") this.point(this.place + 1);
    else if (event.key === "ArrowUp") this.point(this.place - 1);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Tab") this.take();
    else if (event.key === "Enter" && !event.shiftKey && !this.exact) this.take();
    else return false;
    return true;
  }

  /** Whether what stands there is complete, so that Enter means to send it. */
  get exact() {
    const { value, selectionStart } = this.composer.area;
    return this.texts.includes(value.slice(selectionStart - this.from, selectionStart));
  }
}

/** Where questions are written. */
class Composer {
  constructor(chat) {
    this.chat = chat;
    this.editing = null;
    this.area = make("textarea", {
      rows: "1",
      "aria-label": "Message",
      "aria-autocomplete": "list",
      placeholder: "Ask a question",
      spellcheck: "true",
      input: () => this.onInput(),
      keydown: (event) => this.onKey(event),
      blur: () => this.offers.close(),
    });
    this.offers = new Offers(this);
    this.area.setAttribute("aria-controls", this.offers.list.id);
    this.banner = make("div", { class: "h2o-banner", hidden: "" });
    this.stop = button("stop", "Stop the answer (Esc)", () => chat.send("stop"), { class: "h2o-round h2o-stop", hidden: "" });
    this.go = button("send", "Send (Enter)", () => this.send(), { class: "h2o-round", disabled: "" });
    this.preview = button("eye", "Preview what is sent", () => this.previewed(), { hidden: "" });
    const hint = make(
      "span",
      { class: "h2o-hint" },
      make("kbd", {}, "/"), " commands  ", make("kbd", {}, "{name}"), " a variable's value",
    );
    this.form = make(
      "div",
      { class: "h2o-composer" },
      this.offers.list,
      this.banner,
      make("div", { class: "h2o-field" }, this.area, make("div", { class: "h2o-tools" }, hint, this.preview, this.stop, this.go)),
    );
  }

  set(text) {
    this.area.value = text;
    this.onInput(false);
  }

  onInput(told = true) {
    this.area.style.height = "auto";
    this.area.style.height = `${this.area.scrollHeight + 2}px`;
    this.refresh();
    if (!told) return;
    this.typed = true; // and the kernel does not know yet
    this.offers.ask();
    clearTimeout(this.timer);
    if (!this.editing) this.timer = setTimeout(() => this.keep(), 400);
  }

  keep() {
    clearTimeout(this.timer);
    this.timer = null;
    this.chat.send("draft", { text: this.area.value });
  }

  refresh() {
    const empty = !this.area.value.trim();
    this.go.disabled = empty || !this.chat.alive;
    this.preview.hidden = empty || this.area.value.startsWith("/");
    this.stop.hidden = !this.chat.busy;
    this.area.disabled = !this.chat.alive;
  }

  onKey(event) {
    if (event.isComposing) return;
    if (this.offers.takesKey(event)) event.preventDefault();
    else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.send();
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (this.editing) this.leave();
      else if (this.chat.busy) this.chat.send("stop");
      else this.chat.closeOverlay();
    } else if (event.key === "ArrowUp" && !this.area.value) {
      const { last } = this.chat.log;
      if (last?.row && !last.row.live) {
        event.preventDefault();
        this.edit(last);
      }
    }
  }

  edit(turn) {
    this.draft = this.editing ? this.draft : this.area.value;
    this.editing = turn.row;
    this.banner.replaceChildren(
      make("span", {}, `Editing turn ${turn.row.n}. The earlier version is kept.`),
      button("close", "Do not edit (Esc)", () => this.leave()),
    );
    this.banner.hidden = false;
    this.set(turn.row.question);
    this.area.focus();
    this.area.setSelectionRange(this.area.value.length, this.area.value.length);
  }

  leave() {
    this.editing = null;
    this.banner.hidden = true;
    this.set(this.draft ?? "");
    this.draft = "";
    this.area.focus();
  }

  send() {
    const text = this.area.value;
    if (!text.trim() || !this.chat.alive) return;
    this.offers.close();
    clearTimeout(this.timer);
    this.timer = null;
    this.sent = text;
    const edited = this.editing?.id;
    if (this.editing) this.leave();
    else this.set("");
    this.chat.say("");
    this.chat.log.toEnd();
    this.chat.send("ask", { text, ...(edited ? { id: edited } : {}) });
  }

  previewed() {
    const id = this.editing?.id;
    this.chat.send("preview", { text: this.area.value, ...(id ? { id } : {}) });
  }

  /** Take a question back that was refused, and go on editing if it was an edit. */
  refused(text, id) {
    if (this.area.value || !text) return;
    const turn = this.chat.log.turns.get(id);
    if (turn?.row) this.edit(turn);
    this.set(text);
  }
}

class Chat {
  constructor(model, el) {
    this.model = model;
    this.view = Math.random().toString(36).slice(2, 10);
    this.state = {};
    this.alive = true;
    this.log = new Log(this);
    this.composer = new Composer(this);
    this.threads = make("select", { class: "h2o-threads", "aria-label": "Thread", change: () => this.send("thread", { name: this.threads.value }) });
    this.about = make("span", { class: "h2o-about" });
    this.settings = button("settings", "Settings", () => this.showControls(!this.state.controls), { "aria-expanded": "false" });
    this.status = make("div", { class: "h2o-status", role: "status", "aria-live": "polite" });
    this.notes = make("div", { class: "h2o-notes" });
    this.toast = make("div", { class: "h2o-toast", hidden: "" });
    this.root = make(
      "section",
      { class: "h2o-chat", "aria-label": "Chat with a language model", keydown: (event) => this.onKey(event) },
      make("header", { class: "h2o-head" }, this.threads, this.about, this.settings),
      make("div", { class: "h2o-middle" }, this.log.box, this.log.jump),
      this.notes,
      this.toast,
      this.composer.form,
      this.status,
    );
    el.classList.add("h2o-view");
    el.append(this.root);
    this.onMessage = (message) => this.receive(message);
    this.onComm = () => this.send("ping"); // which fails if the kernel is gone
    this.onPress = (event) => this.onOutside(event);
    document.addEventListener("pointerdown", this.onPress, true);
    model.on("msg:custom", this.onMessage);
    model.on("comm_live_update", this.onComm);
    this.onSaveState = (_, state) => this.onSave(state);
    this.context?.saveState?.connect(this.onSaveState);
    this.send("open", { keeps: Boolean(this.context?.saveState) });
  }

  /** The open notebook, where the front end shows it to its widgets (JupyterLab, Notebook 7). */
  get context() {
    return this.model.widget_manager?.context;
  }

  end() {
    clearTimeout(this.waiting);
    this.naming?.disconnect();
    document.removeEventListener("pointerdown", this.onPress, true);
    if (this.composer.timer) this.composer.keep();
    this.model.off("msg:custom", this.onMessage);
    this.model.off("comm_live_update", this.onComm);
    this.context?.saveState?.disconnect(this.onSaveState);
    this.log.end();
  }

  onKey(event) {
    // Keys without Control are no shortcuts of the notebook here.
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
    if (event.key !== "Escape" || event.target === this.composer.area) return;
    if (!this.closeOverlay() && this.busy) this.send("stop");
  }

  /** The settings, which ipywidgets shows beside this view or over it. */
  get controls() {
    return this.root.closest(".h2o-panel")?.querySelector(".h2o-controls");
  }

  showControls(shown) {
    this.send("controls", { shown });
  }

  /** Whether the settings lie over this view: narrow views have no room beside it. */
  get overlaid() {
    const { controls } = this;
    return Boolean(this.state.controls && controls?.offsetParent && getComputedStyle(controls).position === "absolute");
  }

  /** Close the settings where they lie over the chat; return whether they did. */
  closeOverlay() {
    if (!this.overlaid) return false;
    this.showControls(false);
    this.settings.focus();
    return true;
  }

  /** A press outside closes the settings, but where it gives something else the focus. */
  onOutside({ target }) {
    const inside = this.controls?.contains(target) || this.settings.contains(target);
    if (inside || !this.overlaid) return;
    this.showControls(false);
    setTimeout(() => {
      const focused = document.activeElement;
      if (!focused || focused === document.body || this.log.box === focused || this.controls.contains(focused)) this.settings.focus();
    });
  }

  send(what, more = {}) {
    clearTimeout(this.waiting);
    try {
      this.model.send({ do: what, view: this.view, ...more });
    } catch {
      this.lost();
      return;
    }
    this.waiting = setTimeout(() => this.unanswered(), WAIT);
  }

  /** In a tab of its own the panel fills the tab. */
  fit() {
    const tab = this.root.closest(".jp-LinkedOutputView");
    if (!tab) return;
    if (!this.docked) this.log.size.observe(tab);
    this.docked = true;
    this.root.style.height = `${Math.max(300, tab.clientHeight - 24)}px`;
  }

  unanswered() {
    if (this.answered) this.say("Waiting for the kernel: it is busy.");
    else this.say("Waiting for the kernel. Where there is none, the conversation stands below.");
  }

  /** The kernel that held the conversation is gone. */
  lost() {
    this.alive = false;
    this.root.classList.add("h2o-lost");
    this.root.classList.remove("h2o-alive");
    this.state = { ...this.state, running: [], waiting: [] };
    this.log.stopped();
    this.toast.hidden = true;
    this.composer.area.placeholder = "Run this cell again to go on: the conversation is kept.";
    this.composer.refresh();
    this.say("The kernel was restarted. Run this cell again to go on: the conversation is kept.");
  }

  /** Whether there is something to stop. */
  get busy() {
    return Boolean(this.state.running?.length || this.state.waiting?.length);
  }

  /** Say something; `heard` is not to be seen, since the page shows it anyway. */
  say(text, heard = false) {
    this.status.textContent = text;
    this.status.classList.toggle("h2o-heard", heard);
  }

  receive(message) {
    if (message.to && message.to !== this.view) return;
    this.answered = true;
    this.root.classList.toggle("h2o-alive", this.alive);
    this[`on_${message.is}`]?.(message);
  }

  on_state({ state }) {
    const before = this.state;
    this.state = state;
    this.threads.replaceChildren(...state.threads.map((name) => make("option", { value: name }, name)));
    this.threads.value = state.thread;
    this.about.textContent = state.about;
    this.about.title = state.server;
    this.settings.setAttribute("aria-expanded", String(state.controls));
    this.followControls();
    this.log.queue(state.waiting);
    if (state.undoable !== this.dropped) this.toast.hidden = true;
    this.composer.refresh();
    if (before.running?.length && !state.running.length) this.say("The answer has ended.", true);
    else if (!before.running?.length && state.running.length) this.say("An answer is being written.", true);
  }

  /** Escape closes the settings; and the handles of ipywidgets' sliders get a name. */
  followControls() {
    const { controls } = this;
    if (!controls || this.naming) return;
    const onKey = (event) => {
      if (event.key === "Escape" && this.closeOverlay()) event.stopPropagation();
    };
    controls.addEventListener("keydown", onKey, true); // ipywidgets' texts keep their keys
    this.naming = new MutationObserver(() => {
      for (const slider of controls.querySelectorAll(".widget-slider")) {
        const handle = slider.querySelector(".noUi-handle:not([aria-label])");
        handle?.setAttribute("aria-label", slider.querySelector("label").textContent);
      }
    });
    this.naming.observe(controls, { childList: true, subtree: true });
  }

  on_thread({ ids, rows, draft, stale, refresh, welcome }) {
    this.ordered = true;
    if (welcome) put(this.log.empty, welcome);
    if (!stale) this.log.stuck = true;
    this.log.order(ids, refresh);
    for (const row of rows) this.log.show(row);
    if (draft != null && !this.composer.typed) this.composer.set(draft);
    if (this.log.stuck) this.log.toEnd();
  }

  /** Take a turn that begins after all others; with it there are `count`. */
  on_began({ id, after, count, rows }) {
    if (!this.ordered) return; // the order is on its way
    if (!this.log.append(id, after, count)) {
      this.ordered = false;
      this.send("order");
      return;
    }
    for (const row of rows) this.log.show(row);
    if (this.log.stuck) this.log.toEnd();
  }

  on_rows({ rows }) {
    for (const row of rows) this.log.show(row);
  }

  on_grew(message) {
    this.log.grow(message);
  }

  on_draft({ text, from }) {
    if (from === this.view) this.composer.typed = Boolean(this.composer.timer);
    else if (!this.composer.editing && document.activeElement !== this.composer.area) this.composer.set(text);
  }

  on_complete(message) {
    this.composer.offers.show(message);
  }

  on_refused({ text, question, id }) {
    this.composer.refused(question, id);
    clearTimeout(this.waiting); // else it would say in this place that it waits
    this.say(text);
    this.root.classList.add("h2o-refused");
    setTimeout(() => this.root.classList.remove("h2o-refused"), 4000);
  }

  on_note({ title, html, error }) {
    const body = make("div", { class: "h2o-md", tabindex: "0" });
    put(body, html);
    const close = button("close", "Close", () => { this.notes.replaceChildren(); this.composer.area.focus(); });
    this.notes.replaceChildren(
      make("div", { class: `h2o-note${error ? " h2o-error" : ""}`, role: "group", "aria-label": title }, make("div", { class: "h2o-note-head" }, title, close), body),
    );
    if (error) this.say(body.textContent);
  }

  on_undoable({ id, text }) {
    clearTimeout(this.toasting);
    this.dropped = id;
    const back = make("button", { type: "button", class: "h2o-text-button", click: () => this.undo(id) }, "Undo");
    this.toast.replaceChildren(make("span", {}, text), back);
    this.toast.hidden = false;
    this.say(text, true);
    this.toasting = setTimeout(() => { this.toast.hidden = true; }, 12000);
  }

  undo(id) {
    this.toast.hidden = true;
    this.removed = null; // what comes back may be deleted at once
    this.send("undo", { id });
  }

  /** Take the transcript, which goes into the notebook when that is saved. */
  on_transcript({ markdown }) {
    this.transcript = markdown;
    this.toBeSaved();
  }

  /** Mark the notebook as not saved where its file does not hold the transcript. */
  toBeSaved() {
    const output = this.transcript && this.transcriptOutput()?.output;
    if (output && output.data["text/markdown"] !== this.transcript) this.context.model.dirty = true;
  }

  /** The output below the panel's, in JupyterLab's model of the notebook. */
  transcriptOutput() {
    const found = outputOf(this.context, this.state.root);
    const output = found?.outputs.get(found.at + 1);
    return output && { output, set: (value) => found.outputs.set(found.at + 1, value) };
  }

  onSave(state) {
    // A save that ends makes the notebook clean, whatever came while it went on.
    if (state === "completed") this.toBeSaved();
    const found = state === "started" && this.transcript && this.transcriptOutput();
    if (!found || found.output.data["text/markdown"] === this.transcript) return;
    const data = { "text/markdown": this.transcript, "text/plain": this.transcript };
    found.set({ output_type: "display_data", data, metadata: {} });
  }

  on_said({ text }) {
    this.say(text);
  }

  /** What was sent last has been taken: other messages come while the kernel is busy, too. */
  on_taken() {
    clearTimeout(this.waiting);
    if (this.status.textContent.startsWith("Waiting for the kernel")) this.say("");
  }

  edit(turn) {
    this.composer.edit(turn);
  }

  /** Delete a turn; a double click's second one would meet the next turn's button. */
  remove(id) {
    const now = performance.now();
    if (now - (this.removed ?? -TWICE) < TWICE) return;
    this.removed = now;
    this.send("drop", { id });
  }

  async copy(text, what) {
    this.say((await copied(text)) ? `Copied the ${what}.` : `The browser does not let a page copy: select the ${what} and press Ctrl+C.`);
  }

  /** Put code into a new cell below the panel's, where the front end lets a page do so. */
  async insert(code) {
    const found = outputOf(this.context, this.state.root);
    if (found?.notebook.sharedModel?.insertCell) {
      const cell = { cell_type: "code", source: code, metadata: { trusted: true } }; // no output yet
      found.notebook.sharedModel.insertCell(found.place + 1, cell);
      this.say("Inserted a cell below. It was not run.");
    }
    else if (await copied(code)) this.say("This front end lets no page insert a cell: the code is in the clipboard instead.");
    else this.say("This front end lets no page insert a cell, nor copy: select the code and press Ctrl+C.");
  }
}

/** Find the output that shows the widget `root`, in JupyterLab's model of a notebook. */
function outputOf(context, root) {
  const notebook = context?.model;
  for (let place = 0; place < (notebook?.cells?.length ?? 0); place += 1) {
    const { outputs } = notebook.cells.get(place);
    for (let at = 0; at < (outputs?.length ?? 0); at += 1) {
      const shown = outputs.get(at).data["application/vnd.jupyter.widget-view+json"];
      if (shown?.model_id === root) return { notebook, place, outputs, at };
    }
  }
  return null;
}

export default {
  render({ model, el }) {
    const chat = new Chat(model, el);
    return () => chat.end();
  },
};
