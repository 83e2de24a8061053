import { chip, sentFiles } from "./chip.js";
import { button, fitHeight, make, textButton } from "./dom.js";
import { problemCard } from "./problem.js";
import { Waiting } from "./waiting.js";

/**
 * The questions that wait for the answers before them, and those that were not sent. The
 * kernel lists them, by `id`: {text, files, cell, waits, unsent, why, problem, view, n, turn}.
 */
export class Queue {
  constructor(chat) {
    this.chat = chat;
    this.entries = new Map(); // id → Entry
    this.offered = new Set(); // ids of those that the composer could have taken
    this.list = make("ul", { class: "h2o-list h2o-waiting", "aria-label": "Questions not sent yet" });
  }

  on_queue({ items }) {
    const before = this.entries;
    this.entries = new Map(items.map((item) => [item.id, before.get(item.id) ?? new Entry(this, item)]));
    for (const [id, entry] of before) if (!this.entries.has(id)) this.drop(entry);
    this.list.append(...[...this.entries.values()].map(({ element }) => element));
    for (const item of items) {
      this.entries.get(item.id).update(item);
      if (item.unsent && item.view === this.chat.view && !this.offered.has(item.id)) this.takeBack(item);
    }
    this.chat.log.scroll.follow();
  }

  on_queue_removed({ item }) {
    this.chat.toast.show("The question was removed.", () => this.chat.send("queue_restore", { item }));
  }

  on_lost() {
    this.on_queue({ items: [] });
  }

  /** Put a question that was not sent into the composer, if that is empty. */
  takeBack({ id, text, turn, n, why, problem }) {
    const { composer } = this.chat;
    this.offered.add(id);
    if (problem || !composer.isEmpty) return;
    composer.restore(text, turn, n);
    composer.onInput(true);
    composer.completions.close();
    this.chat.send("queue_take", { item: id });
    if (why) this.chat.refuse(why);
  }

  /** Take an entry away that is not listed any more; what was typed in it is not lost. */
  drop(entry) {
    const focused = entry.element.contains(document.activeElement);
    if (this.chat.alive) entry.saveTyped();
    entry.element.remove();
    if (focused) (this.list.querySelector("button") ?? this.chat.composer.area).focus();
  }
}

/** One question of the list. */
class Entry {
  constructor(queue, item) {
    this.queue = queue;
    this.chat = queue.chat;
    this.element = make("li", { class: "h2o-queued" });
    this.item = item;
    this.draw();
  }

  update(item) {
    const same = JSON.stringify(item) === JSON.stringify(this.item);
    if (!item.waits) this.saveTyped();
    this.item = item;
    if (!same && !this.area) this.draw();
  }

  draw() {
    const { item } = this;
    const label = this.element.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
    this.area = null;
    this.element.classList.toggle("h2o-unsent", item.unsent);
    this.element.classList.toggle("h2o-begins", !item.waits);
    this.waiting = item.waits ? null : this.waiting ?? new Waiting(0);
    const why = item.unsent && !item.problem && item.why;
    this.element.replaceChildren(
      make("div", { class: "h2o-bubble h2o-queued-text", tabindex: "0" }, sentFiles(item.files), item.text),
      make("div", { class: "h2o-actions" }, item.cell ? make("span", { class: "h2o-from", title: "Asked by a cell" }, "cell") : null, make("span", { class: "h2o-queued-state" }, this.state), ...this.buttons),
      this.waiting ? make("div", { class: "h2o-answer" }, this.waiting.caret, this.waiting.box) : "",
      why ? make("p", { class: "h2o-why" }, why) : "",
      item.problem ? problemCard(item.problem, () => this.send()) : "",
    );
    if (label) ([...this.element.querySelectorAll("button")].find((each) => each.getAttribute("aria-label") === label) ?? this.chat.composer.area).focus();
  }

  get state() {
    if (this.item.unsent) return "Not sent";
    return this.item.waits ? "Queued" : "";
  }

  get buttons() {
    const { item } = this;
    if (item.cell || !item.waits) return [];
    const name = `“${item.text.slice(0, 40)}”`;
    const [send, label] = item.unsent ? ["Send", `Send ${name}`] : ["Send now", `Send ${name} now: stops the answer that is being written`];
    return [
      item.problem ? null : textButton(send, () => this.send(), { label }),
      button("edit", `Edit ${name}`, () => this.edit()),
      button("remove", `Remove ${name}`, () => this.chat.send("queue_remove", { item: item.id })),
    ].filter(Boolean);
  }

  send() {
    this.chat.send("queue_send", { item: this.item.id });
  }

  edit() {
    const { item } = this;
    this.kept = item.files.map((_, place) => place);
    this.area = make("textarea", {
      "aria-label": "Question",
      rows: "1",
      input: () => this.fit(),
      keydown: (event) => this.onKey(event),
    });
    this.area.value = item.text;
    const files = make("ul", { class: "h2o-chips", "aria-label": "Attached files" });
    const show = () => files.replaceChildren(...this.kept.map((place) => chip(item.files[place], { remove: () => {
      this.kept = this.kept.filter((other) => other !== place);
      show();
      this.area.focus();
    } })));
    show();
    this.element.replaceChildren(
      make("div", { class: "h2o-field" }, files, this.area),
      make("div", { class: "h2o-actions" }, textButton("Cancel", () => this.stopEditing(), { label: "Cancel editing (Esc)" }), textButton("Save", () => this.save(), { label: "Save the question (Enter)" })),
    );
    this.fit();
    this.area.focus();
    this.area.setSelectionRange(item.text.length, item.text.length);
  }

  fit() {
    fitHeight(this.area);
    this.chat.log.scroll.follow();
  }

  onKey(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) this.save();
    else if (event.key === "Escape") this.stopEditing();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  save() {
    const text = this.area.value.trim();
    if (!text) return;
    const { id, files } = this.item;
    if (text !== this.item.text || this.kept.length !== files.length) this.chat.send("queue_change", { item: id, text, keep: this.kept });
    this.stopEditing();
  }

  /** Send what is typed in place of a question that leaves the queue: it is not lost. */
  saveTyped() {
    if (!this.area) return;
    this.save();
    this.area = null;
  }

  stopEditing() {
    const focused = this.element.contains(document.activeElement);
    this.draw();
    if (focused) this.element.firstChild.focus();
  }
}
