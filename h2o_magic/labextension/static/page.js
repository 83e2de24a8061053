// What the extension offers to the chats in the page, as `h2oMagic`. A chat passes the
// context of its notebook.

import { outputsOf } from "./notebook_chat.js";

export class Page {
  constructor(dock) {
    this.dock = dock;
  }

  /** Where chats are docked: "right", "tab" or nowhere. */
  get docked() {
    return this.dock.place;
  }

  /** A chat was opened, which may be given the focus. */
  opened() {
    this.dock.onOpened();
  }

  /** Show the chats in their cells again. */
  undock() {
    this.dock.close();
  }

  /** Open a chat again whose kernel was restarted. */
  reconnect(context) {
    this.dock.chatOf(this.panelOf(context)).open();
  }

  /** Insert a code cell below the active one, or above it. */
  insert(context, code, above) {
    const { content: notebook } = this.panelOf(context);
    put(notebook, Math.max(0, notebook.activeCellIndex + (above ? 0 : 1)), code);
  }

  /** Replace the active cell; return whether that is a code cell without a chat. */
  replace(context, code) {
    const panel = this.panelOf(context);
    const { content: notebook } = panel;
    const cell = notebook.activeCell?.model;
    const isChat = [...outputsOf(panel)].some(({ outputs }) => outputs === cell?.outputs);
    if (cell?.type !== "code" || isChat || cell.getMetadata("deletable") === false) return false;
    const at = notebook.activeCellIndex;
    notebook.model.sharedModel.undoManager?.stopCapturing();
    // As one change of the notebook, which its own undo takes back, with the outputs.
    notebook.model.sharedModel.transact(() => {
      notebook.model.sharedModel.deleteCell(at);
      put(notebook, at, code);
    });
    return true;
  }

  panelOf(context) {
    return this.dock.tracker.find((panel) => panel.context === context);
  }
}

function put(notebook, at, code) {
  // A cell without outputs can be trusted.
  notebook.model.sharedModel.insertCell(at, { cell_type: "code", source: code, metadata: { trusted: true } });
  notebook.activeCellIndex = at;
  notebook.scrollToItem(at);
}
