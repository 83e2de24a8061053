const handed = new Map(); // by kernels: what the next view takes over

/** What is typed and not sent, when the view ends, or the kernel. */
export class Typed {
  constructor(chat) {
    this.chat = chat;
    this.drafts = {}; // of all threads, by names
  }

  /** Where the page keeps it for the next kernel; nowhere without the notebook's path. */
  get place() {
    const path = this.chat.notebook.context?.path;
    return path && `h2o-magic:typed:${path}`;
  }

  /** Give what is kept to the kernel, which takes it unless it was running then. */
  give() {
    const kept = this.place && sessionStorage.getItem(this.place);
    if (kept) this.chat.send("recover", JSON.parse(kept));
  }

  keep() {
    const { composer, queue, threads: { shown } } = this.chat;
    if (!this.kernel || !this.chat.alive || !this.place) return;
    const drafts = { ...this.drafts, [shown]: composer.unsent };
    const kept = { kernel: this.kernel, thread: shown, drafts, queued: queue.texts };
    sessionStorage.setItem(this.place, JSON.stringify(kept));
  }

  on_thread({ kernel, drafts }) {
    this.drafts = drafts;
    if (this.kernel) return;
    this.kernel = kernel;
    if (this.place) sessionStorage.removeItem(this.place);
    this.takeOver(handed.get(kernel));
    handed.delete(kernel);
  }

  on_drafts({ drafts }) {
    this.drafts = drafts;
  }

  on_thread_removed({ name }) {
    delete this.drafts[name];
  }

  /** Hand to the next view what the kernel has not: files, and the edit of a turn. */
  close() {
    const { composer, alive, threads } = this.chat;
    const { editing, before, attachments: { items } } = composer;
    if (!this.kernel || !alive || !(editing || items.length)) return;
    handed.set(this.kernel, { thread: threads.shown, editing, before, items, text: composer.area.value, unsent: composer.unsent });
  }

  takeOver(left) {
    if (!left) return;
    const { composer, log, threads } = this.chat;
    const { thread, editing, before, items, text, unsent } = left;
    composer.attachments.set(editing ? before[1] : items);
    if (!editing) return;
    const turn = thread === threads.shown && log.turns.get(editing.id);
    if (!turn) return this.chat.send("draft", { text: unsent, thread });
    composer.edit({ article: turn.article, row: editing });
    composer.set(text);
    composer.attachments.set(items);
  }
}
