import { make, onEscape } from "./dom.js";

const MARGIN = 8; // px between a popover and the edges of the chat
const TYPED = 700; // ms after which typed letters begin a new word

/**
 * A box over the chat that a button opens: below the button if that is in the upper half,
 * else above it. Esc or a press outside closes it.
 */
export class Popover {
  /**
   * `opened` is called before it is shown, and returns the element to focus. It is placed
   * at `beside`, where a press does not close it.
   */
  constructor(chat, button, { label, className = "", beside = button, opened = () => null, closed = () => {} }, ...content) {
    Object.assign(this, { chat, button, beside, opened, closed });
    this.box = make("div", { class: `h2o-popover ${className}`, role: "dialog", "aria-label": label, hidden: "", keydown: onEscape(() => this.close()) }, ...content);
    button.setAttribute("aria-haspopup", "dialog");
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => (this.isOpen ? this.close() : this.open()));
    this.onPress = ({ target }) => {
      if (this.isOpen && !this.box.contains(target) && !beside.contains(target)) this.close(false);
    };
  }

  get isOpen() {
    return !this.box.hidden;
  }

  open() {
    if (this.isOpen) return;
    if (!this.box.parentNode) this.chat.root.append(this.box);
    this.chat.popover?.close(false);
    this.chat.popover = this;
    const focused = this.opened();
    this.box.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", this.onPress, true);
    this.place();
    (focused ?? this.box.querySelector("input, button, [tabindex]"))?.focus();
  }

  /** Close it; by default the button gets the focus back. */
  close(refocus = true) {
    if (!this.isOpen) return;
    this.box.hidden = true;
    this.chat.popover = null;
    this.button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", this.onPress, true);
    if (refocus) this.button.focus();
    this.closed();
  }

  /** Put it beside its button, within the chat. */
  place() {
    const chat = this.chat.root.getBoundingClientRect();
    const button = this.beside.getBoundingClientRect();
    const { style } = this.box;
    const below = button.top - chat.top < chat.height / 2;
    const edge = below ? button.bottom - chat.top : chat.bottom - button.top;
    style.maxHeight = `${chat.height - edge - 4 - MARGIN}px`;
    style.top = below ? `${edge + 4}px` : "auto";
    style.bottom = below ? "auto" : `${edge + 4}px`;
    const most = chat.width - this.box.offsetWidth - MARGIN;
    style.left = `${Math.max(MARGIN, Math.min(button.left - chat.left, most))}px`;
  }
}

/**
 * A list of things to choose from. The keys go to its `owner`: a search field, or else the
 * list itself.
 */
export class Menu {
  constructor({ label, owner }) {
    this.id = `h2o-menu-${Math.random().toString(36).slice(2, 10)}`;
    this.box = make("div", { class: "h2o-menu", role: "listbox", id: this.id, "aria-label": label, tabindex: owner ? "-1" : "0" });
    this.owner = owner ?? this.box;
    this.owner.addEventListener("keydown", (event) => this.onKey(event));
    if (owner) {
      owner.setAttribute("role", "combobox");
      owner.setAttribute("aria-controls", this.id);
      owner.setAttribute("aria-expanded", "true");
    }
    this.items = [];
    this.typed = "";
  }

  /**
   * Show groups of items, `{label, items}`. An item has `parts` (the elements or texts of
   * its row), `run` (called with the event), and may have `text` (for keys typed), `keys`
   * (functions by the names of keys), `chosen` and `disabled`.
   */
  fill(groups) {
    this.items = [];
    this.box.replaceChildren(...groups.filter(({ items }) => items.length).map((group, place) => this.group(group, place)));
    this.select(Math.max(0, this.items.findIndex(({ chosen }) => chosen)));
  }

  group({ label, items }, place) {
    const name = `${this.id}-group-${place}`;
    const head = label ? make("div", { class: "h2o-menu-label", id: name }, label) : null;
    return make("div", { role: "group", "aria-labelledby": label ? name : false }, head, ...items.map((item) => this.row(item)));
  }

  row(item) {
    const place = this.items.push(item) - 1;
    item.row = make(
      "div",
      {
        class: "h2o-menu-item",
        role: "option",
        id: `${this.id}-${place}`,
        "aria-selected": String(Boolean(item.chosen)),
        "aria-disabled": item.disabled ? "true" : false,
        pointermove: () => { if (this.place !== place) this.select(place, false); },
        mousedown: (event) => { if (!event.target.closest("button, input")) event.preventDefault(); },
        click: (event) => { if (!event.target.closest("button, input")) this.run(item, event); },
      },
      ...item.parts,
    );
    return item.row;
  }

  get current() {
    return this.items[this.place];
  }

  select(place, scroll = true) {
    this.place = place;
    this.items.forEach(({ row }, at) => row.classList.toggle("h2o-active", at === place));
    const row = this.current?.row;
    if (scroll) row?.scrollIntoView({ block: "nearest" });
    if (row) this.owner.setAttribute("aria-activedescendant", row.id);
    else this.owner.removeAttribute("aria-activedescendant");
  }

  run(item, event) {
    if (item && !item.disabled) item.run(event);
  }

  onKey(event) {
    const { length } = this.items;
    const isText = this.owner instanceof HTMLInputElement;
    const special = this.current?.keys?.[event.key];
    if (!length || event.isComposing) return;
    if (event.key === "ArrowDown") this.select((this.place + 1) % length);
    else if (event.key === "ArrowUp") this.select((this.place + length - 1) % length);
    else if (event.key === "Home" && !isText) this.select(0);
    else if (event.key === "End" && !isText) this.select(length - 1);
    else if (event.key === "Enter" || (event.key === " " && !isText)) this.run(this.current, event);
    else if (special) special(event);
    else if (isText || event.key.length > 1 || event.ctrlKey || event.metaKey) return;
    else this.jump(event.key);
    event.preventDefault();
    event.stopPropagation();
  }

  /** Select the next item whose text begins with the letters typed. */
  jump(letter) {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => { this.typed = ""; }, TYPED);
    this.typed += letter.toLowerCase();
    const from = this.typed.length > 1 ? this.place : this.place + 1;
    const order = [...this.items.keys()].map((at) => (at + from) % this.items.length);
    const found = order.find((at) => this.items[at].text?.toLowerCase().startsWith(this.typed));
    if (found !== undefined) this.select(found);
  }
}
