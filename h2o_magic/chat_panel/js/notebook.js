import { copied } from "./dom.js";

/** The open notebook, where the front end shows it to its widgets (JupyterLab, Notebook 7). */
export class Notebook {
  constructor(chat) {
    this.chat = chat;
    this.onSaveState = (_, state) => this.onSave(state);
    this.context?.saveState?.connect(this.onSaveState);
  }

  end() {
    this.context?.saveState?.disconnect(this.onSaveState);
  }

  get context() {
    return this.chat.model.widget_manager?.context;
  }

  /** Take the transcript, which goes into the notebook when that is saved. */
  keep(markdown) {
    this.transcript = markdown;
    this.toBeSaved();
  }

  /** Mark the notebook as not saved where its file does not hold the transcript. */
  toBeSaved() {
    const output = this.transcript && this.transcriptOutput()?.output;
    if (output && output.data["text/markdown"] !== this.transcript) this.context.model.dirty = true;
  }

  /** The output below the panel's, in JupyterLab's model of the notebook. */
  transcriptOutput() {
    const found = outputOf(this.context, this.chat.state.root);
    const output = found?.outputs.get(found.at + 1);
    return output && { output, set: (value) => found.outputs.set(found.at + 1, value) };
  }

  onSave(state) {
    // A save that ends makes the notebook clean, whatever came while it went on.
    if (state === "completed") this.toBeSaved();
    const found = state === "started" && this.transcript && this.transcriptOutput();
    if (!found || found.output.data["text/markdown"] === this.transcript) return;
    const data = { "text/markdown": this.transcript, "text/plain": this.transcript };
    found.set({ output_type: "display_data", data, metadata: {} });
  }

  /** Put code into a new cell below the panel's, where the front end lets a page do so. */
  async insert(code) {
    const found = outputOf(this.context, this.chat.state.root);
    if (found?.notebook.sharedModel?.insertCell) {
      const cell = { cell_type: "code", source: code, metadata: { trusted: true } }; // no output yet
      found.notebook.sharedModel.insertCell(found.place + 1, cell);
      this.chat.say("Inserted a cell below. It was not run.");
    }
    else if (await copied(code)) this.chat.say("This front end lets no page insert a cell: the code is in the clipboard instead.");
    else this.chat.say("This front end lets no page insert a cell, nor copy: select the code and press Ctrl+C.");
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
