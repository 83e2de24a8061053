import { button, make } from "./dom.js";
import { editInPlace } from "./in_place.js";
import { History } from "./history.js";

const SECOND_CLICK = 220; // ms in which a second click renames the chat

/** Which chat is shown, in the head: its title, a new one, and the history of all. */
export class Threads {
  constructor(chat) {
    this.chat = chat;
    this.title = make("button", {
      type: "button",
      class: "h2o-title",
      "aria-haspopup": "dialog",
      "aria-keyshortcuts": "F2",
      click: (event) => this.onClick(event),
      dblclick: () => this.rename(),
      keydown: (event) => { if (event.key === "F2") this.rename(); },
    });
    this.create = button("add", "New chat", () => this.open("new_thread"));
    this.opener = button("history", "History", () => {});
    this.box = make("div", { class: "h2o-threads" }, this.title, this.create, this.opener);
    this.history = new History(chat, this);
  }

  on_state({ state: { thread, title } }) {
    this.title.textContent = title;
    this.title.title = `${title}\nThread ${thread}. Double-click or F2 to rename.`;
  }

  /** Editing ends with the chat that the turn is in, whose draft the edit becomes. */
  on_thread({ name }) {
    const { composer } = this.chat;
    if (composer.editing && name !== this.shown) {
      this.chat.send("draft", { text: composer.unsent, thread: this.shown });
      composer.stopEditing();
      if (this.history.popover.isOpen) this.history.search.focus();
    }
    this.shown = name;
  }

  close() {
    clearTimeout(this.clicked);
  }

  on_lost() {
    this.close();
    for (const each of [this.title, this.create, this.opener]) each.disabled = true;
  }

  /** A click opens the history, unless it is the first of two. */
  onClick({ detail }) {
    clearTimeout(this.clicked);
    const { popover } = this.history;
    const toggle = () => (popover.isOpen ? popover.close() : popover.open());
    if (!detail) toggle(); // by a key
    else if (detail === 1) this.clicked = setTimeout(toggle, SECOND_CLICK);
  }

  rename() {
    clearTimeout(this.clicked);
    const { thread, title } = this.chat.state;
    editInPlace(this.title, {
      label: "Title of the chat",
      text: title,
      save: (text) => this.saveTitle(thread, text),
      ended: (byKey) => { if (byKey) this.title.focus(); },
    });
  }

  saveTitle(name, title) {
    this.chat.send("rename", { name, title });
    this.history.request();
  }

  /** Show another chat, to ask in it. */
  open(type, parts) {
    this.history.popover.close(false);
    this.go(type, parts);
    this.chat.composer.area.focus();
  }

  /** Show another chat; what is typed stays with the one that it was typed in. */
  go(type, parts) {
    this.chat.composer.draft.keep();
    this.chat.setStatus("");
    this.chat.send(type, parts);
  }
}
