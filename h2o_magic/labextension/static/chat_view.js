// A second view of a chat's widget, made by the notebook's own renderer.

import { VIEW } from "./notebook_chat.js";

const PATIENCE = 500; // ms until a renderer that does not end is made again
const TRIES = 60;

const after = (time) => new Promise((resolve) => setTimeout(resolve, time, false));

export class ChatView {
  constructor(layout, MimeModel, onEnd) {
    this.layout = layout;
    this.MimeModel = MimeModel;
    this.onEnd = onEnd;
    this.wanted = null;
    this.widget = null;
  }

  /** Whether this is what is shown, or about to be. */
  shows(panel, data) {
    return this.wanted?.chat.panel === panel && this.wanted.data.model_id === data.model_id;
  }

  close() {
    const { widget } = this;
    this.widget = this.wanted = null;
    widget?.dispose();
  }

  /** Show a notebook's chat, unless another is wanted meanwhile, or its kernel has lost it. */
  async open(chat, data) {
    this.close();
    const wanted = { chat, data };
    this.wanted = wanted;
    // After the page was loaded it may be a placeholder, which never ends.
    const tried = [];
    while (tried.length < TRIES) {
      const made = chat.panel.content.rendermime.createRenderer(VIEW);
      tried.push(made.node);
      // A copy: ipywidgets empties it when a view ends.
      const model = new this.MimeModel({ data: { [VIEW]: { ...data } } });
      const ended = await Promise.race([made.renderModel(model).then(() => true, () => true), after(PATIENCE)]);
      if (ended && this.wanted === wanted && made.widgets?.length) return this.show(made);
      made.dispose();
      if (this.wanted !== wanted) return null;
      // Earlier ones may end now.
      if (tried.some((node) => node.textContent.includes("not found"))) break;
      if (ended) await after(PATIENCE);
    }
    return this.lose();
  }

  show(made) {
    const { chat, data } = this.wanted;
    chat.own = data; // it stays when outputs are cleared
    this.widget = made;
    made.addClass("h2o-docked");
    made.widgets[0].disposed.connect(() => { if (this.widget === made) this.lose(); });
    this.layout.addWidget(made);
  }

  lose() {
    const { chat, data } = this.wanted;
    chat.lose(data);
    this.close();
    this.onEnd();
  }
}
