import { make } from "./dom.js";

/** The completions of a name or command at the cursor: a list above the composer. */
export class Completions {
  constructor(composer) {
    this.composer = composer;
    this.list = make("ul", { class: "h2o-completions", role: "listbox", id: `h2o-completions-${composer.chat.view}`, "aria-label": "Completions", hidden: "" });
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

  request() {
    const { value, selectionStart } = this.composer.area;
    const before = value.slice(0, selectionStart);
    if (!/^\/[^\n]*$|\{[^{}\n]*$/.test(before)) return this.close();
    if (this.open) this.narrow(before);
    this.requests += 1;
    this.before = before;
    this.composer.chat.send("complete", { before, after: value.slice(selectionStart), n: this.requests });
  }

  on_completions({ n, replaced, found }) {
    const { value, selectionStart } = this.composer.area;
    if (n !== this.requests || value.slice(0, selectionStart) !== this.before) return;
    if (found.length === 1 && this.before.endsWith(found[0][0])) return this.close();
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
    this.list.replaceChildren(
      ...found.map(([text, kind], place) =>
        make(
          "li",
          { role: "option", id: `${this.list.id}-${place}`, mousedown: (event) => { event.preventDefault(); this.insert(place); } },
          make("span", {}, text),
          make("span", { class: "h2o-kind" }, kind),
        ),
      ),
    );
    this.texts = found.map(([text]) => text);
    this.list.hidden = !found.length;
    if (found.length) this.select(0);
    else this.composer.area.removeAttribute("aria-activedescendant");
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
    const text = this.texts[place];
    this.close();
    area.setRangeText(text, area.selectionStart - this.replaced, area.selectionStart, "end");
    this.composer.onInput();
  }

  /** Whether the list belongs to the text before the cursor. */
  get isCurrent() {
    const { value, selectionStart } = this.composer.area;
    return value.slice(0, selectionStart) === this.listed;
  }

  /** Whether the text before the cursor is complete already, so that Enter sends it. */
  get isComplete() {
    const { value, selectionStart } = this.composer.area;
    return this.texts.includes(value.slice(selectionStart - this.replaced, selectionStart));
  }

  /** Handle a key that is meant for the list; return whether it was. */
  handleKey(event) {
    if (!this.open || !this.isCurrent) return false;
    if (event.key === "ArrowDown") this.select(this.place + 1);
    else if (event.key === "ArrowUp") this.select(this.place - 1);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Tab") this.insert();
    else if (event.key === "Enter" && !event.shiftKey && !this.isComplete) this.insert();
    else return false;
    return true;
  }
}
