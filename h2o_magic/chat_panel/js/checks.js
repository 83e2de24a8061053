import { make, withCode } from "./dom.js";

const AFTER = 300; // ms without a key until the kernel is asked

/** What the kernel says of a question that is being written: notes, and how long it is. */
export class Checks {
  constructor(composer) {
    this.composer = composer;
    this.number = 0;
    this.notes = make("div", { class: "h2o-checks", "aria-live": "polite" });
    this.counter = make("span", { class: "h2o-tokens", hidden: "" });
  }

  close() {
    clearTimeout(this.timer);
  }

  /** Ask once nothing has changed for a moment. */
  request() {
    const { area, chat } = this.composer;
    clearTimeout(this.timer);
    this.number += 1;
    if (!area.value.includes("{") || area.value.startsWith("/")) this.show([]);
    if (chat.alive) this.timer = setTimeout(() => chat.send("check", { ...this.composer.question, bytes: this.composer.attachments.bytes, n: this.number }), AFTER);
  }

  on_state() {
    this.request(); // a turn more, another model
  }

  on_checked({ n, notes, use }) {
    if (n !== this.number) return;
    if (use) this.count(use);
    const refused = this.composer.chat.root.classList.contains("h2o-refused");
    if (!refused && (notes.length || this.notes.childNodes.length)) this.show(notes);
  }

  /** Show how full the model's context is. */
  count({ text, title, level }) {
    this.counter.replaceChildren(text, make("span", { class: "h2o-wide" }, " tokens"));
    this.counter.title = title;
    this.counter.hidden = !text;
    this.composer.form.dataset.room = level;
  }

  /** Show notes, in which some text is code. */
  show(notes) {
    this.notes.replaceChildren(...(notes.length ? withCode(notes.join(" · ")) : []));
  }
}
