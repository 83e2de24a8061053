// The chat view of `%h2o panel`: it shows what the kernel sends, and sends what is done.
//
// The kernel holds the conversation. A view asks for what comes into sight, so thousands
// of turns cost no more than those that are seen.

import { Composer } from "./composer.js";
import { button, copied, make, put } from "./dom.js";
import { Log } from "./log.js";
import { Notebook } from "./notebook.js";
import { Settings } from "./settings.js";

const WAIT = 1500; // ms without a reply until the view says that it waits
const TWICE = 500; // ms within which a second Delete is of the same double click

export class Chat {
  constructor(model, el) {
    this.model = model;
    this.view = Math.random().toString(36).slice(2, 10);
    this.state = {};
    this.alive = true;
    this.log = new Log(this);
    this.composer = new Composer(this);
    this.threads = make("select", { class: "h2o-threads", "aria-label": "Thread", change: () => this.send("thread", { name: this.threads.value }) });
    this.about = make("span", { class: "h2o-about" });
    this.settings = new Settings(this);
    this.status = make("div", { class: "h2o-status", role: "status", "aria-live": "polite" });
    this.notes = make("div", { class: "h2o-notes" });
    this.toast = make("div", { class: "h2o-toast", hidden: "" });
    this.root = make(
      "section",
      { class: "h2o-chat", "aria-label": "Chat with a language model", keydown: (event) => this.onKey(event) },
      make("header", { class: "h2o-head" }, this.threads, this.about, this.settings.button),
      make("div", { class: "h2o-middle" }, this.log.box, this.log.jump),
      this.notes,
      this.toast,
      this.composer.form,
      this.status,
    );
    el.classList.add("h2o-view");
    el.append(this.root);
    this.onMessage = (message) => this.receive(message);
    this.onComm = () => this.send("ping"); // which fails if the kernel is gone
    model.on("msg:custom", this.onMessage);
    model.on("comm_live_update", this.onComm);
    this.notebook = new Notebook(this);
    this.send("open", { keeps: Boolean(this.notebook.context?.saveState) });
  }

  end() {
    clearTimeout(this.waiting);
    if (this.composer.timer) this.composer.keep();
    this.model.off("msg:custom", this.onMessage);
    this.model.off("comm_live_update", this.onComm);
    this.notebook.end();
    this.settings.end();
    this.log.end();
  }

  onKey(event) {
    // Keys without Control are no shortcuts of the notebook here.
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
    if (event.key !== "Escape" || event.target === this.composer.area) return;
    if (!this.settings.close() && this.busy) this.send("stop");
  }

  send(what, more = {}) {
    clearTimeout(this.waiting);
    try {
      this.model.send({ do: what, view: this.view, ...more });
    } catch {
      this.lost();
      return;
    }
    this.waiting = setTimeout(() => this.unanswered(), WAIT);
  }

  /** In a tab of its own the panel fills the tab. */
  fit() {
    const tab = this.root.closest(".jp-LinkedOutputView");
    if (!tab) return;
    if (!this.docked) this.log.size.observe(tab);
    this.docked = true;
    this.root.style.height = `${Math.max(300, tab.clientHeight - 24)}px`;
  }

  unanswered() {
    if (this.answered) this.say("Waiting for the kernel: it is busy.");
    else this.say("Waiting for the kernel. Where there is none, the conversation stands below.");
  }

  /** The kernel that held the conversation is gone. */
  lost() {
    this.alive = false;
    this.root.classList.add("h2o-lost");
    this.root.classList.remove("h2o-alive");
    this.state = { ...this.state, running: [], waiting: [] };
    this.log.stopped();
    this.toast.hidden = true;
    this.composer.area.placeholder = "Run this cell again to go on: the conversation is kept.";
    this.composer.refresh();
    this.say("The kernel was restarted. Run this cell again to go on: the conversation is kept.");
  }

  /** Whether there is something to stop. */
  get busy() {
    return Boolean(this.state.running?.length || this.state.waiting?.length);
  }

  /** Say something; `heard` is not to be seen, since the page shows it anyway. */
  say(text, heard = false) {
    this.status.textContent = text;
    this.status.classList.toggle("h2o-heard", heard);
  }

  receive(message) {
    if (message.to && message.to !== this.view) return;
    this.answered = true;
    this.root.classList.toggle("h2o-alive", this.alive);
    this[`on_${message.is}`]?.(message);
  }

  on_state({ state }) {
    const before = this.state;
    this.state = state;
    this.threads.replaceChildren(...state.threads.map((name) => make("option", { value: name }, name)));
    this.threads.value = state.thread;
    this.about.textContent = state.about;
    this.about.title = state.server;
    this.settings.follow(state.controls);
    this.log.queue(state.waiting);
    if (state.undoable !== this.dropped) this.toast.hidden = true;
    this.composer.refresh();
    if (before.running?.length && !state.running.length) this.say("The answer has ended.", true);
    else if (!before.running?.length && state.running.length) this.say("An answer is being written.", true);
  }

  on_thread({ ids, rows, draft, stale, refresh, welcome }) {
    this.ordered = true;
    if (welcome) put(this.log.empty, welcome);
    if (!stale) this.log.stuck = true;
    this.log.order(ids, refresh);
    for (const row of rows) this.log.show(row);
    if (draft != null && !this.composer.typed) this.composer.set(draft);
    if (this.log.stuck) this.log.toEnd();
  }

  /** Take a turn that begins after all others; with it there are `count`. */
  on_began({ id, after, count, rows }) {
    if (!this.ordered) return; // the order is on its way
    if (!this.log.append(id, after, count)) {
      this.ordered = false;
      this.send("order");
      return;
    }
    for (const row of rows) this.log.show(row);
    if (this.log.stuck) this.log.toEnd();
  }

  on_rows({ rows }) {
    for (const row of rows) this.log.show(row);
  }

  on_grew(message) {
    this.log.grow(message);
  }

  on_draft({ text, from }) {
    if (from === this.view) this.composer.typed = Boolean(this.composer.timer);
    else if (!this.composer.editing && document.activeElement !== this.composer.area) this.composer.set(text);
  }

  on_complete(message) {
    this.composer.offers.show(message);
  }

  on_refused({ text, question, id }) {
    this.composer.refused(question, id);
    clearTimeout(this.waiting); // else it would say in this place that it waits
    this.say(text);
    this.root.classList.add("h2o-refused");
    setTimeout(() => this.root.classList.remove("h2o-refused"), 4000);
  }

  on_note({ title, html, error }) {
    const body = make("div", { class: "h2o-md", tabindex: "0" });
    put(body, html);
    const close = button("close", "Close", () => { this.notes.replaceChildren(); this.composer.area.focus(); });
    this.notes.replaceChildren(
      make("div", { class: `h2o-note${error ? " h2o-error" : ""}`, role: "group", "aria-label": title }, make("div", { class: "h2o-note-head" }, title, close), body),
    );
    if (error) this.say(body.textContent);
  }

  on_undoable({ id, text }) {
    clearTimeout(this.toasting);
    this.dropped = id;
    const back = make("button", { type: "button", class: "h2o-text-button", click: () => this.undo(id) }, "Undo");
    this.toast.replaceChildren(make("span", {}, text), back);
    this.toast.hidden = false;
    this.say(text, true);
    this.toasting = setTimeout(() => { this.toast.hidden = true; }, 12000);
  }

  undo(id) {
    this.toast.hidden = true;
    this.removed = null; // what comes back may be deleted at once
    this.send("undo", { id });
  }

  on_transcript({ markdown }) {
    this.notebook.keep(markdown);
  }

  on_said({ text }) {
    this.say(text);
  }

  /** What was sent last has been taken: other messages come while the kernel is busy, too. */
  on_taken() {
    clearTimeout(this.waiting);
    if (this.status.textContent.startsWith("Waiting for the kernel")) this.say("");
  }

  edit(turn) {
    this.composer.edit(turn);
  }

  /** Delete a turn; a double click's second one would meet the next turn's button. */
  remove(id) {
    const now = performance.now();
    if (now - (this.removed ?? -TWICE) < TWICE) return;
    this.removed = now;
    this.send("drop", { id });
  }

  async copy(text, what) {
    this.say((await copied(text)) ? `Copied the ${what}.` : `The browser does not let a page copy: select the ${what} and press Ctrl+C.`);
  }

}
