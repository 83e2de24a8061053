import { make } from "./dom.js";

const PAUSE = 1500; // ms between two announcements
const SPOKEN = 5; // announcements in the page
const SENTENCES = /^[^]*[.!?:;…。！？](?=\s|$)|^[^]*\n/;

/**
 * Reads answers to screen readers while they grow, sentence by sentence, to whom the chat
 * has the focus of.
 */
export class Announcer {
  constructor(chat) {
    this.chat = chat;
    this.box = make("div", { class: "h2o-spoken", "aria-live": "polite" });
  }

  on_delta({ id, restart }) {
    if (id !== this.id || restart) Object.assign(this, { id, said: 0 });
    this.timer ??= setTimeout(() => this.say(), PAUSE);
  }

  on_rows({ rows }) {
    for (const row of rows) if (row.id === this.id && !row.running) this.say(true);
  }

  close() {
    clearTimeout(this.timer);
  }

  /** Say the sentences that are new; at its `end`, all of the answer. */
  say(end = false) {
    clearTimeout(this.timer);
    this.timer = null;
    const body = this.chat.log.turns.get(this.id)?.body;
    const text = body ? spoken(body, end).slice(this.said) : "";
    const [sentences] = end ? [text] : SENTENCES.exec(text) ?? [""];
    this.said += sentences.length;
    if (end) this.id = null;
    if (!sentences.trim() || !this.chat.root.contains(document.activeElement)) return;
    this.box.append(make("p", {}, sentences.trim()));
    while (this.box.children.length > SPOKEN) this.box.firstChild.remove();
  }
}

/** The text of an answer to be read; without its last block of code, which may grow. */
function spoken(body, end) {
  const blocks = [...body.querySelectorAll(":scope > div:not(.h2o-code) > :not(.h2o-caret, .h2o-notice), :scope > :not(div), :scope > .h2o-code")];
  const last = blocks.at(-1);
  return blocks.map((block) => (block.matches(".h2o-code") ? (block === last && !end ? "" : codeAloud(block)) : `${block.textContent.trim()}\n`)).join("");
}

function codeAloud(block) {
  const lines = block.querySelector("code").textContent.trimEnd().split("\n").length;
  return `Code, ${lines === 1 ? "1 line" : `${lines} lines`}.\n`;
}
