import { make, onEscape, textButton } from "./dom.js";

/** The presets: a list to choose from, and buttons that save and remove one. */
export class Presets {
  constructor(chat) {
    const send = (action, name) => chat.send("preset", { action, name });
    const use = () => {
      if (this.choice.value) send("use", this.choice.value);
      else this.choice.value = this.current;
    };
    this.choice = make("select", { id: `h2o-preset-${chat.view}`, change: use });
    this.remove = textButton("Remove", () => send("remove", this.choice.value));
    this.save = textButton("Save as …", () => this.ask(this.form.hidden), { "aria-expanded": "false" });
    this.name = make("input", { type: "text", "aria-label": "Name of the preset", placeholder: "Name", maxlength: "40", keydown: onEscape(() => this.ask(false)) });
    const submit = (event) => {
      event.preventDefault();
      if (this.name.value.trim()) send("save", this.name.value);
    };
    this.form = make("form", { class: "h2o-setting-line", hidden: "", submit }, this.name, textButton("Save", () => {}, { type: "submit" }));
    this.error = make("div", { class: "h2o-field-error", role: "alert" });
    this.box = make(
      "div",
      { class: "h2o-setting" },
      make("div", { class: "h2o-setting-head" }, make("label", { for: this.choice.id }, "Preset")),
      make("div", { class: "h2o-setting-line" }, this.choice, this.remove, this.save),
      this.form,
      make("div", { class: "h2o-setting-help" }, "A named set of values for sampling."),
      this.error,
    );
  }

  show({ names, current, removable }) {
    this.choice.replaceChildren(make("option", { value: "" }, "Custom"), ...names.map((name) => make("option", { value: name }, name)));
    this.choice.value = this.current = current;
    this.remove.hidden = !removable;
    this.error.textContent = "";
    if (!this.form.hidden && current === this.name.value.trim()) this.ask(false);
  }

  ask(shown) {
    this.form.hidden = !shown;
    this.name.value = "";
    this.save.setAttribute("aria-expanded", String(shown));
    (shown ? this.name : this.save).focus();
  }

  showError(text) {
    this.error.textContent = text;
  }
}
