const SAVED_AFTER = 400; // ms without a key

/** Keeps the kernel's draft of a thread as what is typed, and what is typed as the draft. */
export class Draft {
  constructor(composer) {
    this.composer = composer;
    this.unsaved = false; // until the kernel has what was typed
  }

  /** The user has typed something. */
  touch() {
    if (this.composer.editing) return; // the draft is what was typed before
    this.unsaved = true;
    this.cancel();
    this.timer = setTimeout(() => this.save(), SAVED_AFTER);
  }

  /** Save at once what is still to be saved. */
  keep() {
    if (this.timer) this.save();
  }

  cancel() {
    clearTimeout(this.timer);
    this.timer = null;
  }

  save() {
    this.cancel();
    this.composer.chat.send("draft", { text: this.composer.area.value });
  }

  on_thread({ draft }) {
    if (!this.unsaved && !this.composer.editing) this.composer.set(draft);
  }

  on_draft({ text, source }) {
    const { composer } = this;
    if (source === composer.chat.view) this.unsaved = Boolean(this.timer);
    else if (!composer.editing && document.activeElement !== composer.area) composer.set(text);
  }

  close() {
    this.cancel();
  }
}
