// The chat of the focused notebook, in JupyterLab's right sidebar or in a tab of its own.

import { addCommands } from "./commands.js";
import { ChatView } from "./chat_view.js";
import { NotebookChat, outputsOf } from "./notebook_chat.js";
import { CELL, Notice, TAB } from "./notice.js";
import { Page } from "./page.js";

const WIDTH = 400; // px, suggested
const RIGHT = ["right", { rank: 890 }];
const CALM = 150; // ms without a change in the notebook until it is looked at

/** Fill the place that JupyterLab has for the dock. */
export async function fill(root, shared, app, tracker, palette) {
  const names = ["@lumino/widgets", "@jupyterlab/rendermime", "@jupyterlab/notebook"];
  const [{ Widget, PanelLayout }, { MimeModel }, { NotebookActions }] = await Promise.all(names.map(shared));
  root.layout = new PanelLayout();
  const dock = new Dock(app, tracker, root, MimeModel);
  root.layout.insertWidget(0, new Widget({ node: dock.notice.node }));
  addCommands(app, palette, dock);
  // A cell may say where its chat is to be.
  NotebookActions.executed.connect((_, { notebook, cell }) => dock.onExecuted(notebook, cell));
  globalThis.h2oMagic = new Page(dock);
  dock.onMoved();
}

class Dock {
  constructor(app, tracker, root, MimeModel) {
    this.app = app;
    this.tracker = tracker;
    this.root = root;
    this.chats = new WeakMap(); // by the panels of their notebooks
    this.area = "right";
    this.view = new ChatView(root.layout, MimeModel, () => this.updateSoon());
    this.notice = new Notice(() => this.chat?.open());
    if (this.hasTabs) this.notice.addButton(TAB, "Open in a tab of its own", () => this.openTab());
    this.notice.addButton(CELL, "Show in the notebook", () => this.close());
    for (const event of ["onAfterShow", "onAfterHide", "onAfterAttach", "onAfterDetach"]) root[event] = () => this.onMoved();
    root.onActivateRequest = () => this.focus();
    root.onCloseRequest = () => this.close();
    tracker.currentChanged.connect(() => this.update());
  }

  /** Where the chat is seen, if it is docked. */
  get place() {
    return this.root.isVisible ? this.area : "";
  }

  /** The chat of the focused notebook. */
  get chat() {
    const panel = this.tracker.currentWidget;
    return panel && this.chatOf(panel);
  }

  chatOf(panel) {
    if (!this.chats.has(panel)) {
      this.chats.set(panel, new NotebookChat(panel, () => this.updateSoon()));
      panel.title.changed.connect(() => this.setTitle());
    }
    return this.chats.get(panel);
  }

  get field() {
    return this.view.widget?.node.querySelector("textarea");
  }

  /** Give the message field the focus, as soon as there is one. */
  focus() {
    this.isFocusing = !this.field;
    this.field?.focus();
  }

  /** A chat has been opened somewhere. */
  onOpened() {
    if (this.isFocusing) this.focus();
  }

  updateSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.update(), CALM);
  }

  /** Tell the chats in cells, which show themselves only where nothing is docked. */
  onMoved() {
    if (this.root.isAttached) this.area = [...this.app.shell.widgets("main")].includes(this.root) ? "tab" : "right";
    this.update();
    document.dispatchEvent(new CustomEvent("h2o-magic:moved"));
  }

  setTitle() {
    const { root } = this;
    const name = this.tracker.currentWidget?.title.label;
    const title = name ? `Chat: ${name}` : "Chat";
    const inTab = this.area === "tab";
    root.toggleClass("h2o-in-tab", inTab);
    root.title.caption = title;
    root.title.label = inTab ? title : "";
    root.node.setAttribute("aria-label", title);
    this.notice.setTitle(inTab ? "" : title);
  }

  /** Show the chat of the focused notebook, if anything is seen here at all. */
  async update() {
    this.setTitle();
    const { chat } = this;
    const data = this.root.isVisible ? chat?.data : null;
    if (!data) this.view.close();
    else if (!this.view.shows(chat.panel, data)) {
      const opening = this.view.open(chat, data);
      this.notice.show(chat, false);
      await opening;
    }
    this.notice.show(this.chat, Boolean(this.view.widget));
  }

  onExecuted(notebook, cell) {
    const panel = this.tracker.find(({ content }) => content === notebook);
    const found = panel && [...outputsOf(panel)].find(({ outputs }) => outputs === cell.model.outputs);
    if (!found) return;
    this.chatOf(panel).own = found.data;
    if (found.place === "right") this.dock();
    else if (found.place === "tab") this.openTab();
  }

  dock() {
    this.add(...RIGHT);
  }

  openTab() {
    if (this.hasTabs) this.add("main", { mode: "split-right", ref: this.tracker.currentWidget?.id });
    else this.dock();
  }

  /** Whether a page holds more than a notebook; not in Notebook 7. */
  get hasTabs() {
    return Boolean(this.app.shell.mode);
  }

  add(area, options) {
    const isThere = this.root.isAttached && (this.area === "tab") === (area === "main");
    if (!isThere) {
      this.root.parent = null;
      this.app.shell.add(this.root, area, options);
    }
    this.app.shell.activateById(this.root.id);
    if (area === "right") this.widen();
  }

  /** Widen a sidebar that is as narrow as can be. */
  widen() {
    let split = this.root.parent;
    while (split && !split.setRelativeSizes) split = split.parent;
    const room = split?.node.clientWidth ?? 0;
    if (this.root.node.clientWidth > 300 || room < 3 * WIDTH) return;
    const sizes = split.relativeSizes();
    sizes[sizes.length - 2] -= WIDTH / room - sizes.at(-1);
    split.setRelativeSizes([...sizes.slice(0, -1), WIDTH / room]);
  }

  /** Show no chat here: those in cells are seen again. */
  close() {
    if (this.area === "right") this.app.shell.collapseRight();
    else {
      this.root.parent = null;
      this.app.shell.add(this.root, ...RIGHT);
    }
  }

  /** Focus the message field that is in sight; without one, dock the chat or open one. */
  async ask() {
    const inCell = this.place ? null : fieldInSight(this.tracker.currentWidget);
    if (inCell) {
      inCell.focus();
      return;
    }
    if (this.place) this.app.shell.activateById(this.root.id);
    else this.dock();
    const { chat } = this;
    if (chat && !chat.data && !chat.opening) await chat.open();
  }
}

function fieldInSight(panel) {
  if (!panel) return null;
  const { top, bottom } = panel.content.node.getBoundingClientRect();
  return [...panel.node.querySelectorAll(".h2o-chat textarea:enabled")].find((field) => {
    const place = field.getBoundingClientRect();
    return place.height && place.top >= top && place.bottom <= bottom;
  });
}
