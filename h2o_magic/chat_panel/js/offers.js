import { make } from "./dom.js";

/** What fits at the cursor: a list above the composer. */
export class Offers {
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
