import { make, textButton } from "./dom.js";

const SHOWN = 12000; // ms

/** A note of what was removed, with a button that brings it back. */
export class Toast {
  constructor(chat) {
    this.chat = chat;
    this.box = make("div", { class: "h2o-toast", hidden: "" });
  }

  /** Show it for some time, as long as the state of the conversation is `valid`. */
  show(text, undo, valid = () => true) {
    this.valid = valid;
    clearTimeout(this.timer);
    const back = textButton("Undo", () => { this.hide(); undo(); });
    this.box.replaceChildren(make("span", {}, text), back);
    this.box.hidden = false;
    this.chat.setStatus(text, true);
    this.timer = setTimeout(() => this.hide(), SHOWN);
  }

  on_state({ state }) {
    if (!this.box.hidden && !this.valid(state)) this.hide();
  }

  hide() {
    clearTimeout(this.timer);
    this.box.hidden = true;
  }

  on_lost() {
    this.hide();
  }

  close() {
    this.hide();
  }
}
