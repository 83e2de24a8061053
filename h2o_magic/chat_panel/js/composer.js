import { Attachments, upload } from "./attachments.js";
import { Checks } from "./checks.js";
import { Completions } from "./completions.js";
import { button, fitHeight, make } from "./dom.js";
import { Draft } from "./draft.js";
import { Plus } from "./plus.js";
import { RoundButton } from "./round.js";
import { Clock } from "./waiting.js";

/** The field for questions, and its buttons. */
export class Composer {
  constructor(chat) {
    this.chat = chat;
    this.editing = null;
    this.number = 0; // of the last question
    this.delivery = Promise.resolve(); // what is sent goes after what was sent before
    this.area = make("textarea", {
      rows: "1",
      "aria-label": "Message",
      "aria-autocomplete": "list",
      placeholder: "Ask a question",
      spellcheck: "true",
      input: (event) => this.onInput(!event.isComposing),
      compositionend: () => this.onInput(),
      keydown: (event) => this.onKey(event),
      blur: () => this.completions.close(),
      paste: (event) => { if (this.attachments.take(event.clipboardData)) event.preventDefault(); },
    });
    this.attachments = new Attachments(this);
    this.completions = new Completions(this);
    this.checks = new Checks(this);
    this.draft = new Draft(this);
    this.plus = new Plus(this);
    this.area.setAttribute("aria-controls", this.completions.list.id);
    this.banner = make("div", { class: "h2o-banner", hidden: "" });
    this.round = new RoundButton(this);
    this.clock = new Clock();
    this.preview = button("eye", "Preview what would be sent", () => this.requestPreview(), { hidden: "" });
    const wide = (text) => make("span", { class: "h2o-wide" }, text);
    const hint = make(
      "span",
      { class: "h2o-hint" },
      make("kbd", {}, "/"), wide(" commands  "), make("span", { class: "h2o-narrow" }, " · "), make("kbd", {}, "{name}"), wide(" a variable's value"),
    );
    const full = make("span", { class: "h2o-hint h2o-full" }, "Earlier turns will be left out");
    const { attachments } = this;
    this.form = make(
      "div",
      { class: "h2o-composer" },
      this.completions.list,
      this.banner,
      make(
        "div",
        { class: "h2o-field" },
        attachments.list,
        this.area,
        make("div", { class: "h2o-tools" }, this.plus.button, attachments.picker, hint, full, this.checks.counter, this.preview, this.clock.box, this.round.element),
      ),
    );
    this.sizes = new ResizeObserver(() => this.onResize());
    this.sizes.observe(this.area);
  }

  close() {
    this.sizes.disconnect();
    this.checks.close();
  }

  get isEmpty() {
    return !(this.area.value.trim() || this.attachments.items.length || this.editing);
  }

  /** What is typed as a draft, with what was changed in an edit below the draft before it. */
  get unsent() {
    const { value } = this.area;
    if (!this.editing) return value;
    const changed = value === this.editing.question ? "" : value;
    return [this.before[0], changed].filter((text) => text.trim()).join("\n\n");
  }

  set(text) {
    this.area.value = text;
    this.onInput(false);
  }

  /** Write a text in place of the message, so that Ctrl+Z takes it back. */
  fill(text) {
    this.area.focus();
    this.area.select();
    this.insert(text);
  }

  /** Write a text at the cursor, as if it were typed. */
  insert(text) {
    this.area.focus();
    if (!document.execCommand("insertText", false, text)) {
      this.area.setRangeText(text, this.area.selectionStart, this.area.selectionEnd, "end");
      this.onInput();
    }
  }

  /** Begin a name at the cursor, and offer what fits; say `nothing` if that is nothing. */
  offer(sign, nothing) {
    const before = this.area.value.slice(0, this.area.selectionStart);
    this.insert(/\S$/.test(before) ? ` ${sign}` : sign);
    this.completions.request(nothing);
  }

  onResize() {
    const { offsetWidth } = this.area;
    if (offsetWidth !== this.width) fitHeight(this.area); // its height is set here
    this.width = offsetWidth;
  }

  onInput(byUser = true) {
    fitHeight(this.area);
    this.refresh();
    this.checks.request();
    if (!byUser) return;
    this.completions.request();
    this.draft.touch();
  }

  /** A command was run, which takes no files. */
  on_unsent({ n }) {
    this.attachments.restore(n);
  }

  refresh() {
    const empty = !this.area.value.trim();
    this.round.refresh();
    this.plus.button.disabled = !this.chat.alive;
    this.preview.hidden = empty || this.area.value.startsWith("/");
    this.area.disabled = !this.chat.alive;
  }

  onKey(event) {
    if (event.isComposing || event.keyCode === 229) return; // an input method takes it
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
    this.draft.keep(); // or the turn would be saved in its place
    if (!this.editing) this.before = [this.area.value, this.attachments.items];
    this.editing = turn.row;
    this.banner.replaceChildren(
      make("span", {}, `Editing turn ${turn.row.number}. The earlier version is kept.`),
      button("close", "Cancel editing (Esc)", () => this.stopEditing()),
    );
    this.banner.hidden = false;
    this.markEdited(turn.article);
    this.set(turn.row.question);
    this.attachments.set([...turn.row.images, ...turn.row.files].filter(({ attached }) => attached));
    this.area.focus();
    this.area.setSelectionRange(this.area.value.length, this.area.value.length);
  }

  /** Show which question is edited. */
  markEdited(article) {
    this.edited?.classList.remove("h2o-editing");
    this.edited = article;
    article?.classList.add("h2o-editing");
    article?.querySelector(".h2o-question")?.scrollIntoView({ block: "nearest" });
  }

  stopEditing() {
    this.editing = null;
    this.markEdited(null);
    this.banner.hidden = true;
    const [text, items] = this.before;
    this.set(text);
    this.attachments.set(items);
    this.area.focus();
  }

  send() {
    if (!this.chat.alive) return;
    if (!this.area.value.trim()) {
      if (this.attachments.items.length) this.chat.refuse("Type a question about the attached files.");
      return;
    }
    this.completions.close();
    this.draft.cancel();
    this.number += 1;
    this.attachments.remember(this.number);
    this.deliver("ask", { ...this.question, n: this.number });
    if (this.editing) this.stopEditing();
    else {
      this.set("");
      this.attachments.set([]);
    }
    this.chat.setStatus("");
    this.chat.log.scroll.toEnd();
  }

  requestPreview() {
    this.deliver("preview", this.question);
  }

  /** What a message says of the question: of an edited turn, also which it is. */
  get question() {
    const text = this.area.value;
    return this.editing ? { text, id: this.editing.id, ...this.attachments.kept } : { text };
  }

  /** Send a message after the files that it names. */
  deliver(type, message, { files } = this.attachments) {
    this.delivery = this.delivery.then(async () => {
      try {
        this.chat.send(type, { ...message, files: await upload(this.chat, files) });
      } catch (error) {
        this.restore(message.text, message.id, message.n);
        this.chat.refuse(error.message);
      }
    });
  }

  /** Put a question that failed back, and resume editing if it was an edit. */
  restore(text, id, number) {
    if (this.area.value || !text) return;
    const turn = this.chat.log.turns.get(id);
    if (turn?.row) {
      this.edit(turn);
      this.attachments.set([]);
    }
    this.set(text);
    this.attachments.restore(number);
  }
}
