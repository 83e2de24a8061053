// What is below an answer: its versions, what answered, and what can be done with it.

import { button, make } from "./dom.js";

export function footer(chat, { row }, name) {
  if (row.running) return [make("span", { class: "h2o-notice" })];
  const [chosen, count] = row.versions;
  const go = (to) => chat.send("version", { id: row.id, to });
  const actions = [
    ...chat.copies.buttons(row, name),
    button("regenerate", `Ask ${name} again`, () => chat.send("regenerate", { id: row.id })),
  ];
  const versions = make(
    "span",
    { class: "h2o-versions", role: "group", "aria-label": `Versions of ${name}` },
    button("previous", `Earlier version of ${name}`, () => go(chosen - 1), { disabled: chosen < 2 ? "" : false }),
    make("span", {}, `${chosen} of ${count}`),
    button("next", `Later version of ${name}`, () => go(chosen + 1), { disabled: chosen >= count ? "" : false }),
  );
  return [
    count > 1 ? versions : null,
    row.mark ? make("span", { class: "h2o-mark" }, row.mark) : null,
    row.cut ? make("button", { type: "button", class: "h2o-text-button", title: "Let the answer go on where it was cut off", click: () => chat.send("continue", { id: row.id }) }, "Continue") : null,
    make("span", { class: "h2o-facts", title: row.facts }, row.facts),
    make("span", { class: "h2o-actions", role: "group", "aria-label": `Answer of ${name}` }, ...actions),
  ].filter(Boolean);
}
