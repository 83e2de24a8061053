import { make, textButton, withCode } from "./dom.js";

/**
 * A card that says why an answer failed: the server's words, our advice, and for a status
 * of HTTP what else is known.
 */
export function problemCard({ words, advice, status, address, at }, again = null) {
  return make(
    "div",
    { class: "h2o-problem", role: "group", "aria-label": "The answer failed" },
    make("p", {}, ...withCode(words)),
    advice ? make("p", { class: "h2o-problem-advice" }, ...withCode(advice)) : null,
    make("div", { class: "h2o-problem-foot" }, again && textButton("Try again", again), status ? details({ status, address, at }) : null),
  );
}

/** Show why a turn's answer failed, below what came of it. */
export function showProblem(chat, turn) {
  turn.problem?.remove();
  const { problem, id, run } = turn.row;
  turn.problem = problem && problemCard(problem, run ? null : () => chat.send("regenerate", { id }));
  if (problem) turn.body.after(turn.problem);
}

function details({ status, address, at }) {
  const rows = [["Status", `HTTP ${status}`], ["Address", address], ["Time", at && new Date(at * 1000).toLocaleString()]];
  return make(
    "details",
    {},
    make("summary", {}, "Details"),
    make("dl", {}, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
  );
}
