import { button } from "./dom.js";

/** The settings: widgets beside the chat, or over it if the panel is narrow. */
export class Settings {
  constructor(chat) {
    this.chat = chat;
    this.button = button("settings", "Settings", () => this.show(!chat.state.controls), { "aria-expanded": "false" });
    this.onPress = (event) => this.onOutside(event);
    document.addEventListener("pointerdown", this.onPress, true);
  }

  close() {
    this.naming?.disconnect();
    document.removeEventListener("pointerdown", this.onPress, true);
  }

  get controls() {
    return this.chat.root.closest(".h2o-panel")?.querySelector(".h2o-controls");
  }

  show(shown) {
    this.chat.send("controls", { shown });
  }

  /** Whether the settings cover the chat. */
  get overlaid() {
    const { controls } = this;
    return Boolean(this.chat.state.controls && controls?.offsetParent && getComputedStyle(controls).position === "absolute");
  }

  /** Hide the settings if they cover the chat; return whether they did. */
  hide() {
    if (!this.overlaid) return false;
    this.show(false);
    this.button.focus();
    return true;
  }

  /** Hide the settings after a press outside; keep the focus that it gives to something. */
  onOutside({ target }) {
    const inside = this.controls?.contains(target) || this.button.contains(target);
    if (inside || !this.overlaid) return;
    this.show(false);
    setTimeout(() => {
      const focused = document.activeElement;
      if (!focused || focused === document.body || this.chat.log.box === focused || this.controls.contains(focused)) this.button.focus();
    });
  }

  /** Take over the kernel's state; once there are controls, prepare them. */
  on_state({ state }) {
    this.button.setAttribute("aria-expanded", String(state.controls));
    const { controls } = this;
    if (!controls || this.naming) return;
    const onKey = (event) => {
      if (event.key === "Escape" && this.hide()) event.stopPropagation();
    };
    controls.addEventListener("keydown", onKey, true); // before ipywidgets' fields stop it
    // ipywidgets gives the handles of its sliders no names.
    this.naming = new MutationObserver(() => {
      for (const slider of controls.querySelectorAll(".widget-slider")) {
        const handle = slider.querySelector(".noUi-handle:not([aria-label])");
        handle?.setAttribute("aria-label", slider.querySelector("label").textContent);
      }
    });
    this.naming.observe(controls, { childList: true, subtree: true });
  }
}
