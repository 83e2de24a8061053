// A second view of the widget that shows a chat, made by the notebook's own renderer.

import { VIEW } from "./notebook_chat.js";

const PATIENCE = 500; // ms until a renderer that does not end is made again
const TRIES = 60;

const after = (time) => new Promise((resolve) => { setTimeout(resolve, time, false); });

export class ChatView {
  constructor(parent, MimeModel) {
    this.parent = parent;
    this.MimeModel = MimeModel;
    this.wanted = null;
    this.widget = null;
  }

  /** Whether this is what is shown, or about to be. */
  shows(panel, data) {
    return this.wanted?.panel === panel && this.wanted.id === data.model_id;
  }

  close() {
    this.widget?.dispose();
    this.widget = this.wanted = null;
  }

  /** Show a notebook's chat; return whether its kernel has that, null if another is wanted. */
  async open(panel, data) {
    this.close();
    const wanted = { panel, id: data.model_id };
    this.wanted = wanted;
    // After the page was loaded the renderer may be a placeholder, which never ends.
    for (let tried = 0; tried < TRIES && this.wanted === wanted; tried += 1) {
      const made = panel.content.rendermime.createRenderer(VIEW);
      // A copy: ipywidgets empties the id in what it was given when a view ends.
      const model = new this.MimeModel({ data: { [VIEW]: { ...data } } });
      const ended = await Promise.race([made.renderModel(model).then(() => true), after(PATIENCE)]);
      if (ended && this.wanted === wanted && made.widgets?.length) {
        this.widget = made;
        made.addClass("h2o-docked");
        this.parent.addWidget(made);
        return true;
      }
      const isUnknown = ended && made.node.textContent.includes("model not found");
      made.dispose();
      if (isUnknown) break;
      if (ended) await after(PATIENCE);
    }
    if (this.wanted !== wanted) return null;
    this.wanted = null;
    return false;
  }
}
