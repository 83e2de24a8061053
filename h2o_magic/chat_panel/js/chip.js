import { button, icon, make } from "./dom.js";

/**
 * A file as a chip: new ones have `data`, those of an edited turn a `hash` or only a name.
 * `actions` are called with the item: open, remove, unpack (of a text that was pasted).
 */
export function chip(item, actions) {
  const { name, data, pasted } = item;
  const label = [picture(item), make("span", { class: "h2o-chip-name" }, name), make("span", { class: "h2o-chip-size" }, item.about ?? (item.size == null ? "" : sizeInWords(item.size)))];
  return make(
    "li",
    { class: "h2o-chip" },
    data
      ? make("button", { type: "button", class: "h2o-chip-open", title: `${name}: ${sentAs(data)}. Click to see what would be sent.`, click: () => actions.open(item) }, ...label)
      : make("span", { class: "h2o-chip-open", title: `${name}: sent again as it was` }, ...label),
    pasted ? button("unpack", `Put ${name} into the text`, () => actions.unpack(item)) : null,
    button("close", `Remove ${name}`, () => actions.remove(item)),
  );
}

/** The files and images of a question that was sent, or will be; null for none. */
export function sentFiles(files) {
  if (!files.length) return null;
  const one = (file) =>
    file.source ? make("img", { src: file.source, alt: file.name, title: `${file.name}, ${file.about}` }) : sentChip(file);
  return make("div", { class: "h2o-images" }, ...files.map(one));
}

/** A chip of a file that was sent. */
function sentChip({ name, about, size }) {
  return make("span", { class: "h2o-chip h2o-chip-open", title: [name, about].filter(Boolean).join(", ") }, icon("file"), make("span", { class: "h2o-chip-name" }, name), size ? make("span", { class: "h2o-chip-size" }, sizeInWords(size)) : null);
}

function sentAs({ type }) {
  if (type.startsWith("image/")) return "sent as an image";
  return type === "application/pdf" ? "sent as the text in it" : "sent as text, cut if it does not fit";
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

function sizeInWords(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
