// The chat view of `%h2o panel`: it shows what the kernel sends, and sends what users do.
//
// The kernel holds the conversation. A view requests only the turns that become visible,
// so that thousands of turns cost no more than a few.

import { Composer } from "./composer.js";
import { button, copyText, make, setHtml } from "./dom.js";
import { Log } from "./log.js";
import { Notebook } from "./notebook.js";
import { Settings } from "./settings.js";

const WAIT = 1500; // ms without a reply until the view says that it is waiting
const DOUBLE_CLICK = 500; // ms within which a second Delete is ignored

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
    const { attachments } = this.composer;
    this.notes = make("div", { class: "h2o-notes" });
    this.toast = make("div", { class: "h2o-toast", hidden: "" });
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
      make("header", { class: "h2o-head" }, this.threads, this.about, this.settings.button),
      make("div", { class: "h2o-middle" }, this.log.box, this.log.jump),
      this.notes,
      this.toast,
      this.composer.form,
      make("div", { class: "h2o-under" }, this.composer.notes, this.status),
    );
    el.classList.add("h2o-view");
    el.append(this.root);
    this.onMessage = (message) => this.receive(message);
    this.onComm = () => this.send("ping"); // fails if the kernel is gone
    model.on("msg:custom", this.onMessage);
    model.on("comm_live_update", this.onComm);
    this.notebook = new Notebook(this);
    this.send("open", { saves: Boolean(this.notebook.context?.saveState) });
  }

  close() {
    clearTimeout(this.waiting);
    if (this.composer.timer) this.composer.saveDraft();
    this.model.off("msg:custom", this.onMessage);
    this.model.off("comm_live_update", this.onComm);
    this.notebook.close();
    this.settings.close();
    this.log.close();
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
    this.log.stop();
    this.toast.hidden = true;
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
    this[`on_${message.type}`]?.(message);
  }

  on_state({ state }) {
    const before = this.state;
    this.state = state;
    this.threads.replaceChildren(...state.threads.map((name) => make("option", { value: name }, name)));
    this.threads.value = state.thread;
    this.about.textContent = state.about;
    this.about.title = state.about;
    this.settings.update(state.controls);
    this.log.showQueue(state.queued);
    if (state.undoable !== this.deleted) this.toast.hidden = true;
    this.composer.refresh();
    if (before.running?.length && !state.running.length) this.setStatus("The answer has ended.", true);
    else if (!before.running?.length && state.running.length) this.setStatus("An answer is being written.", true);
  }

  on_thread({ ids, rows, draft, welcome }) {
    setHtml(this.log.empty, welcome);
    this.log.following = true;
    this.on_order({ ids, rows });
    if (!this.composer.unsaved) this.composer.set(draft);
  }

  on_order({ ids, rows, refresh }) {
    this.ordered = true;
    this.log.setOrder(ids, refresh);
    this.log.show(rows);
    this.log.follow();
  }

  /** Append a turn that has started; `count` includes it. */
  on_started({ id, after, count, rows }) {
    if (!this.ordered) return; // the order was requested
    if (!this.log.append(id, after, count)) {
      this.ordered = false;
      this.send("order");
      return;
    }
    this.log.show(rows);
    this.log.follow();
  }

  on_rows({ rows }) {
    this.log.show(rows);
  }

  on_delta(message) {
    this.log.applyDelta(message);
  }

  on_draft({ text, source }) {
    if (source === this.view) this.composer.unsaved = Boolean(this.composer.timer);
    else if (!this.composer.editing && document.activeElement !== this.composer.area) this.composer.set(text);
  }

  on_completions(message) {
    this.composer.completions.show(message);
  }

  on_checked(message) {
    if (!this.root.classList.contains("h2o-refused")) this.composer.onChecked(message);
  }

  /** A command was run, which takes no files. */
  on_unsent({ n }) {
    this.composer.attachments.restore(n);
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

  on_note({ title, html }) {
    const body = make("div", { class: "h2o-md", tabindex: "0" });
    setHtml(body, html);
    const close = button("close", "Close", () => { this.notes.replaceChildren(); this.composer.area.focus(); });
    this.notes.replaceChildren(
      make("div", { class: "h2o-note", role: "group", "aria-label": title }, make("div", { class: "h2o-note-head" }, title, close), body),
    );
  }

  on_deleted({ id, text }) {
    clearTimeout(this.toasting);
    this.deleted = id;
    const undo = make("button", { type: "button", class: "h2o-text-button", click: () => this.undo(id) }, "Undo");
    this.toast.replaceChildren(make("span", {}, text), undo);
    this.toast.hidden = false;
    this.setStatus(text, true);
    this.toasting = setTimeout(() => { this.toast.hidden = true; }, 12000);
  }

  undo(id) {
    this.toast.hidden = true;
    this.deletedAt = null; // a restored turn may be deleted again at once
    this.send("undo", { id });
  }

  on_transcript({ markdown }) {
    this.notebook.setTranscript(markdown);
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
