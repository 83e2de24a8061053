import { button, make, onEscape, textButton } from "./dom.js";
import { downloadParts, modelParts } from "./model_row.js";
import { Menu } from "./popover.js";
import { folded, holds, wordsOf } from "./words.js";

const MOST_ROWS = 100; // rows of a server that are shown before something is searched for

/**
 * The models that could answer, by server; a field searches them. What the kernel knows is
 * there at once, and replaced as the servers answer.
 */
export class ModelMenu {
  constructor(models) {
    this.models = models;
    this.chat = models.chat;
    this.groups = new Map();
    this.confirming = null;
    this.attempt = 0; // to connect; what comes of an earlier one no longer matters
    this.field = make("input", { type: "text", "aria-label": "Search models", placeholder: "Search models", spellcheck: "false", autocomplete: "off", input: () => this.fill() });
    this.menu = new Menu({ label: "Models", owner: this.field });
    this.address = make("input", { type: "text", "aria-label": "Address of the server", placeholder: "http://HOST:PORT", spellcheck: "false", autocomplete: "off", keydown: onEscape(() => this.askAddress(false)) });
    this.connecting = textButton("Connect", () => {}, { type: "submit" });
    this.problem = make("div", { class: "h2o-models-problem", "aria-live": "polite" });
    this.form = make(
      "form",
      { class: "h2o-models-connect", hidden: "", submit: (event) => this.connect(event) },
      make("div", { class: "h2o-models-address" }, button("previous", "Back to the models", () => this.askAddress(false)), this.address, this.connecting),
      this.problem,
    );
  }

  /** Begin anew: nothing is searched for, the model in use is selected. */
  reset() {
    this.field.value = "";
    this.confirming = null;
    this.askAddress(false);
    this.fill();
  }

  leave() {
    this.confirming = null;
  }

  /** Take over a group of models from the kernel; what nobody has selected may change. */
  take(group) {
    this.groups.set(`${group.kind} ${group.server ?? ""}`, group);
    if (this.models.popover.isOpen) this.fill(this.menu.current?.key !== this.preselected);
  }

  /** Show the news of the model in use and of downloads. */
  refresh() {
    if (this.models.popover?.isOpen) this.fill(true);
  }

  /** Show what fits the search; `keep` what was selected, and the place scrolled to. */
  fill(keep = false) {
    const { menu } = this;
    const [key, top] = [menu.current?.key, menu.box.scrollTop];
    const groups = this.ordered().map((group) => this.shown(group));
    menu.fill([...groups, { items: this.last(groups.some(({ items }) => items.length)) }]);
    if (!keep) {
      this.preselected = menu.current?.key;
      if (!menu.place) menu.box.scrollTop = 0; // the label above, too
      return;
    }
    const place = menu.items.findIndex((item) => item.key === key);
    if (place >= 0) menu.select(place, false);
    menu.box.scrollTop = top;
  }

  /** The groups: that of the server in use first, what could be downloaded last. */
  ordered() {
    const { server } = this.models.model;
    const rank = ({ kind, server: key = "" }) => (kind === "download" ? 3 : key === server ? 0 : kind === "server" ? 1 : 2);
    const groups = [...this.groups.values()];
    if (!this.groups.has("download ")) groups.push({ kind: "download", models: [] });
    return groups.sort((one, other) => rank(one) - rank(other));
  }

  shown(group) {
    const { kind, server = "", asking, problem } = group;
    const found = this.matching(group);
    const items = kind === "download" ? this.downloads(found) : found.slice(0, MOST_ROWS).flatMap((model) => this.item(server, model));
    if (found.length > MOST_ROWS && kind === "server") items.push(this.line(`${found.length - MOST_ROWS} more: search for them`, `more ${server}`));
    if (!this.field.value) {
      if (problem) items.push(this.line(problem, `problem ${server}`));
      else if (asking && !found.length) items.push(this.line(kind === "here" ? "Looking …" : "Asking …", `asking ${server}`));
    }
    const label = { here: "On this machine", download: "To download", server: group.server }[kind];
    return { label: group.url && group.url !== server ? `${label} · ${group.url}` : label, items };
  }

  matching({ models = [], server = "", kind }) {
    const words = wordsOf(this.field.value);
    const place = kind === "here" ? "this machine" : server;
    return models.filter(({ name, title }) => holds(folded(`${name} ${title} ${place}`), words));
  }

  item(server, model) {
    const { model: current } = this.models;
    const chosen = server === current.server && model.name === current.name;
    return { key: `${server} ${model.name}`, parts: modelParts(model, chosen), chosen, run: () => this.choose(server, model.name) };
  }

  /** A line of text that cannot be chosen. */
  line(text, key, className = "") {
    return { key, parts: [make("span", { class: `h2o-models-line ${className}` }, text)], disabled: true, run() {} };
  }

  /** A row that does something; those of a download look like buttons, beside each other. */
  action(text, key, run, name = "") {
    return { key, parts: [make("span", { class: `h2o-models-action ${name}` }, text)], run };
  }

  press(text, key, run) {
    return this.action(text, key, run, "h2o-models-press");
  }

  /** The rows of models to download, and of those that are being downloaded. */
  downloads(found) {
    const under = new Map(this.models.downloads.map((download) => [download.model, download]));
    const listed = new Set((this.groups.get("download ")?.models ?? []).map(({ name }) => name));
    const others = [...under.values()].filter(({ model, state }) => !listed.has(model) && ["running", "failed"].includes(state));
    return [...others.map(({ model, title }) => ({ name: model, title })), ...found].flatMap((model) => this.download(model, under.get(model.name)));
  }

  download(model, download) {
    const { name, size, licence } = model;
    const key = `download ${name}`;
    const pull = () => { this.confirming = null; this.chat.send("pull", { model: name }); };
    const stop = () => this.chat.send("stop_pull", { model: name });
    if (download?.state === "running") {
      return [{ key, parts: downloadParts(download), disabled: true, run() {} }, this.press("Cancel", `${key} stop`, stop)];
    }
    const row = { key, parts: modelParts(model, false), run: () => this.confirm(name) };
    if (download?.state === "failed") {
      return [row, this.line(download.problem, `${key} why`, "h2o-models-why"), this.press("Try again", `${key} pull`, pull), this.press("Dismiss", `${key} dismiss`, stop)];
    }
    if (this.confirming !== name) return [row];
    const terms = licence ? `Licence: ${licence}.` : "The licence is stated on the model's page.";
    const dismiss = () => this.confirm(null, key);
    return [row, this.line(terms, `${key} terms`), this.press(`Download ${size}`, `${key} pull`, pull), this.press("Cancel", `${key} cancel`, dismiss)];
  }

  /** Ask whether a model is to be downloaded; null for none. */
  confirm(name, selected = `download ${name} pull`) {
    this.confirming = this.confirming === name ? null : name;
    this.fill(true);
    const place = this.menu.items.findIndex(({ key }) => key === selected);
    if (place >= 0) this.menu.select(place);
  }

  /** What is always there: another server; and a name that is not `found`, as it was typed. */
  last(found) {
    const name = this.field.value.trim();
    const { server } = this.models.model;
    const place = server || "this machine";
    const typed = name && !found ? [this.action(`Use “${name}” on ${place}`, "typed", () => this.choose(server, name))] : [];
    return [...typed, this.action("Another server …", "server", () => this.askAddress(true))];
  }

  choose(server, model) {
    this.chat.send("choose", { server, model });
    this.models.popover.close();
  }

  /** Show the field for an address in place of the list, or the list again. */
  askAddress(asked) {
    this.attempt += 1;
    this.form.hidden = !asked;
    this.field.hidden = this.menu.box.hidden = asked;
    this.showProblem("");
    if (!this.models.popover?.isOpen) return;
    (asked ? this.address : this.field).focus();
  }

  connect(event) {
    event.preventDefault();
    if (!this.address.value.trim()) return;
    this.showProblem("");
    this.problem.textContent = "Connecting …";
    this.connecting.disabled = true;
    this.attempt += 1;
    this.chat.send("connect", { server: this.address.value, n: this.attempt });
  }

  showProblem(text) {
    this.problem.textContent = text;
    this.problem.classList.toggle("h2o-models-why", Boolean(text));
    this.connecting.disabled = false;
  }
}
