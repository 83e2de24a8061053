import { button, make, setHtml } from "./dom.js";

/** What commands and the preview show. */
export class Commands {
  constructor(chat) {
    this.chat = chat;
    this.notes = make("div", { class: "h2o-notes" });
  }

  on_note({ title, html }) {
    const body = make("div", { class: "h2o-md", tabindex: "0" });
    setHtml(body, html);
    const close = button("close", "Close", () => { this.notes.replaceChildren(); this.chat.composer.area.focus(); });
    this.notes.replaceChildren(
      make("div", { class: "h2o-note", role: "group", "aria-label": title }, make("div", { class: "h2o-note-head" }, title, close), body),
    );
  }
}
