import { button } from "./dom.js";

/** The settings, which ipywidgets shows beside the chat, or over it where it is narrow. */
export class Settings {
  constructor(chat) {
    this.chat = chat;
    this.button = button("settings", "Settings", () => this.show(!chat.state.controls), { "aria-expanded": "false" });
    this.onPress = (event) => this.onOutside(event);
    document.addEventListener("pointerdown", this.onPress, true);
  }

  end() {
    this.naming?.disconnect();
    document.removeEventListener("pointerdown", this.onPress, true);
  }

  get controls() {
    return this.chat.root.closest(".h2o-panel")?.querySelector(".h2o-controls");
  }

  show(shown) {
    this.chat.send("controls", { shown });
  }

  /** Whether the settings lie over the chat. */
  get overlaid() {
    const { controls } = this;
    return Boolean(this.chat.state.controls && controls?.offsetParent && getComputedStyle(controls).position === "absolute");
  }

  /** Close the settings where they lie over the chat; return whether they did. */
  close() {
    if (!this.overlaid) return false;
    this.show(false);
    this.button.focus();
    return true;
  }

  /** A press outside closes the settings, but where it gives something else the focus. */
  onOutside({ target }) {
    const inside = this.controls?.contains(target) || this.button.contains(target);
    if (inside || !this.overlaid) return;
    this.show(false);
    setTimeout(() => {
      const focused = document.activeElement;
      if (!focused || focused === document.body || this.chat.log.box === focused || this.controls.contains(focused)) this.button.focus();
    });
  }

  /** Escape closes the settings; and the handles of ipywidgets' sliders get a name. */
  follow(shown) {
    this.button.setAttribute("aria-expanded", String(shown));
    const { controls } = this;
    if (!controls || this.naming) return;
    const onKey = (event) => {
      if (event.key === "Escape" && this.close()) event.stopPropagation();
    };
    controls.addEventListener("keydown", onKey, true); // ipywidgets' texts keep their keys
    this.naming = new MutationObserver(() => {
      for (const slider of controls.querySelectorAll(".widget-slider")) {
        const handle = slider.querySelector(".noUi-handle:not([aria-label])");
        handle?.setAttribute("aria-label", slider.querySelector("label").textContent);
      }
    });
    this.naming.observe(controls, { childList: true, subtree: true });
  }
}
