import { icon, make } from "./dom.js";
import { ModelMenu } from "./model_menu.js";
import { Popover } from "./popover.js";

/** The model in use: a button that opens the menu of models, and says what is downloaded. */
export class Models {
  constructor(chat) {
    this.chat = chat;
    this.model = { name: "", title: "", server: "", place: "" };
    this.downloads = [];
    this.title = make("span", { class: "h2o-model-title h2o-about" });
    this.place = make("span", { class: "h2o-model-place" });
    this.progress = make("span", { class: "h2o-model-progress", hidden: "" });
    this.chip = make("button", { type: "button", class: "h2o-model" }, this.title, this.place, this.progress, icon("chevron"));
    this.menu = new ModelMenu(this);
    const { field, menu, form } = this.menu;
    const options = { label: "Choose a model", className: "h2o-models", opened: () => this.open(), closed: () => this.closed() };
    this.popover = new Popover(chat, this.chip, options, field, menu.box, form);
  }

  open() {
    this.chat.send("models");
    this.menu.reset();
    return this.menu.field;
  }

  /** Open the menu from another button, which gets the focus back. */
  show(opener) {
    this.popover.open();
    this.opener = opener;
  }

  closed() {
    this.menu.leave();
    if (document.activeElement === this.chip) this.opener?.focus();
    this.opener = null;
  }

  on_state({ state }) {
    this.model = state.model;
    const { title, place } = this.model;
    this.title.textContent = title.split("/").pop(); // of owner/name, or of a path
    this.place.textContent = place;
    this.chip.title = [title, place].filter(Boolean).join(", ");
    this.on_downloads(state);
  }

  on_downloads({ downloads }) {
    const before = this.downloads;
    this.downloads = downloads;
    this.showProgress();
    for (const download of this.downloads) {
      if (before.find(({ model }) => model === download.model)?.state === "running") this.tellEnd(download);
    }
    this.menu.refresh();
  }

  on_lost() {
    this.chip.disabled = true;
  }

  showProgress() {
    const running = this.downloads.filter(({ state }) => state === "running");
    // In tens: a screen reader may read each change.
    const words = running.map(({ title, percent }) => `${title} ${percent - (percent % 10)} %`).join(", ");
    this.progress.hidden = !running.length;
    this.progress.textContent = running.length ? `↓ ${running[0].percent} %` : "";
    this.progress.title = running.length ? `Downloading ${words}` : "";
    this.chip.setAttribute("aria-label", `Model: ${this.chip.title}${running.length ? `; downloading ${words}` : ""}`);
  }

  tellEnd({ title, state, problem }) {
    if (state === "done") this.chat.setStatus(`${title} is downloaded.`);
    else if (state === "failed") this.chat.refuse(`${title} was not downloaded: ${problem}`);
  }

  on_models({ group }) {
    this.menu.take(group);
  }

  on_connected({ text, n }) {
    this.chat.setStatus(text);
    if (n === this.menu.attempt) this.menu.reset();
  }

  on_unconnected({ text, n }) {
    if (n === this.menu.attempt) this.menu.showProblem(text);
  }
}
