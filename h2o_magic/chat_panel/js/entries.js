import { button, make, onEscape, setHtml, textButton } from "./dom.js";

const FOLDED = 300; // px of a long entry that are seen at once

/**
 * What commands and previews show: entries among the turns, in the order in which they
 * came. They are no part of the conversation, and go with its thread.
 */
export class Entries {
  constructor(chat) {
    this.chat = chat;
    this.first = make("div", { class: "h2o-list h2o-first" }); // those before the first turn
  }

  on_note({ title, html, thread, at }) {
    for (const shown of this.all) if (shown.getAttribute("aria-label") === title) this.remove(shown);
    const body = make("div", { class: "h2o-md h2o-entry-body", tabindex: "0" });
    setHtml(body, html);
    const entry = make("div", { class: "h2o-entry", role: "group", "aria-label": title, "data-thread": thread, keydown: onEscape(() => this.leave(entry)) });
    const close = button("close", `Close ${title} (Esc)`, () => this.leave(entry));
    entry.append(make("div", { class: "h2o-entry-head" }, make("span", {}, title), close), body);
    this.add([entry]);
    this.fold(entry, body);
    if (at) this.scrollTo(body, at);
    this.chat.log.scroll.follow();
    this.chat.setStatus(`${title} is shown at the end of the conversation.`, true);
  }

  /** The thread is another: what was shown belongs to the one before. */
  on_thread({ name }) {
    for (const entry of this.all) if (entry.dataset.thread !== name) this.remove(entry);
  }

  get all() {
    const { turns } = this.chat.log;
    return [...this.first.children, ...[...turns.values()].flatMap((turn) => turn.entries ?? [])];
  }

  /** Put entries after the last turn. */
  add(entries) {
    const { last } = this.chat.log;
    if (!last) return this.first.append(...entries);
    last.entries = [...(last.entries ?? []), ...entries];
    this.place(last);
  }

  /** Put a turn's entries after its article, if that is there. */
  place({ article, entries = [] }) {
    let before = article;
    for (const entry of article ? entries : []) {
      if (before.nextSibling !== entry) before.after(entry); // what moves loses the focus
      before = entry;
    }
  }

  /** A turn is gone: its entries stay. */
  adopt({ entries = [] }) {
    if (entries.length) this.add(entries);
  }

  remove(entry) {
    for (const turn of this.chat.log.turns.values()) {
      if (turn.entries) turn.entries = turn.entries.filter((other) => other !== entry);
    }
    entry.remove();
  }

  leave(entry) {
    this.remove(entry);
    this.chat.composer.area.focus();
  }

  fold(entry, body) {
    if (body.scrollHeight <= 1.3 * FOLDED) return;
    body.style.maxHeight = `${FOLDED}px`;
    const more = textButton("Show all", () => toggle(), { class: "h2o-text-button h2o-more", "aria-expanded": "false" });
    const toggle = () => {
      const all = Boolean(body.style.maxHeight);
      body.style.maxHeight = all ? "" : `${FOLDED}px`;
      more.textContent = all ? "Show less" : "Show all";
      more.setAttribute("aria-expanded", String(all));
    };
    entry.append(more);
  }

  /** Begin with the last heading that has this text. */
  scrollTo(body, text) {
    const heading = [...body.querySelectorAll("p > strong")].findLast((strong) => strong.textContent === text);
    if (heading) body.scrollTop = heading.getBoundingClientRect().top - body.getBoundingClientRect().top - 6;
  }
}
