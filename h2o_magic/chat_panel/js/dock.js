import { Chat } from "./chat.js";
import { make, textButton } from "./dom.js";

/**
 * Where a view of the panel is: in its cell, or docked by JupyterLab's extension. While
 * anything is docked, the views in cells show one line instead.
 */
export class Place {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    el.classList.add("h2o-view");
    this.onMoved = () => this.update();
    document.addEventListener("h2o-magic:moved", this.onMoved);
    this.observer = new ResizeObserver(this.onMoved); // once it is in the page
    if (globalThis.h2oMagic) this.observer.observe(el);
    else this.show();
  }

  close() {
    this.chat?.close();
    this.observer.disconnect();
    document.removeEventListener("h2o-magic:moved", this.onMoved);
  }

  /** Whether the chat is seen elsewhere than in this cell. */
  get isAway() {
    return Boolean(globalThis.h2oMagic.docked && this.el.closest(".jp-Notebook"));
  }

  update() {
    this.chat?.notebook.refresh(); // the extension may have come
    if (!this.el.isConnected || (this.isAway ? this.line : this.chat)) return;
    this.chat?.close();
    this.chat = this.line = null;
    this.el.replaceChildren();
    if (this.isAway) this.showLine();
    else this.show();
  }

  show() {
    this.chat = new Chat(this.model, this.el);
    globalThis.h2oMagic?.opened();
  }

  showHere() {
    globalThis.h2oMagic.undock();
    this.chat?.composer.area.focus();
    // Once it has its height:
    requestAnimationFrame(() => setTimeout(() => this.chat?.root.scrollIntoView({ block: "nearest" })));
  }

  showLine() {
    const back = textButton("Show it here", () => this.showHere());
    const where = globalThis.h2oMagic.docked === "tab" ? "in a tab of its own" : "on the right";
    this.line = make("div", { class: "h2o-elsewhere" }, `The chat is ${where}.`, back);
    this.el.append(this.line);
  }
}
