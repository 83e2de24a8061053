// The chat view of `%h2o panel`: it shows what the kernel sends, and sends what users do.
//
// The kernel holds the conversation. A view requests only the turns that become visible,
// so that thousands of turns cost no more than a few.

import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { Copies } from "./copies.js";
import { copyText, make, withCode } from "./dom.js";
import { Entries } from "./entries.js";
import { Fit } from "./fit.js";
import { Log } from "./log.js";
import { Models } from "./models.js";
import { Notebook } from "./notebook.js";
import { Queue } from "./queue.js";
import { Settings } from "./settings.js";
import { Starters } from "./starters.js";
import { Threads } from "./threads.js";
import { Toast } from "./toast.js";
import { Typed } from "./typed.js";

const WAIT = 1500; // ms without a reply until the view says that it is waiting
const REFUSED = 4000; // ms for which it is said why something cannot be done
const DOUBLE_CLICK = 500; // ms within which a second Delete is ignored

export class Chat {
  constructor(model, el) {
    this.model = model;
    this.view = Math.random().toString(36).slice(2, 10);
    this.state = {};
    this.alive = true;
    this.status = make("div", { class: "h2o-status", role: "status", "aria-live": "polite" });
    this.aside = make("div", { class: "h2o-unseen", "aria-live": "polite" });
    this.announcer = new Announcer(this);
    this.toast = new Toast(this);
    this.queue = new Queue(this);
    this.entries = new Entries(this);
    this.starters = new Starters(this);
    this.copies = new Copies(this);
    this.log = new Log(this, [this.queue.list]);
    this.composer = new Composer(this);
    this.threads = new Threads(this);
    this.models = new Models(this);
    this.settings = new Settings(this);
    this.notebook = new Notebook(this);
    this.typed = new Typed(this);
    // Each gets the messages that it has a method for: those of the type X, `on_X`.
    const { composer } = this;
    this.parts = [this, this.threads, this.threads.history, this.models, this.settings, this.queue, this.entries, this.starters, this.log, this.log.reveal, composer, composer.completions, composer.checks, composer.clock, composer.draft, this.typed, this.notebook, this.toast, this.announcer, this.copies];
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
      make("header", { class: "h2o-head" }, this.threads.box, this.models.chip, this.notebook.dock, this.settings.button),
      make("div", { class: "h2o-middle" }, this.log.box, this.log.scroll.jump),
      this.toast.box,
      this.composer.form,
      make("div", { class: "h2o-under" }, composer.checks.notes, this.status, this.aside),
      this.settings.box,
      this.notebook.reconnection,
      this.announcer.box,
    );
    el.append(this.root);
    this.fit = new Fit(this.root);
    this.onMessage = (message) => this.receive(message);
    this.onComm = () => this.send("ping"); // fails if the kernel is gone
    model.on("msg:custom", this.onMessage);
    model.on("comm_live_update", this.onComm);
    this.onHide = () => {
      this.typed.keep();
      this.send("close");
    };
    window.addEventListener("pagehide", this.onHide);
    this.typed.give();
    this.send("open", { saves: Boolean(this.notebook.context?.saveState) });
  }

  close() {
    this.popover?.close(false);
    this.composer.draft.keep();
    this.onHide();
    clearTimeout(this.waiting);
    clearTimeout(this.refusing);
    window.removeEventListener("pagehide", this.onHide);
    this.model.off("msg:custom", this.onMessage);
    this.model.off("comm_live_update", this.onComm);
    this.fit.close();
    for (const part of this.parts) if (part !== this) part.close?.();
  }

  onKey(event) {
    // Keep the notebook's shortcuts from reacting to what is typed here, and undone:
    // JupyterLab has the notebook undo, and watches for that from the key Ctrl on.
    if ((!event.ctrlKey && !event.metaKey) || /^([zy]|Control|Meta)$/i.test(event.key)) event.stopPropagation();
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

  /** Stop a run of a cell; a kernel that hears nothing while cells run is interrupted. */
  stopRun() {
    this.send("stop_run");
    this.stopping = true;
  }

  onNoReply() {
    if (this.stopping && this.busy) {
      this.stopping = false;
      const { kernel } = this.notebook;
      if (kernel) kernel.interrupt();
      else this.setStatus("Interrupt the kernel to stop the run.");
      return;
    }
    if (this.connected) this.setStatus("Waiting for the kernel, which is busy.");
    else this.setStatus("Waiting for the kernel. If none is running, see the saved conversation below.");
  }

  onKernelLost() {
    this.typed.keep();
    this.alive = false;
    this.root.classList.add("h2o-lost");
    this.root.classList.remove("h2o-alive");
    this.state = { ...this.state, running: [], queued: 0 };
    this.popover?.close(false);
    for (const part of this.parts) part.on_lost?.();
    const how = this.notebook.lab ? "The conversation is saved." : "Run this cell again to continue. The conversation is saved.";
    this.composer.area.placeholder = how;
    this.composer.refresh();
    this.setStatus(`The kernel was restarted. ${how}`);
  }

  /** Whether there is something to stop. */
  get busy() {
    return Boolean(this.state.running?.length || this.state.queued);
  }

  /** Show a status; `hidden` is for screen readers only, since the page shows it anyway. */
  setStatus(text, hidden = false) {
    if (text && !hidden) this.composer.checks.show([]);
    (hidden ? this.aside : this.status).replaceChildren(...withCode(text));
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
    if (before.running?.length && !state.running.length) this.setStatus(this.log.last?.row?.problem?.words ?? "The answer has ended.", true);
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
    clearTimeout(this.refusing);
    this.refusing = setTimeout(() => this.root.classList.remove("h2o-refused"), REFUSED);
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
    this.stopping = false;
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
