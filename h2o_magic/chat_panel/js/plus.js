import { button, icon, make } from "./dom.js";
import { Menu, Popover } from "./popover.js";

/** The menu of what can be added to a message. */
export class Plus {
  constructor(composer) {
    const { chat, attachments } = composer;
    this.button = button("add", "Add to the question", () => {});
    this.menu = new Menu({ label: "Add to the question" });
    this.popover = new Popover(chat, this.button, { label: "Add to the question", className: "h2o-plus", opened: () => this.menu.box }, this.menu.box);
    const item = (name, text, hint, run) => ({ text, parts: [icon(name), make("span", { class: "h2o-grow" }, text), make("span", { class: "h2o-kind" }, hint)], run });
    const offer = (sign, nothing) => () => { this.popover.close(false); composer.offer(sign, nothing); };
    this.menu.fill([
      {
        items: [
          item("braces", "Variable", "@", offer("@", "The notebook has no variable yet.")),
          item("output", "Output of a cell", "@Out", offer("@Out", "No cell has an output yet.")),
          item("file", "File", "paste, drop", () => { this.popover.close(); attachments.picker.click(); }),
        ],
      },
    ]);
  }
}
