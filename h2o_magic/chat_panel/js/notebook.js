import { button, copyText, make, textButton } from "./dom.js";

const VIEW = "application/vnd.jupyter.widget-view+json";

/**
 * The open notebook, if the front end gives widgets access to it (JupyterLab, Notebook 7).
 * JupyterLab's extension knows more of it: which cell is active.
 */
export class Notebook {
  constructor(chat) {
    this.chat = chat;
    this.onSaveState = (_, state) => this.onSave(state);
    this.context?.saveState?.connect(this.onSaveState);
    this.dock = button("dock", "Dock on the right", () => document.dispatchEvent(new CustomEvent("h2o-magic:dock")), { class: "h2o-button h2o-dock-offer" });
    const reconnect = textButton("Reconnect", () => this.lab.reconnect(this.context));
    this.reconnection = make("div", { class: "h2o-reconnection", hidden: "" }, reconnect);
    this.refresh();
  }

  close() {
    this.context?.saveState?.disconnect(this.onSaveState);
  }

  /** Offer what only the extension can do. */
  refresh() {
    this.dock.hidden = !this.lab;
    this.reconnection.hidden = !this.lab || this.chat.alive;
  }

  on_lost() {
    this.refresh();
  }

  get context() {
    return this.chat.model.widget_manager?.context;
  }

  /** The notebook's kernel, as the front end has it. */
  get kernel() {
    return this.context?.sessionContext?.session?.kernel;
  }

  /** JupyterLab's extension, if it is there. */
  get lab() {
    return this.context && globalThis.h2oMagic;
  }

  /** Set the transcript, which is put into the notebook when that is saved. */
  on_transcript({ markdown }) {
    this.transcript = markdown;
    this.markUnsaved();
  }

  /** Mark the notebook as unsaved unless it holds the transcript. */
  markUnsaved() {
    if (this.transcripts().length) this.context.model.dirty = true;
  }

  /** The outputs below the panel that do not hold the transcript yet, in JupyterLab's models. */
  transcripts() {
    if (!this.transcript) return [];
    const below = this.places.filter(({ outputs, at }) => at + 1 < outputs.length).map(({ outputs, at }) => ({ outputs, at: at + 1 }));
    return below.filter(({ outputs, at }) => outputs.get(at).data["text/markdown"] !== this.transcript);
  }

  onSave(state) {
    // JupyterLab marks the notebook as saved, even if it changed during the save.
    if (state === "completed") this.markUnsaved();
    if (state !== "started") return;
    const data = { "text/markdown": this.transcript, "text/plain": this.transcript };
    for (const { outputs, at } of this.transcripts()) outputs.set(at, { output_type: "display_data", data, metadata: {} });
  }

  /** The outputs that show this panel. */
  get places() {
    const found = [];
    const { model } = this.context ?? {};
    for (let cell = 0; cell < (model?.cells?.length ?? 0); cell += 1) {
      const { outputs } = model.cells.get(cell);
      for (let at = 0; at < (outputs?.length ?? 0); at += 1) {
        if (outputs.get(at).data[VIEW]?.model_id === this.chat.state.root) found.push({ cell, outputs, at });
      }
    }
    return found;
  }

  /** Whether cells can be inserted; else code is copied. */
  get canInsert() {
    return Boolean(this.lab || (this.context?.model?.sharedModel?.insertCell && this.places.length));
  }

  /** Whether a cell can be replaced: in a cell, the chat's own is the active one. */
  get canReplace() {
    return Boolean(this.lab && !this.chat.root.closest(".jp-Notebook"));
  }

  /** Insert code into a new cell below the active one, or above; copy it where that cannot be. */
  async insert(code, { above = false } = {}) {
    if (this.canInsert) {
      if (this.lab) this.lab.insert(this.context, code, above);
      else this.insertAtPanel(code, above);
      this.chat.setStatus(`Inserted a cell ${above ? "above" : "below"}. It was not run.`);
    } else if (await copyText(code)) this.chat.setStatus("Cells cannot be inserted from here. The code was copied to the clipboard.");
    else this.chat.setStatus("Cells cannot be inserted from here. Select the code and press Ctrl+C.");
  }

  insertAtPanel(code, above) {
    const cell = { cell_type: "code", source: code, metadata: { trusted: true } }; // no output yet
    this.context.model.sharedModel.insertCell(this.places[0].cell + (above ? 0 : 1), cell);
  }

  /** Replace the text of the active cell. */
  replace(code) {
    const isDone = this.canReplace && this.lab.replace(this.context, code);
    this.chat.setStatus(isDone ? "Replaced the active cell. It was not run. Undo Cell Operation (Z) takes it back." : "Select the code cell to replace, and try again.");
  }
}
