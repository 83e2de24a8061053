// The chat view of `%h2o panel`: it shows what the kernel sends, and sends what users do.
//
// The kernel holds the conversation. A view requests only the turns that become visible,
// so that thousands of turns cost no more than a few.

import { Announcer } from "./announcer.js";
import { Commands } from "./commands.js";
import { Composer } from "./composer.js";
import { Copies } from "./copies.js";
import { copyText, make } from "./dom.js";
import { Log } from "./log.js";
import { Models } from "./models.js";
import { Notebook } from "./notebook.js";
import { Queue } from "./queue.js";
import { Settings } from "./settings.js";
import { Threads } from "./threads.js";
import { Toast } from "./toast.js";

const WAIT = 1500; // ms without a reply until the view says that it is waiting
const DOUBLE_CLICK = 500; // ms within which a second Delete is ignored

export class Chat {
  constructor(model, el) {
    this.model = model;
    this.view = Math.random().toString(36).slice(2, 10);
    this.state = {};
    this.alive = true;
    this.status = make("div", { class: "h2o-status", role: "status", "aria-live": "polite" });
    this.announcer = new Announcer(this);
    this.toast = new Toast(this);
    this.queue = new Queue(this);
    this.copies = new Copies(this);
    this.log = new Log(this, [this.queue.list]);
    this.composer = new Composer(this);
    this.threads = new Threads(this);
    this.models = new Models(this);
    this.settings = new Settings(this);
    this.commands = new Commands(this);
    this.notebook = new Notebook(this);
    // Each gets the messages that it has a method for: those of the type X, `on_X`.
    const { composer } = this;
    this.parts = [this, this.threads, this.models, this.settings, this.queue, this.log, composer, composer.completions, this.commands, this.notebook, this.toast, this.announcer, this.copies];
    const { attachments } = composer;
    this.root = make(
      "section",
      {
        class: "h2o-chat",
        "aria-label": "Chat with a language model",
        keydown: (event) => this.onKey(event),
        dragover: (event) => this.onDrag(event, true),
        dragleave: (event) => this.onDrag(event, this.root.contains(event.relatedTarget)),
        drop: (event) => { if (this.onDrag(event, false)) attachments.take(event.dataTransfer); },
      },
      make("header", { class: "h2o-head" }, this.threads.select, this.models.about, this.settings.button),
      make("div", { class: "h2o-middle" }, this.log.box, this.log.jump),
      this.commands.notes,
      this.toast.box,
      this.composer.form,
      make("div", { class: "h2o-under" }, this.composer.notes, this.status),
      this.announcer.box,
    );
    el.classList.add("h2o-view");
    el.append(this.root);
    this.onMessage = (message) => this.receive(message);
    this.onComm = () => this.send("ping"); // fails if the kernel is gone
    model.on("msg:custom", this.onMessage);
    model.on("comm_live_update", this.onComm);
    this.send("open", { saves: Boolean(this.notebook.context?.saveState) });
  }

  close() {
    clearTimeout(this.waiting);
    if (this.composer.timer) this.composer.saveDraft();
    this.model.off("msg:custom", this.onMessage);
    this.model.off("comm_live_update", this.onComm);
    for (const part of this.parts) if (part !== this) part.close?.();
  }

  onKey(event) {
    // Keep the notebook's shortcuts from reacting to what is typed here.
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
    if (event.key !== "Escape" || event.target === this.composer.area) return;
    if (!this.settings.hide() && this.busy) this.send("stop");
  }

  /** Show where files are dropped, if that is what is dragged; return whether it is. */
  onDrag(event, over) {
    const isFile = event.dataTransfer.types.includes("Files");
    this.root.classList.toggle("h2o-drop", isFile && over && this.alive);
    if (isFile) {
      event.preventDefault(); // or the browser would open it
      event.stopPropagation();
    }
    return isFile;
  }

  send(type, parts = {}, buffers = []) {
    clearTimeout(this.waiting);
    try {
      this.model.send({ type, view: this.view, ...parts }, undefined, buffers);
    } catch {
      this.onKernelLost();
      return;
    }
    this.waiting = setTimeout(() => this.onNoReply(), WAIT);
  }

  /** Fill the tab if the panel is in one of its own. */
  fit() {
    const tab = this.root.closest(".jp-LinkedOutputView");
    if (!tab) return;
    if (!this.docked) this.log.sizeObserver.observe(tab);
    this.docked = true;
    this.root.style.height = `${Math.max(300, tab.clientHeight - 24)}px`;
  }

  onNoReply() {
    if (this.connected) this.setStatus("Waiting for the kernel, which is busy.");
    else this.setStatus("Waiting for the kernel. If none is running, see the saved conversation below.");
  }

  onKernelLost() {
    this.alive = false;
    this.root.classList.add("h2o-lost");
    this.root.classList.remove("h2o-alive");
    this.state = { ...this.state, running: [], queued: [] };
    this.toast.hide();
    for (const part of this.parts) part.on_lost?.();
    this.composer.area.placeholder = "Run this cell again to continue. The conversation is saved.";
    this.composer.refresh();
    this.setStatus("The kernel was restarted. Run this cell again to continue. The conversation is saved.");
  }

  /** Whether there is something to stop. */
  get busy() {
    return Boolean(this.state.running?.length || this.state.queued?.length);
  }

  /** Show a status; `hidden` is for screen readers only, since the page shows it anyway. */
  setStatus(text, hidden = false) {
    if (text && !hidden) this.composer.showNotes([]);
    this.status.textContent = text;
    this.status.classList.toggle("h2o-unseen", hidden);
  }

  receive(message) {
    if (message.to && message.to !== this.view) return;
    this.connected = true;
    this.root.classList.toggle("h2o-alive", this.alive);
    for (const part of this.parts) part[`on_${message.type}`]?.(message);
  }

  on_state({ state }) {
    const before = this.state;
    this.state = state;
    this.composer.refresh();
    if (before.running?.length && !state.running.length) this.setStatus("The answer has ended.", true);
    else if (!before.running?.length && state.running.length) this.setStatus("An answer is being written.", true);
  }

  on_error({ text, question, id, n }) {
    this.composer.restore(question, id, n);
    clearTimeout(this.waiting); // or its status would replace this one
    this.refuse(text);
  }

  /** Show for some time why something cannot be done. */
  refuse(text) {
    this.setStatus(text);
    this.root.classList.add("h2o-refused");
    setTimeout(() => this.root.classList.remove("h2o-refused"), 4000);
  }

  on_deleted({ id, text }) {
    this.toast.show(text, () => this.undo(id), (state) => state.undoable === id);
  }

  undo(id) {
    this.deletedAt = null; // a restored turn may be deleted again at once
    this.send("undo", { id });
  }

  on_status({ text }) {
    this.setStatus(text);
  }

  /** The kernel has handled the last message. Other messages come while it is busy, too. */
  on_received() {
    clearTimeout(this.waiting);
    if (this.status.textContent.startsWith("Waiting for the kernel")) this.setStatus("");
  }

  edit(turn) {
    this.composer.edit(turn);
  }

  /** Delete a turn; the second click of a double click would delete the next one. */
  deleteTurn(id) {
    const now = performance.now();
    if (now - (this.deletedAt ?? -DOUBLE_CLICK) < DOUBLE_CLICK) return;
    this.deletedAt = now;
    this.send("delete", { id });
  }

  async copy(text, what) {
    if (await copyText(text)) this.setStatus(`Copied the ${what}.`);
    else this.setStatus(`The browser does not allow copying. Select the ${what} and press Ctrl+C.`);
  }
}
