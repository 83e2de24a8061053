import { make } from "./dom.js";

const QUIET = 1000; // ms until something is said, so that nothing flickers
const WHOLE = "math, svg, img, button, a, :not(pre) > code"; // no caret in these

/** What is waited for before the first text. Its seconds are counted here. */
export class Waiting {
  /** `seconds` are over since the question was asked; `stop` is a button beside it. */
  constructor(seconds, stop) {
    this.stop = stop || null;
    this.asked = performance.now() - seconds * 1000;
    this.box = make("span", { class: "h2o-notice" });
    this.caret = make("span", { class: "h2o-caret", "aria-hidden": "true" });
    this.tell(["", 0]);
    this.timer = setInterval(() => (this.box.isConnected ? this.draw() : this.end()), 1000);
  }

  /** Show what the server is doing, and for how many seconds already. */
  tell([words, seconds]) {
    this.words = words || "Waiting for the server";
    this.since = words ? performance.now() - seconds * 1000 : this.asked;
    this.draw();
  }

  draw() {
    const waited = performance.now() - this.since;
    const seconds = Math.floor(waited / 1000);
    const told = this.words !== "Waiting for the server" || waited >= QUIET;
    this.box.textContent = told ? [this.words, seconds ? `${seconds} s` : ""].filter(Boolean).join(", ") : "";
  }

  /** Say nothing more: something came. */
  end() {
    clearInterval(this.timer);
    this.ended = true;
  }

  /** Take everything away: the answer has ended. */
  finish() {
    this.end();
    this.box.remove();
    this.caret.remove();
    this.stop?.remove();
  }

  /** Put the caret behind the last character of a block, or what is waited for there. */
  place(block) {
    if (this.stop?.parentNode === block) return null; // what moves loses the focus
    this.caret.remove();
    this.box.remove();
    if (!block.hasChildNodes()) return block.append(this.caret, this.ended ? "" : this.box, ...(this.stop ? [this.stop] : []));
    let node = block;
    for (let last = lastIn(node); last; last = lastIn(node)) {
      if (last.nodeType === Node.TEXT_NODE) return last.splitText(last.data.trimEnd().length).before(this.caret);
      if (last.matches(WHOLE)) return last.after(this.caret);
      node = last;
    }
    return node.append(this.caret);
  }
}

/** The last child that shows something. */
function lastIn(node) {
  let last = node.lastChild;
  while (last && last.nodeType !== Node.ELEMENT_NODE && !last.data?.trim()) last = last.previousSibling;
  return last;
}

/** The time since the question that is being answered, from its second second. */
export class Clock {
  constructor() {
    this.box = make("span", { class: "h2o-clock", role: "timer", "aria-label": "Time of the answer", hidden: "" });
  }

  on_state({ state: { running, elapsed } }) {
    clearInterval(this.timer);
    this.began = performance.now() - elapsed * 1000;
    if (running.length) this.timer = setInterval(() => this.draw(), 1000);
    this.draw(running.length > 0);
  }

  on_lost() {
    this.close();
    this.draw(false);
  }

  close() {
    clearInterval(this.timer);
  }

  draw(runs = true) {
    const seconds = Math.floor((performance.now() - this.began) / 1000);
    this.box.hidden = !runs || seconds < 2;
    this.box.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}
