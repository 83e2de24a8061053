import { make } from "./dom.js";

const ROWS = 8; // that are seen at once
const ROW = 26; // px
// A command, an open brace, or an @ that begins a word: not the one of an address.
const COMPLETED = /^\/[^\n]*$|\{[^{}\n]*$|(?:^|[\s(["'“])@[^\s@{}]*$/;

/**
 * The completions of a command or a variable at the cursor: a list above the composer. An
 * entry is [text, about, then]: what is said of the text, and what is to follow it.
 */
export class Completions {
  constructor(composer) {
    this.composer = composer;
    this.list = make("ul", { class: "h2o-completions", role: "listbox", id: `h2o-completions-${composer.chat.view}`, "aria-label": "Completions", tabindex: "0", hidden: "", mousedown: (event) => event.preventDefault() });
    this.requests = 0;
  }

  get open() {
    return !this.list.hidden;
  }

  close() {
    this.requests += 1; // so that a reply on its way is ignored
    this.list.hidden = true;
    this.composer.area.removeAttribute("aria-activedescendant");
  }

  /** Ask for what fits; `nothing` is said if that is nothing. */
  request(nothing = "") {
    const { value, selectionStart } = this.composer.area;
    const before = value.slice(0, selectionStart);
    if (!COMPLETED.test(before)) return this.close();
    if (this.open) this.narrow(before);
    this.requests += 1;
    Object.assign(this, { before, nothing });
    const braced = before.replace(/@([^\s@{}]*)$/, "{$1"); // as it will be inserted
    this.composer.chat.send("complete", { before: braced, after: value.slice(selectionStart), n: this.requests });
  }

  on_completions({ n, replaced, found }) {
    const { value, selectionStart } = this.composer.area;
    if (n !== this.requests || value.slice(0, selectionStart) !== this.before) return;
    if (!found.length && this.nothing) this.composer.chat.refuse(this.nothing);
    const [text, , then] = found[0] ?? [];
    if (found.length === 1 && !then && this.before.endsWith(text)) return this.close();
    this.fill(found, replaced, this.before);
  }

  /** Keep what fits the text typed since: the kernel's own reply is on its way. */
  narrow(before) {
    const word = before.slice(this.listed.length - this.replaced);
    const fits = before.startsWith(this.listed) ? this.found.filter(([text]) => text.startsWith(word)) : [];
    this.fill(fits, word.length, before);
  }

  fill(found, replaced, listed) {
    Object.assign(this, { found, replaced, listed });
    const sign = listed.startsWith("/") && !/\s/.test(listed) ? "/" : "";
    this.list.classList.toggle("h2o-commands", Boolean(sign));
    this.list.replaceChildren(...found.map(([text, about], place) => this.row(`${sign}${text.replace(/^([^[]*)\]$/, "$1")}`, about, place)));
    this.list.hidden = !found.length;
    if (!found.length) return this.composer.area.removeAttribute("aria-activedescendant");
    const space = this.composer.form.getBoundingClientRect().top - this.composer.chat.root.getBoundingClientRect().top;
    this.list.style.maxHeight = `${Math.min(ROWS * ROW + 10, space - 8)}px`;
    this.select(Math.max(0, found.findIndex(([text]) => text === this.word)));
  }

  row(name, about, place) {
    return make(
      "li",
      { role: "option", id: `${this.list.id}-${place}`, mousedown: () => this.insert(place) },
      make("span", { class: "h2o-name" }, name),
      make("span", { class: "h2o-kind" }, about),
    );
  }

  select(place) {
    const items = [...this.list.children];
    this.place = (place + items.length) % items.length;
    items.forEach((item, at) => item.setAttribute("aria-selected", String(at === this.place)));
    items[this.place].scrollIntoView({ block: "nearest" });
    this.composer.area.setAttribute("aria-activedescendant", items[this.place].id);
  }

  insert(place = this.place) {
    const { area } = this.composer;
    const [text, , then] = this.found[place];
    const end = area.selectionStart;
    const [typed] = /(?:@[^\s@{}]*)?$/.exec(area.value.slice(0, end));
    const kept = typed ? `{${typed.slice(1, typed.length - this.replaced)}` : "";
    this.close();
    area.setRangeText(`${kept}${text}${then}`, end - (typed.length || this.replaced), end, "end");
    this.closed = then === "}" ? area.value : null;
    this.composer.onInput();
  }

  /** Whether a key writes the brace that was closed just now. */
  isClosing({ key }) {
    const { value, selectionStart } = this.composer.area;
    const closes = key === "}" && value === this.closed && value[selectionStart - 1] === "}";
    if (closes) this.closed = null;
    return closes;
  }

  /** Whether the list belongs to the text before the cursor. */
  get isCurrent() {
    const { value, selectionStart } = this.composer.area;
    return value.slice(0, selectionStart) === this.listed;
  }

  /** What of the listed text an entry replaces. */
  get word() {
    return this.listed.slice(this.listed.length - this.replaced);
  }

  /** Whether the text before the cursor is complete already, so that Enter sends it. */
  get isComplete() {
    return this.found.some(([text, , then]) => text === this.word && then !== "}");
  }

  /** Handle a key that is meant for the list; return whether it was. */
  handleKey(event) {
    if (this.isClosing(event)) return true;
    if (!this.open || !this.isCurrent) return false;
    if (event.key === "ArrowDown") this.select(this.place + 1);
    else if (event.key === "ArrowUp") this.select(this.place - 1);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Tab" && event.shiftKey) return this.close(); // or it would go into the list
    else if (event.key === "Tab") this.insert();
    else if (event.key === "Enter" && !event.shiftKey && !this.isComplete) this.insert();
    else return false;
    return true;
  }
}
