const AROUND = 40; // px of the cell above and below the panel

/** Keeps the panel as high as there is room: the composer must be in sight with its cell. */
export class Fit {
  constructor(root) {
    this.root = root;
    this.observer = new ResizeObserver(() => this.update());
    this.observer.observe(root); // once it is in the page
  }

  close() {
    this.observer.disconnect();
  }

  update() {
    const { root } = this;
    if (!root.isConnected) return;
    if (!this.around) {
      this.around = root.closest(".jp-LinkedOutputView, .jp-WindowedPanel-outer, .jp-Notebook");
      this.observer.unobserve(root);
      if (this.around) this.observer.observe(this.around);
    }
    if (!this.around?.clientHeight) return;
    if (this.around.matches(".jp-LinkedOutputView")) root.style.height = `${Math.max(300, this.around.clientHeight - 24)}px`;
    else root.style.setProperty("--h2o-room", `${this.around.clientHeight - this.inputHeight - AROUND}px`);
  }

  /** The height of a short input above the panel; a long one is scrolled out of sight. */
  get inputHeight() {
    const height = this.root.closest(".jp-Cell")?.querySelector(".jp-Cell-inputWrapper")?.offsetHeight ?? 0;
    return height < 160 ? height : 0;
  }
}
