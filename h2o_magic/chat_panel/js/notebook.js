import { copyText } from "./dom.js";

/** The open notebook, if the front end gives widgets access to it (JupyterLab, Notebook 7). */
export class Notebook {
  constructor(chat) {
    this.chat = chat;
    this.onSaveState = (_, state) => this.onSave(state);
    this.context?.saveState?.connect(this.onSaveState);
  }

  close() {
    this.context?.saveState?.disconnect(this.onSaveState);
  }

  get context() {
    return this.chat.model.widget_manager?.context;
  }

  /** Set the transcript, which is put into the notebook when that is saved. */
  on_transcript({ markdown }) {
    this.transcript = markdown;
    this.markUnsaved();
  }

  /** Mark the notebook as unsaved unless it holds the transcript. */
  markUnsaved() {
    const output = this.transcript && this.transcriptOutput()?.output;
    if (output && output.data["text/markdown"] !== this.transcript) this.context.model.dirty = true;
  }

  /** The output below the panel, in JupyterLab's model of the notebook. */
  transcriptOutput() {
    const found = outputOf(this.context, this.chat.state.root);
    const output = found?.outputs.get(found.at + 1);
    return output && { output, set: (value) => found.outputs.set(found.at + 1, value) };
  }

  onSave(state) {
    // JupyterLab marks the notebook as saved, even if it changed during the save.
    if (state === "completed") this.markUnsaved();
    const found = state === "started" && this.transcript && this.transcriptOutput();
    if (!found || found.output.data["text/markdown"] === this.transcript) return;
    const data = { "text/markdown": this.transcript, "text/plain": this.transcript };
    found.set({ output_type: "display_data", data, metadata: {} });
  }

  /** Insert code into a new cell below the panel, or copy it if that is not possible. */
  async insert(code) {
    const found = outputOf(this.context, this.chat.state.root);
    if (found?.notebook.sharedModel?.insertCell) {
      const cell = { cell_type: "code", source: code, metadata: { trusted: true } }; // no output yet
      found.notebook.sharedModel.insertCell(found.place + 1, cell);
      this.chat.setStatus("Inserted a cell below. It was not run.");
    }
    else if (await copyText(code)) this.chat.setStatus("The panel cannot insert cells in this front end. The code was copied to the clipboard instead.");
    else this.chat.setStatus("The panel cannot insert cells or copy in this front end. Select the code and press Ctrl+C.");
  }
}

/** Find the output that shows the widget `root`, in JupyterLab's model of a notebook. */
function outputOf(context, root) {
  const notebook = context?.model;
  for (let place = 0; place < (notebook?.cells?.length ?? 0); place += 1) {
    const { outputs } = notebook.cells.get(place);
    for (let at = 0; at < (outputs?.length ?? 0); at += 1) {
      const shown = outputs.get(at).data["application/vnd.jupyter.widget-view+json"];
      if (shown?.model_id === root) return { notebook, place, outputs, at };
    }
  }
  return null;
}
