import { button, make } from "./dom.js";

const MODELS_OWN = "the model's own";
let fieldCount = 0;

/** One setting of the form: its name above, a control, help, where its value comes from. */
export class Field {
  /** `send` takes the text of a new value; `reset` goes back to the default. */
  constructor(spec, send, reset) {
    Object.assign(this, { spec, send });
    this.id = `h2o-field-${(fieldCount += 1)}`;
    this.control = this.made();
    this.origin = make("span", { class: "h2o-field-origin" });
    this.undo = button("undo", `Reset ${spec.title}`, () => { reset(); this.control.focus(); }, { hidden: "" });
    this.error = make("div", { class: "h2o-field-error", id: `${this.id}-error`, role: "alert" });
    const isSwitch = spec.kind === "switch";
    const label = make("label", { for: this.id }, isSwitch ? this.control : null, spec.title);
    this.box = make(
      "div",
      { class: "h2o-setting" },
      make("div", { class: "h2o-setting-head" }, label, this.undo),
      isSwitch ? null : make("div", { class: "h2o-setting-line" }, this.range, this.control, spec.unit ? make("span", { class: "h2o-setting-unit" }, spec.unit) : null),
      this.folder ? make("div", { class: "h2o-setting-line" }, this.folder) : null,
      make("div", { class: "h2o-setting-help", id: `${this.id}-help` }, this.origin, spec.help),
      this.error,
    );
  }

  made() {
    const { kind, choices, optional, least, most, title } = this.spec;
    const shared = { id: this.id, "aria-describedby": `${this.id}-help ${this.id}-error`, change: () => this.submit() };
    if (kind === "switch") return make("input", { type: "checkbox", ...shared });
    const onEnter = (event) => { if (event.key === "Enter") this.submit(); };
    if (kind === "mode") {
      this.folder = make("input", { type: "text", "aria-label": `${title}: folder`, placeholder: "Your own store, or a folder: answers/", "aria-describedby": shared["aria-describedby"], input: () => this.touch(), change: () => this.submit(), keydown: onEnter });
    }
    if (kind === "choice" || kind === "mode") {
      const unset = optional ? [["", MODELS_OWN]] : [];
      return make("select", shared, ...[...unset, ...choices].map(([value, text]) => make("option", { value }, text)));
    }
    if (kind === "area") return make("textarea", { rows: "3", ...shared, input: () => this.touch() });
    if (kind === "slider") {
      const slide = () => { this.control.value = this.range.value; this.mark(false); this.touch(); };
      this.range = make("input", { type: "range", min: least, max: most, step: "0.01", "aria-label": title, "aria-describedby": `${this.id}-help`, input: slide, change: () => this.submit() });
    }
    return make("input", { type: "text", ...(kind === "slider" ? { inputmode: "decimal", size: "5" } : {}), ...shared, input: () => this.touch(), keydown: onEnter });
  }

  /** From now on what is typed counts, until it is sent. */
  touch() {
    this.touched = true;
  }

  submit() {
    const { control } = this;
    this.touched = false;
    if (this.folder) this.send(`${control.value} ${this.folder.value}`);
    else this.send(control.type === "checkbox" ? String(control.checked) : control.value);
  }

  /** Show a value, or what applies without one; what is being typed stays. */
  show({ text, own, none, origin, source, reset, taken }) {
    this.changed = Boolean(origin);
    this.box.hidden = !taken && !origin;
    const given = own && own.length < 10 ? `${own}, ` : "";
    this.origin.textContent = origin ? `Set in: ${origin}. ` : source ? `Default: ${given}${source}. ` : "";
    this.undo.hidden = !reset;
    if (this.touched) return;
    this.showError(!taken && origin ? "This server does not take it." : "");
    const { control } = this;
    const without = own ?? none;
    if (control.type === "checkbox") control.checked = text === "true";
    else if (this.folder) {
      const [mode, ...folder] = text.split(" ");
      control.value = mode;
      this.folder.value = folder.join(" ");
      this.folder.hidden = mode === "off";
    } else control.value = text;
    if (control.tagName === "SELECT") {
      const first = this.spec.optional ? control.options[0] : null;
      if (first) first.textContent = own === null ? none : `${none} (${[...control.options].find(({ value }) => value === own)?.textContent ?? own})`;
    } else control.placeholder = without;
    if (this.range) {
      this.range.value = text || own || this.spec.start;
      this.mark(!text, own);
    }
  }

  /** Tell whether the slider has a value: it always has a place. */
  mark(unset, own = null) {
    this.range.classList.toggle("h2o-unset", unset);
    this.range.classList.toggle("h2o-unknown", unset && own === null);
    if (unset) this.range.setAttribute("aria-valuetext", own === null ? MODELS_OWN : `${MODELS_OWN}, ${own}`);
    else this.range.removeAttribute("aria-valuetext");
  }

  showError(text) {
    this.error.textContent = text;
    const control = this.folder ?? this.control;
    if (text) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }
}
