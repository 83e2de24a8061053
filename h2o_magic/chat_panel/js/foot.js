// What is below an answer: its versions, what answered, and what can be done with it.

import { button, make, textButton } from "./dom.js";

export function footer(chat, { row }, name) {
  if (row.running) return [];
  const [chosen, count] = row.versions;
  const go = (to) => chat.send("version", { id: row.id, to });
  const again = () => {
    chat.send("regenerate", { id: row.id });
    if (chat.log.last?.row === row) chat.log.scroll.toEnd();
  };
  const stopped = row.status === "stopped";
  const actions = [
    ...(row.answer ? chat.copies.buttons(row, name) : []),
    row.problem || stopped || row.run ? null : button("regenerate", `Ask ${name} again`, again),
    button("branch", `Branch from ${name} in a new chat`, () => chat.threads.open("branch", { id: row.id })),
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
    stopped && !row.run ? textButton("Ask again", again, { label: `Ask again: ${name}` }) : null,
    row.cut ? textButton("Continue", () => chat.send("continue", { id: row.id }), { label: `Continue: let ${name} go on where it was cut off` }) : null,
    make("span", { class: "h2o-facts", title: row.facts.startsWith(row.model) ? row.facts : [row.model, row.facts].filter(Boolean).join(" · ") }, row.facts),
    make("span", { class: "h2o-actions", role: "group", "aria-label": `Answer of ${name}` }, ...actions),
  ].filter(Boolean);
}
