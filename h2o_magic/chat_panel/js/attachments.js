import { chip } from "./chip.js";
import { make } from "./dom.js";

const MOST = 10; // files
const LARGEST = 50e6; // bytes of a file
const PIECE = 4e6; // bytes in a message, of which Jupyter takes 10 MB at most
const REMEMBERED = 20; // questions whose files can come back
const LONG_TEXT = 10_000; // characters of a pasted text that becomes a file

/**
 * The files that go along with a question, as chips: new ones, which have `data`, and
 * those that an edited turn keeps: images, which have a `hash`, and texts.
 */
export class Attachments {
  constructor(composer) {
    this.composer = composer;
    this.items = [];
    this.sent = new Map(); // number of the question → its items
    this.list = make("ul", { class: "h2o-chips", "aria-label": "Attached files", hidden: "" });
    this.picker = make("input", { type: "file", multiple: "", hidden: "", change: () => this.onPick() });
    this.actions = { open: (item) => this.open(item), remove: (item) => this.remove(item), unpack: (item) => this.unpack(item) };
  }

  get files() {
    return this.items.filter(({ data }) => data);
  }

  /** What an edited turn keeps: the hashes of images, the names of texts. */
  get kept() {
    const kept = this.items.filter(({ data }) => !data);
    return { images: kept.flatMap(({ hash }) => hash ?? []), texts: kept.filter(({ hash }) => !hash).map(({ name }) => name) };
  }

  /** The size of the texts. */
  get bytes() {
    const texts = this.items.filter(({ data, hash }) => !hash && !/^image|pdf$/.test(data?.type ?? ""));
    return texts.reduce((sum, { size }) => sum + size, 0);
  }

  set(items) {
    this.items = items;
    this.list.replaceChildren(...items.map((item) => chip(item, this.actions)));
    this.list.hidden = !items.length;
    this.composer.refresh();
    this.composer.checks.request();
  }

  onPick() {
    this.add([...this.picker.files]);
    this.picker.value = ""; // so that the same file can be chosen again
  }

  /** Attach what is pasted or dropped; return whether there was anything. */
  take(transfer) {
    const { files, types } = transfer;
    // A cell of a spreadsheet comes as text, as HTML, and as a picture of itself.
    const isText = types.includes("text/plain") && (types.includes("text/html") || !files.length);
    if (!this.composer.chat.alive) return false;
    if (isText) return this.takeLong(transfer.getData("text/plain"));
    if (files.length) this.add([...files]);
    return files.length > 0;
  }

  /** Attach a text that is too long for the field; return whether it was. */
  takeLong(text) {
    if (text.length <= LONG_TEXT || this.items.length >= MOST) return false;
    const data = new File([text], this.freeName("Pasted text.txt"), { type: "text/plain" });
    this.set([...this.items, { name: data.name, size: data.size, data, pasted: text }]);
    this.composer.chat.setStatus("The long text was attached. The button on it puts it back as text.");
    return true;
  }

  /** Put a pasted text into the message. */
  unpack(item) {
    this.remove(item);
    this.composer.insert(item.pasted);
  }

  open(item) {
    this.composer.deliver("peek", {}, { files: [item] });
  }

  async add(files) {
    const refusals = new Set();
    for (const file of files) {
      const refusal = await this.refusal(file);
      if (refusal) refusals.add(refusal);
      else this.set([...this.items, { name: this.freeName(file.name), size: file.size, data: file }]);
    }
    if (refusals.size) this.composer.chat.refuse([...refusals].join(" "));
    this.composer.area.focus();
  }

  async refusal(file) {
    if (file.size > LARGEST) return `${file.name} is larger than ${LARGEST / 1e6} MB: attach a part of it.`;
    try {
      await file.slice(0, 1).arrayBuffer(); // fails for a folder
    } catch {
      return `${file.name} cannot be read: attach files, not folders.`;
    }
    return this.items.length < MOST ? "" : `A question takes ${MOST} files at most: the others were left out.`;
  }

  /** Return a name that no other file here has: all pasted images are called the same. */
  freeName(name) {
    const [, stem, suffix] = /^(.*?)(\.[^.]*)?$/s.exec(name);
    const names = this.items.map((item) => item.name);
    for (let number = 2; names.includes(name); number += 1) name = `${stem}-${number}${suffix ?? ""}`;
    return name;
  }

  remove(item) {
    const place = this.items.indexOf(item);
    this.set(this.items.filter((other) => other !== item));
    const next = this.list.children[Math.min(place, this.items.length - 1)];
    (next?.querySelector(".h2o-button:last-child") ?? this.composer.area).focus();
    this.composer.chat.setStatus(`Removed ${item.name}.`, true);
  }

  remember(number) {
    this.sent.set(number, this.items);
    if (this.sent.size > REMEMBERED) this.sent.delete(this.sent.keys().next().value);
  }

  /** Put the files of a question back that was not asked. */
  restore(number) {
    if (!this.items.length) this.set(this.sent.get(number) ?? []);
  }
}

/** Send files to the kernel in pieces; return their names. */
export async function upload(chat, files) {
  for (const [file, { name, data }] of files.entries()) {
    let at = 0;
    do {
      const piece = await data.slice(at, at + PIECE).arrayBuffer().catch(() => {
        throw new Error(`${name} cannot be read any more: attach it again.`);
      });
      chat.send("piece", { file, at }, [piece]);
      at += PIECE;
    } while (at < data.size);
  }
  return files.map(({ name }) => name);
}
