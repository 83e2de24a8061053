import { button, icon, make } from "./dom.js";

const MOST = 10; // files
const LARGEST = 50e6; // bytes of a file
const PIECE = 4e6; // bytes in a message, of which Jupyter takes 10 MB at most
const REMEMBERED = 20; // questions whose files can come back

/**
 * The files that go along with a question, as chips: new ones, which have `data`, and
 * images that an edited turn keeps, which have a `hash`.
 */
export class Attachments {
  constructor(composer) {
    this.composer = composer;
    this.items = [];
    this.sent = new Map(); // number of the question → its items
    this.list = make("ul", { class: "h2o-chips", "aria-label": "Attached files", hidden: "" });
    this.picker = make("input", { type: "file", multiple: "", hidden: "", change: () => this.onPick() });
    this.button = button("attach", "Attach files", () => this.picker.click());
  }

  get files() {
    return this.items.filter(({ data }) => data);
  }

  /** The hashes of the images that an edited turn keeps. */
  get kept() {
    return this.items.filter(({ hash }) => hash).map(({ hash }) => hash);
  }

  set(items) {
    this.items = items;
    this.list.replaceChildren(...items.map((item) => this.chip(item)));
    this.list.hidden = !items.length;
    this.composer.refresh();
  }

  onPick() {
    this.add([...this.picker.files]);
    this.picker.value = ""; // so that the same file can be chosen again
  }

  /** Attach what is pasted or dropped; return whether there was anything. */
  take({ files, types }) {
    // A cell of a spreadsheet comes as text, as HTML, and as a picture of itself.
    const isText = types.includes("text/plain") && types.includes("text/html");
    if (!files.length || isText || !this.composer.chat.alive) return false;
    this.add([...files]);
    return true;
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

  chip(item) {
    return fileChip(item, () => this.remove(item));
  }

  remove(item) {
    const place = this.items.indexOf(item);
    this.set(this.items.filter((other) => other !== item));
    const next = this.list.children[Math.min(place, this.items.length - 1)];
    (next?.querySelector("button") ?? this.composer.area).focus();
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

/** A file as a chip, with a button that calls `remove`. */
export function fileChip(item, remove) {
  return make(
    "li",
    { class: "h2o-chip", title: item.name },
    picture(item),
    make("span", { class: "h2o-chip-name" }, item.name),
    make("span", { class: "h2o-chip-size" }, item.about ?? (item.size == null ? "" : inWords(item.size))),
    button("close", `Remove ${item.name}`, remove),
  );
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

/** A chip's picture: of an image itself, else a sheet of paper. */
function picture({ data, source }) {
  const isImage = data?.type.startsWith("image/");
  if (!isImage && !source) return icon("file");
  const address = source || URL.createObjectURL(data);
  const shown = make("img", { src: address, alt: "" });
  const release = () => !source && URL.revokeObjectURL(address);
  shown.addEventListener("load", release);
  shown.addEventListener("error", () => { release(); shown.replaceWith(icon("file")); }); // no browser shows all kinds
  return shown;
}

function inWords(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
