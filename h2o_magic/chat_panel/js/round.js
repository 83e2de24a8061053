import { icon, make } from "./dom.js";

/** The round button: it sends, or stops the answer while nothing is typed. */
export class RoundButton {
  constructor(composer) {
    this.composer = composer;
    this.chat = composer.chat;
    this.element = make("button", { type: "button", class: "h2o-round", click: () => this.press() });
    this.refresh();
  }

  get stops() {
    return this.chat.busy && this.composer.isEmpty;
  }

  press() {
    if (this.stops) this.chat.send("stop");
    else this.composer.send();
  }

  refresh() {
    const { stops } = this;
    this.element.disabled = !this.chat.alive || (!stops && this.composer.isEmpty);
    const label = stops ? "Stop the answer (Esc)" : this.chat.busy ? "Send after the answer (Enter)" : "Send (Enter)";
    if (label === this.label) return;
    this.label = label;
    this.element.title = label;
    this.element.setAttribute("aria-label", label);
    this.element.classList.toggle("h2o-stop", stops);
    this.element.replaceChildren(icon(stops ? "stop" : "send"));
  }
}
