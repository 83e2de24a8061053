import { icon, make } from "./dom.js";

const modelFact = (text, name) => (text ? make("span", { class: `h2o-model-fact ${name}` }, text) : null);

/** The parts of a model's row in the menu. */
export function modelParts({ title, note, vision, size, context }, chosen) {
  const sees = make("span", { class: "h2o-model-sees" });
  if (vision) {
    sees.append(icon("image"));
    sees.title = "Takes images";
    sees.setAttribute("role", "img");
    sees.setAttribute("aria-label", "takes images");
  }
  return [
    make("span", { class: "h2o-model-check" }, chosen ? icon("check") : null),
    make("span", { class: "h2o-model-name", title: note ? `${title}: ${note}` : title }, title, " ", note ? make("span", { class: "h2o-model-note" }, note) : null),
    sees,
    modelFact(size, "h2o-model-size"),
    modelFact(context ? `${context.toLocaleString("en")} tokens` : "", "h2o-model-context"),
  ];
}

/** A model's row while it is downloaded: a bar, and how far it is. */
export function downloadParts({ title, percent, sizes }) {
  const done = make("span", { class: "h2o-model-done" });
  done.style.width = `${percent}%`;
  return [
    make("span", { class: "h2o-model-check" }, icon("download")),
    make("span", { class: "h2o-model-name" }, title, make("span", { class: "h2o-model-bar" }, done)),
    modelFact(sizes, "h2o-model-size"),
    modelFact(`${percent} %`, "h2o-model-context"),
  ];
}
