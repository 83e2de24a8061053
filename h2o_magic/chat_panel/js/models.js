import { make } from "./dom.js";

/** The model in use. */
export class Models {
  constructor() {
    this.about = make("span", { class: "h2o-about" });
  }

  on_state({ state }) {
    this.about.textContent = state.about;
    this.about.title = state.about;
  }
}
