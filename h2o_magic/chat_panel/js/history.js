import { icon, make } from "./dom.js";
import { editInPlace } from "./in_place.js";
import { Menu, Popover } from "./popover.js";
import { DAYS, dayOf, timeOf } from "./times.js";
import { folded, holds, wordsOf } from "./words.js";

const SEARCH_AFTER = 150; // ms without a key until the kernel is asked
const HINT = "Enter to open · F2 to rename · Del to delete";

/** All chats, by day, and a search in all of them. */
export class History {
  constructor(chat, head) {
    Object.assign(this, { chat, head, threads: [], hits: [], asked: 0 });
    this.search = make("input", { type: "text", placeholder: "Search all chats", "aria-label": "Search all chats", spellcheck: "false", input: () => this.onInput() });
    this.menu = new Menu({ label: "Chats", owner: this.search });
    this.menu.box.addEventListener("pointerover", ({ target }) => this.onPointer(target));
    this.note = make("div", { class: "h2o-history-note", role: "status" });
    const more = { label: "History", className: "h2o-history", beside: head.box, opened: () => this.onOpen(), closed: () => this.onClose() };
    this.popover = new Popover(chat, head.opener, more, this.search, this.menu.box, this.note);
  }

  onOpen() {
    this.search.value = "";
    this.removed = null;
    this.restored = undefined;
    this.isFresh = false; // what is known is from before
    this.hits = [];
    this.pending = false;
    this.asked += 1; // what is still to come is of an earlier search
    this.draw(false);
    this.chat.composer.draft.keep();
    this.chat.send("threads");
    return this.search;
  }

  /** What was deleted can still be brought back. */
  onClose() {
    clearTimeout(this.timer);
    if (this.removed && this.chat.alive) this.offerUndo(this.removed);
  }

  on_state({ state }) {
    if (this.removed !== state.removed_thread) this.removed = null;
    const now = JSON.stringify([state.thread, state.title, state.removed_thread, state.running]);
    if (now !== this.state) this.request();
    this.state = now;
  }

  /** Request the list, which is not part of the state: it may be long. */
  request() {
    if (this.popover.isOpen) this.chat.send("threads");
  }

  on_threads({ threads }) {
    const { isFresh } = this;
    this.isFresh = true;
    this.threads = threads.sort((a, b) => (b.at || Infinity) - (a.at || Infinity));
    for (const thread of threads) thread.folded = folded(`${thread.title} ${thread.name}`);
    this.fill(isFresh);
  }

  on_hits({ n, hits }) {
    if (n !== this.asked) return;
    this.hits = hits;
    this.pending = false;
    this.fill();
  }

  on_thread_removed({ name }) {
    this.removed = name;
    if (this.popover.isOpen) this.fill();
    else this.offerUndo(name);
  }

  offerUndo(name) {
    this.removed = null;
    this.chat.toast.show("Chat deleted.", () => this.restore(name), (state) => state.removed_thread === name);
  }

  restore(name) {
    this.removed = null;
    this.restored = name;
    this.head.go("restore_thread", { name });
  }

  onInput() {
    clearTimeout(this.timer);
    this.asked += 1;
    this.pending = Boolean(this.words.length);
    if (this.pending) this.timer = setTimeout(() => this.chat.send("search", { text: this.search.value, n: this.asked }), SEARCH_AFTER);
    else this.hits = [];
    this.draw(false);
  }

  get words() {
    return wordsOf(this.search.value);
  }

  fill(keep) {
    const isEdited = this.menu.box.querySelector("input");
    if (this.popover.isOpen && !isEdited) this.draw(keep);
  }

  /** Show what is known; with `keep`, the same item stays selected if it is still there. */
  draw(keep = true) {
    const { menu, words } = this;
    const before = this.restored ?? (keep ? menu.current?.key : undefined);
    const { place } = menu;
    menu.fill(words.length ? this.found(words) : this.byDay());
    const same = menu.items.findIndex(({ key }) => key === before);
    if (same >= 0) this.restored = undefined;
    if (before !== undefined && menu.items.length) menu.select(same >= 0 ? same : Math.min(place, menu.items.length - 1));
    this.note.replaceChildren(...this.noteParts(words));
  }

  byDay() {
    const groups = new Map(DAYS.map((label) => [label, { label, items: [] }]));
    for (const thread of this.threads) groups.get(dayOf(thread.at)).items.push(this.item(thread));
    return [...groups.values()];
  }

  found(words) {
    const named = this.threads.filter((thread) => holds(thread.folded, words));
    const names = new Set(this.threads.map(({ name }) => name)); // without deleted ones
    const hits = this.hits.filter(({ name }) => names.has(name));
    return [
      { label: "Titles", items: named.slice(0, 5).map((thread) => this.item(thread)) },
      { label: "Questions and answers", items: hits.map((hit) => this.hit(hit)) },
    ];
  }

  noteParts(words) {
    const { name } = this.threads.find((thread) => thread.name === this.removed) ?? {};
    if (this.removed && !name) {
      const undo = () => { this.restore(this.removed); this.search.focus(); };
      return ["Chat deleted.", make("button", { type: "button", class: "h2o-text-button", click: undo }, "Undo")];
    }
    if (this.pending) return ["Searching …"];
    const count = this.hits.length;
    if (words.length && count) return [count === 50 ? "The newest 50 of them" : `Found in ${count === 1 ? "1 turn" : `${count} turns`}`];
    if (words.length) return [this.menu.items.length ? "No question or answer contains this." : "Nothing found."];
    if (this.threads.length) return [HINT];
    return [this.isFresh ? "No chats yet." : "Loading …"];
  }

  item(thread) {
    const { name, title, at, draft, running } = thread;
    const shown = make("span", { class: "h2o-item-title", dir: "auto" }, title);
    const mark = running ? "Answering" : draft ? "Draft" : "";
    const rename = () => this.rename(shown, thread);
    const remove = () => this.head.go("remove_thread", { name });
    // Made once the pointer is there: there may be hundreds of rows.
    const actions = () => make("span", { class: "h2o-item-actions", "aria-hidden": "true" }, rowAction("edit", "Rename (F2)", rename), rowAction("remove", "Delete (Del)", remove));
    const keys = { F2: rename, ...(this.search.value ? {} : { Delete: remove }) };
    return {
      key: name,
      chosen: !this.search.value && name === this.chat.state.thread,
      parts: [shown, mark ? make("span", { class: "h2o-item-mark" }, mark) : null, make("span", { class: "h2o-item-time" }, timeOf(at)), canHover() ? null : actions()],
      actions,
      keys,
      run: () => this.head.open("thread", { name }),
    };
  }

  onPointer(target) {
    const item = this.menu.items.find(({ row }) => row.contains(target));
    if (item?.actions && !item.row.querySelector(".h2o-item-actions")) item.row.append(item.actions());
  }

  hit({ name, title, id, at, snippet }) {
    const words = snippet.map((text, place) => (place % 2 ? make("mark", {}, text) : text));
    const head = make("span", { class: "h2o-hit-head" }, make("span", { class: "h2o-item-title", dir: "auto" }, title), make("span", { class: "h2o-item-time" }, timeOf(at)));
    const run = () => {
      this.popover.close(false);
      this.chat.log.reveal.go(name, id);
    };
    return { key: id, parts: [make("span", { class: "h2o-hit" }, head, make("span", { class: "h2o-snippet", dir: "auto" }, ...words))], run };
  }

  rename(shown, { name, title }) {
    const save = (text) => this.head.saveTitle(name, text);
    editInPlace(shown, { label: "Title of the chat", text: title, save, ended: (byKey) => { if (byKey) this.search.focus(); } });
  }
}

/** What the mouse can do with an item; keys do the same from the search field. */
function rowAction(name, label, click) {
  const act = (event) => { event.stopPropagation(); click(); };
  return make("span", { class: "h2o-button", title: label, click: act }, icon(name));
}

function canHover() {
  return !matchMedia("(hover: none)").matches;
}
