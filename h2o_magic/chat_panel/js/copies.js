import { button } from "./dom.js";
import { Menu, Popover } from "./popover.js";

/** Copies answers: as Markdown, as they were received, or as text without its marks. */
export class Copies {
  constructor(chat) {
    this.chat = chat;
  }

  /** The buttons for a turn's answer: copy it, and a menu of the ways to. */
  buttons(row, name) {
    const copy = ({ altKey }) => (altKey ? this.asText(row) : this.asMarkdown(row));
    const more = button("more", `Ways to copy the answer of ${name}`, () => {});
    const menu = new Menu({ label: `Copy the answer of ${name}` });
    const item = (text, run) => ({ text, parts: [text], run: () => { popover.close(); run(); } });
    const items = [item("Copy as Markdown", () => this.asMarkdown(row)), item("Copy as text", () => this.asText(row))];
    const opened = () => { menu.fill([{ items }]); return menu.box; };
    const popover = new Popover(this.chat, more, { label: "Copy the answer", className: "h2o-copies", opened, closed: () => popover.box.remove() }, menu.box);
    return [button("copy", `Copy the answer of ${name}`, copy, { title: "Copy the answer (Alt: as text)" }), more];
  }

  asMarkdown(row) {
    this.chat.copy(row.answer, "answer");
  }

  /** The kernel makes the text: of formulas and tables, too. */
  asText(row) {
    this.chat.send("plain", { id: row.id });
  }

  on_plain({ text }) {
    this.chat.copy(text, "answer as text");
  }
}
