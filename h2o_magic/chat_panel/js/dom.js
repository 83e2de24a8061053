// Elements of the page. Only `setHtml` inserts HTML, all of which html.py has made in the
// kernel.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  send: "M8 13V3M3.5 7.5 8 3l4.5 4.5",
  stop: "M4.5 4.5h7v7h-7z",
  copy: "M6 5.5h7v8H6zM4 10.5H3v-8h7v1",
  edit: "M3 13l.6-2.6L10.8 3.2l2 2L5.6 12.4zM9.5 4.5l2 2",
  regenerate: "M13 8a5 5 0 1 1-1.5-3.6M13 2.5v3h-3",
  remove: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 8.5h6l.5-8.5M7 7v3.5M9 7v3.5",
  insert: "M2.5 3h11v4h-11zM8 9.5v4M6 11.5h4",
  more: "M3.4 8a.6.6 0 1 0 1.2 0a.6.6 0 1 0-1.2 0M7.4 8a.6.6 0 1 0 1.2 0a.6.6 0 1 0-1.2 0M11.4 8a.6.6 0 1 0 1.2 0a.6.6 0 1 0-1.2 0",
  replace: "M2.5 3h11v4h-11zM4.5 12.5h7M9.5 10.5l2 2-2 2",
  previous: "M9.5 4 5.5 8l4 4",
  next: "M6.5 4l4 4-4 4",
  down: "M8 3v10M3.5 8.5 8 13l4.5-4.5",
  settings: "M2.5 4.5h6M11.5 4.5h2M2.5 11.5h2M7.5 11.5h6M10 3v3M6 10v3",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  close: "M4 4l8 8M12 4l-8 8",
  add: "M8 3v10M3 8h10",
  history: "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11zM8 5v3.2l2.2 1.4",
  branch: "M4.5 5.2v5.6M11.5 6.2v.5a2.8 2.8 0 0 1-2.8 2.8H4.5M4.5 2a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2zM4.5 10.8a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2zM11.5 3a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2z",
  chevron: "M4.5 6.5 8 10l3.5-3.5",
  check: "M3.5 8.5l3 3 6-7",
  image: "M2.5 3.5h11v9h-11zM2.5 11l3-3 2.5 2.5 2-2 3.5 3",
  download: "M8 2.5v7.5M4.5 6.5 8 10l3.5-3.5M3 13h10",
  undo: "M3 6.5h6.5a3.4 3.4 0 0 1 0 6.8H6M3 6.5l3-3M3 6.5l3 3",
  dock: "M2.5 3h11v10h-11zM9.5 3v10M11 5.5h1M11 7.5h1",
  braces: "M6 2.5c-2 0-2 1-2 2.5s0 2.5-1.5 3C4 8.5 4 9.5 4 11s0 2.5 2 2.5M10 2.5c2 0 2 1 2 2.5s0 2.5 1.5 3C12 8.5 12 9.5 12 11s0 2.5-2 2.5",
  output: "M2.5 3h11v10h-11zM5 6l2 2-2 2M8.5 10H11",
  unpack: "M3.5 5V3.5h9V5M8 3.5v9M6.5 12.5h3",
  file: "M4 2h5l3.5 3.5V14H4zM9 2v3.5h3.5",
};

/** Make an element. Attributes that are functions become listeners; `false` ones are left out. */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

export function button(name, label, click, more = {}) {
  const given = { type: "button", class: "h2o-button", title: label, "aria-label": label };
  return make("button", { ...given, ...more, click }, icon(name));
}

/** A button with its text; its `label`, if it has one, begins with the text. */
export function textButton(text, click, { label, ...more } = {}) {
  return make("button", { type: "button", class: "h2o-text-button", title: label, "aria-label": label, ...more, click }, text);
}

/** A listener for keys that takes Esc, which would otherwise stop an answer. */
export function onEscape(act) {
  return (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    act();
  };
}

/** Make a textarea as high as its text. */
export function fitHeight(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + 2}px`;
}

/** The parts of a text, with what is in backticks as code. */
export function withCode(text) {
  return text.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));
}

/** Show HTML that the kernel has made. */
export function setHtml(element, html) {
  element.innerHTML = html;
  for (const scrollable of element.querySelectorAll(".h2o-code > pre, table, math[display=block]")) {
    scrollable.tabIndex = 0; // for the keyboard
  }
}

/** Copy a text to the clipboard; return whether that was possible. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS, a page has no other access to the clipboard.
    const area = make("textarea", { class: "h2o-away", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
