import { button, make } from "./dom.js";
import { Offers } from "./offers.js";

/** Where questions are written. */
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
      blur: () => this.offers.close(),
    });
    this.offers = new Offers(this);
    this.area.setAttribute("aria-controls", this.offers.list.id);
    this.banner = make("div", { class: "h2o-banner", hidden: "" });
    this.stop = button("stop", "Stop the answer (Esc)", () => chat.send("stop"), { class: "h2o-round h2o-stop", hidden: "" });
    this.go = button("send", "Send (Enter)", () => this.send(), { class: "h2o-round", disabled: "" });
    this.preview = button("eye", "Preview what is sent", () => this.previewed(), { hidden: "" });
    const hint = make(
      "span",
      { class: "h2o-hint" },
      make("kbd", {}, "/"), " commands  ", make("kbd", {}, "{name}"), " a variable's value",
    );
    this.form = make(
      "div",
      { class: "h2o-composer" },
      this.offers.list,
      this.banner,
      make("div", { class: "h2o-field" }, this.area, make("div", { class: "h2o-tools" }, hint, this.preview, this.stop, this.go)),
    );
  }

  set(text) {
    this.area.value = text;
    this.onInput(false);
  }

  onInput(told = true) {
    this.area.style.height = "auto";
    this.area.style.height = `${this.area.scrollHeight + 2}px`;
    this.refresh();
    if (!told) return;
    this.typed = true; // and the kernel does not know yet
    this.offers.ask();
    clearTimeout(this.timer);
    if (!this.editing) this.timer = setTimeout(() => this.keep(), 400);
  }

  keep() {
    clearTimeout(this.timer);
    this.timer = null;
    this.chat.send("draft", { text: this.area.value });
  }

  refresh() {
    const empty = !this.area.value.trim();
    this.go.disabled = empty || !this.chat.alive;
    this.preview.hidden = empty || this.area.value.startsWith("/");
    this.stop.hidden = !this.chat.busy;
    this.area.disabled = !this.chat.alive;
  }

  onKey(event) {
    if (event.isComposing) return;
    if (this.offers.takesKey(event)) event.preventDefault();
    else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.send();
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (this.editing) this.leave();
      else if (this.chat.busy) this.chat.send("stop");
      else this.chat.settings.close();
    } else if (event.key === "ArrowUp" && !this.area.value) {
      const { last } = this.chat.log;
      if (last?.row && !last.row.live) {
        event.preventDefault();
        this.edit(last);
      }
    }
  }

  edit(turn) {
    this.draft = this.editing ? this.draft : this.area.value;
    this.editing = turn.row;
    this.banner.replaceChildren(
      make("span", {}, `Editing turn ${turn.row.n}. The earlier version is kept.`),
      button("close", "Do not edit (Esc)", () => this.leave()),
    );
    this.banner.hidden = false;
    this.set(turn.row.question);
    this.area.focus();
    this.area.setSelectionRange(this.area.value.length, this.area.value.length);
  }

  leave() {
    this.editing = null;
    this.banner.hidden = true;
    this.set(this.draft ?? "");
    this.draft = "";
    this.area.focus();
  }

  send() {
    const text = this.area.value;
    if (!text.trim() || !this.chat.alive) return;
    this.offers.close();
    clearTimeout(this.timer);
    this.timer = null;
    this.sent = text;
    const edited = this.editing?.id;
    if (this.editing) this.leave();
    else this.set("");
    this.chat.say("");
    this.chat.log.toEnd();
    this.chat.send("ask", { text, ...(edited ? { id: edited } : {}) });
  }

  previewed() {
    const id = this.editing?.id;
    this.chat.send("preview", { text: this.area.value, ...(id ? { id } : {}) });
  }

  /** Take a question back that was refused, and go on editing if it was an edit. */
  refused(text, id) {
    if (this.area.value || !text) return;
    const turn = this.chat.log.turns.get(id);
    if (turn?.row) this.edit(turn);
    this.set(text);
  }
}
