import { button, make } from "./dom.js";
import { Completions } from "./completions.js";

/** The field for questions, and its buttons. */
export class Composer {
  constructor(chat) {
    this.chat = chat;
    this.editing = null;
    this.area = make("textarea", {
      rows: "1",
      "aria-label": "Message",
      "aria-autocomplete": "list",
      placeholder: "Ask a question",
      spellcheck: "true",
      input: () => this.onInput(),
      keydown: (event) => this.onKey(event),
      blur: () => this.completions.close(),
    });
    this.completions = new Completions(this);
    this.area.setAttribute("aria-controls", this.completions.list.id);
    this.banner = make("div", { class: "h2o-banner", hidden: "" });
    this.stop = button("stop", "Stop the answer (Esc)", () => chat.send("stop"), { class: "h2o-round h2o-stop", hidden: "" });
    this.sendButton = button("send", "Send (Enter)", () => this.send(), { class: "h2o-round", disabled: "" });
    this.preview = button("eye", "Preview what would be sent", () => this.requestPreview(), { hidden: "" });
    const hint = make(
      "span",
      { class: "h2o-hint" },
      make("kbd", {}, "/"), " commands  ", make("kbd", {}, "{name}"), " a variable's value",
    );
    this.form = make(
      "div",
      { class: "h2o-composer" },
      this.completions.list,
      this.banner,
      make("div", { class: "h2o-field" }, this.area, make("div", { class: "h2o-tools" }, hint, this.preview, this.stop, this.sendButton)),
    );
  }

  set(text) {
    this.area.value = text;
    this.onInput(false);
  }

  onInput(byUser = true) {
    this.area.style.height = "auto";
    this.area.style.height = `${this.area.scrollHeight + 2}px`;
    this.refresh();
    if (!byUser) return;
    this.unsaved = true;
    this.completions.request();
    clearTimeout(this.timer);
    if (!this.editing) this.timer = setTimeout(() => this.saveDraft(), 400);
  }

  saveDraft() {
    clearTimeout(this.timer);
    this.timer = null;
    this.chat.send("draft", { text: this.area.value });
  }

  refresh() {
    const empty = !this.area.value.trim();
    this.sendButton.disabled = empty || !this.chat.alive;
    this.preview.hidden = empty || this.area.value.startsWith("/");
    this.stop.hidden = !this.chat.busy;
    this.area.disabled = !this.chat.alive;
  }

  onKey(event) {
    if (event.isComposing) return;
    if (this.completions.handleKey(event)) event.preventDefault();
    else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.send();
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (this.editing) this.stopEditing();
      else if (this.chat.busy) this.chat.send("stop");
      else this.chat.settings.hide();
    } else if (event.key === "ArrowUp" && !this.area.value) {
      const { last } = this.chat.log;
      if (last?.row && !last.row.running) {
        event.preventDefault();
        this.edit(last);
      }
    }
  }

  edit(turn) {
    this.draft = this.editing ? this.draft : this.area.value;
    this.editing = turn.row;
    this.banner.replaceChildren(
      make("span", {}, `Editing turn ${turn.row.number}. The earlier version is kept.`),
      button("close", "Cancel editing (Esc)", () => this.stopEditing()),
    );
    this.banner.hidden = false;
    this.set(turn.row.question);
    this.area.focus();
    this.area.setSelectionRange(this.area.value.length, this.area.value.length);
  }

  stopEditing() {
    this.editing = null;
    this.banner.hidden = true;
    this.set(this.draft ?? "");
    this.draft = "";
    this.area.focus();
  }

  send() {
    const text = this.area.value;
    if (!text.trim() || !this.chat.alive) return;
    this.completions.close();
    clearTimeout(this.timer);
    this.timer = null;
    const { edited } = this;
    if (this.editing) this.stopEditing();
    else this.set("");
    this.chat.setStatus("");
    this.chat.log.scrollToEnd();
    this.chat.send("ask", { text, ...edited });
  }

  requestPreview() {
    this.chat.send("preview", { text: this.area.value, ...this.edited });
  }

  /** Which turn is being edited, as a message names it. */
  get edited() {
    return this.editing ? { id: this.editing.id } : {};
  }

  /** Put a question that failed back, and resume editing if it was an edit. */
  restore(text, id) {
    if (this.area.value || !text) return;
    const turn = this.chat.log.turns.get(id);
    if (turn?.row) this.edit(turn);
    this.set(text);
  }
}
