import { button, icon, make, textButton } from "./dom.js";
import { Field } from "./field.js";
import { Presets } from "./presets.js";

/** The settings: a form beside the chat, or over it if the panel is narrow. */
export class Settings {
  constructor(chat) {
    this.chat = chat;
    this.fields = new Map();
    this.button = button("settings", "Settings", () => this.show(!this.shown), { "aria-expanded": "false" });
    const close = button("close", "Close the settings", () => { this.show(false); this.button.focus(); });
    this.folds = make("div", { class: "h2o-folds" });
    this.box = make(
      "aside",
      { class: "h2o-settings", "aria-label": "Settings", hidden: "", keydown: (event) => this.onKey(event) },
      make("div", { class: "h2o-settings-head" }, make("h2", {}, "Settings"), close),
      this.folds,
    );
    this.presets = new Presets(chat);
    this.server = this.serverRow();
    this.onPress = ({ target }) => this.onOutside(target);
    document.addEventListener("pointerdown", this.onPress, true);
  }

  close() {
    document.removeEventListener("pointerdown", this.onPress, true);
  }

  get shown() {
    return !this.box.hidden;
  }

  show(shown) {
    this.box.hidden = !shown;
    this.chat.root.classList.toggle("h2o-with-settings", shown);
    this.button.setAttribute("aria-expanded", String(shown));
    if (shown) this.chat.send("settings");
  }

  /** Whether the settings cover the chat. */
  get overlaid() {
    return this.shown && getComputedStyle(this.box).getPropertyValue("--h2o-beside") !== "1";
  }

  /** Hide the settings if they cover the chat; return whether they did. */
  hide() {
    if (!this.overlaid) return false;
    this.show(false);
    this.button.focus();
    return true;
  }

  onKey(event) {
    if (event.key === "Escape" && this.hide()) event.stopPropagation();
  }

  /** Hide the settings after a press outside; keep the focus that it gives to something. */
  onOutside(target) {
    if (!this.overlaid || this.box.contains(target) || this.button.contains(target)) return;
    if (target.closest(".h2o-popover")) return; // the model's menu, opened from here
    this.show(false);
    setTimeout(() => {
      const focused = document.activeElement;
      if (!focused || focused === document.body || this.chat.log.box === focused) this.button.focus();
    });
  }

  /** Which model answers, and whether its server does. */
  serverRow() {
    const { chat } = this;
    this.model = make("button", { type: "button", class: "h2o-model", click: () => chat.models.show(this.model) });
    this.answers = make("span", { class: "h2o-setting-help", "aria-live": "polite" });
    const test = textButton("Test", () => chat.send("test"));
    return make(
      "div",
      { class: "h2o-setting" },
      make("div", { class: "h2o-setting-head" }, make("span", { class: "h2o-setting-name" }, "Model")),
      make("div", { class: "h2o-setting-line" }, this.model),
      make("div", { class: "h2o-setting-line" }, this.answers, test),
    );
  }

  on_state({ state }) {
    const { title, place } = state.model;
    this.model.replaceChildren(make("span", { class: "h2o-model-title" }, title), make("span", { class: "h2o-model-place" }, place), icon("chevron"));
    this.model.setAttribute("aria-label", `Model: ${[title, place].filter(Boolean).join(", ")}`);
  }

  on_form({ folds }) {
    if (this.fields.size) return;
    this.folds.replaceChildren(...folds.map((fold, place) => this.fold(fold, place)));
  }

  fold({ title, fields }, place) {
    const made = fields.map((spec) => {
      const { name } = spec;
      const field = new Field(spec, (text) => this.chat.send("set", { name, text }), () => this.chat.send("reset", { name }));
      this.fields.set(name, field);
      return field;
    });
    const changed = make("span", { class: "h2o-settings-fold-changed" });
    const first = place === 0 ? [this.server, this.presets.box] : [];
    const details = make("details", { class: "h2o-settings-fold", open: place === 0 ? "" : false }, make("summary", {}, title, changed), ...first, ...made.map(({ box }) => box));
    details.tell = () => {
      const count = made.filter((field) => field.changed).length;
      changed.textContent = count ? `${count} changed` : "";
    };
    return details;
  }

  on_values({ values, presets, server }) {
    for (const value of values) this.fields.get(value.name)?.show(value);
    this.presets.show(presets);
    this.answers.textContent = server.text;
    this.answers.classList.toggle("h2o-field-error", server.problem);
    for (const fold of this.folds.children) fold.tell();
  }

  on_refused({ name, text }) {
    if (name === "preset") this.presets.showError(text);
    else this.fields.get(name)?.showError(text);
  }
}
