// The chat of one notebook, found in JupyterLab's models: outputs far from the visible part
// of a notebook have no elements.

export const VIEW = "application/vnd.jupyter.widget-view+json";

const OPEN = "%load_ext h2o_magic\n%h2o panel";
const ENDS = ["restarting", "autorestarting", "terminating", "dead"];

/** Yield the outputs that show a notebook's chat, as the kernel marked them. */
export function* outputsOf({ content }) {
  for (const { outputs } of content.model?.cells ?? []) {
    for (let at = 0; at < (outputs?.length ?? 0); at += 1) {
      const output = outputs.get(at);
      const place = output.metadata.h2o_magic?.panel;
      if (place && output.data[VIEW]) yield { outputs, at, output, place, data: output.data[VIEW] };
    }
  }
}

export class NotebookChat {
  constructor(panel, onChange) {
    this.panel = panel;
    this.onChange = onChange;
    this.lost = new Set(); // the widgets that went with their kernel
    this.opening = false;
    this.problem = "";
    panel.context.ready.then(() => panel.content.model?.contentChanged.connect(onChange));
    panel.sessionContext.statusChanged.connect((_, status) => { if (ENDS.includes(status)) this.onKernelEnd(); });
    panel.sessionContext.kernelChanged.connect((_, { oldValue }) => (oldValue ? this.onKernelEnd() : onChange()));
  }

  /** The widget that was shown last, which needs no output; kept when the page is reloaded. */
  get own() {
    return JSON.parse(sessionStorage.getItem(this.place));
  }

  set own(data) {
    if (this.kernel) sessionStorage.setItem(this.place, JSON.stringify(data));
  }

  get place() {
    return `h2o-magic:${this.kernel?.id}`;
  }

  get kernel() {
    return this.panel.sessionContext.session?.kernel;
  }

  /** Which widget shows the chat, as an output has it; null if none does. */
  get data() {
    return this.all.find((data) => !this.lost.has(data.model_id)) ?? null;
  }

  get all() {
    const shown = [...outputsOf(this.panel)].map(({ data }) => data);
    return [this.own, ...shown].filter((data) => data?.model_id);
  }

  get wasLost() {
    return !this.data && this.all.length > 0;
  }

  get isBusy() {
    return this.kernel?.status === "busy";
  }

  lose(data) {
    this.lost.add(data.model_id);
  }

  onKernelEnd() {
    for (const data of this.all) this.lose(data);
    this.onChange();
  }

  /** Open the chat without a cell, and again where cells showed one of an ended kernel. */
  async open() {
    this.opening = true;
    this.problem = "";
    this.onChange();
    try {
      this.problem = await this.run();
    } catch {
      this.problem = "The kernel ended before the chat was open.";
    }
    this.opening = false;
    this.onChange();
  }

  /** Run what opens a chat; return what is wrong, if anything is. */
  async run() {
    await this.panel.sessionContext.ready;
    if (!this.kernel) await this.panel.sessionContext.startKernel();
    const { kernel } = this;
    if (!kernel) return "The notebook has no kernel: choose one in the menu “Kernel”.";
    const { language_info } = await kernel.info;
    if (language_info.name !== "python") return "The chat needs a Python kernel.";
    const cellId = this.panel.content.activeCell?.model.id; // by which the kernel knows the notebook
    const future = kernel.requestExecute({ code: OPEN, store_history: false }, true, { cellId });
    future.onIOPub = ({ header, content }) => {
      if (header.msg_type === "display_data" && content.metadata.h2o_magic) this.onOpened(content.data[VIEW]);
    };
    const { content } = await future.done;
    if (content.status === "ok") return "";
    if (content.ename === "ModuleNotFoundError") return "The kernel has no h2o_magic: run “%pip install h2o-magic” in a cell, and try again.";
    return `${content.ename}: ${content.evalue}`;
  }

  onOpened(data) {
    this.own = data;
    for (const { outputs, at, output } of [...outputsOf(this.panel)]) {
      const shown = output.toJSON();
      outputs.set(at, { ...shown, data: { ...shown.data, [VIEW]: { ...data } } });
    }
    this.onChange();
  }
}
