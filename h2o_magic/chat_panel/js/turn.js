// One turn in its `article`: rendered whole, or growing while its answer is written.
//
// turn: {id, article, row, near, height} and, once rendered, body, foot; while it grows,
// reasoning (an element), waiting (what is said before the first text, and the caret), and
// what growing.js keeps of its last block.

import { sentFiles } from "./chip.js";
import { closeCode } from "./code.js";
import { button, make, setHtml, textButton } from "./dom.js";
import { footer } from "./foot.js";
import { leadNotes } from "./footnotes.js";
import { beginAnswer, endAnswer, grow } from "./growing.js";
import { showProblem } from "./problem.js";
import { Waiting } from "./waiting.js";

export function renderTurn(chat, turn) {
  const { row, article } = turn;
  const name = `turn ${row.number}`;
  const question = make("div", { class: "h2o-md" });
  setHtml(question, row.question_html);
  turn.body = make("div", { class: "h2o-md h2o-body" });
  turn.body.addEventListener("click", leadNotes);
  turn.waiting?.finish();
  turn.waiting = row.running ? new Waiting(row.elapsed, row.run && stopOf(chat)) : null;
  if (row.running) restart(turn);
  else {
    setHtml(turn.body, row.answer_html || none(row));
    closeCode(chat, turn.body);
  }
  turn.foot = make("footer", { class: "h2o-foot" }, ...footer(chat, turn, name));
  markStatus(turn);
  article.replaceChildren(
    make(
      "div",
      { class: "h2o-question" },
      make("div", { class: "h2o-bubble" }, sentFiles([...row.images, ...row.files]), question, sent(row)),
      make(
        "div",
        { class: "h2o-actions", role: "group", "aria-label": `Question of ${name}` },
        row.run ? null : button("edit", `Edit the question of ${name} and ask again`, () => chat.edit(turn)),
        button("copy", `Copy the question of ${name}`, () => chat.copy(row.question, "question")),
        button("remove", `Delete ${name}`, () => chat.deleteTurn(row.id)),
        row.from_cell ? make("span", { class: "h2o-from" }, "from a cell") : null,
      ),
    ),
    make("div", { class: "h2o-answer" }, turn.body, turn.foot),
  );
  showProblem(chat, turn);
}

/** What stops a run over a table, which answers go on beside. */
function stopOf(chat) {
  return textButton("Stop", () => chat.stopRun(), { label: "Stop the run over the table" });
}

/** What the model was given of a question, with the values that it names. */
function sent({ sent: text }) {
  if (!text) return null;
  return make("details", { class: "h2o-sent" }, make("summary", {}, "Sent with the question"), make("pre", { tabindex: "0" }, text));
}

/** What is shown of an answer without any text. */
function none({ status }) {
  return status === "complete" ? '<p class="h2o-none">(empty answer)</p>' : "";
}

/** Complete an answer that has grown to its end in this view. */
export function finishTurn(chat, turn) {
  turn.waiting?.finish();
  showProblem(chat, turn);
  endAnswer(chat, turn);
  if (!turn.body.textContent.trim() && !turn.body.querySelector("img")) setHtml(turn.body, none(turn.row));
  turn.foot.replaceChildren(...footer(chat, turn, `turn ${turn.row.number}`));
  turn.reasoning = null;
  markStatus(turn);
}

/** Apply a delta: steps of its text, more reasoning, or what the server is doing. */
export function applyDelta(chat, turn, { html: steps = [], restart: restarted, reasoning, notice }) {
  const { waiting } = turn;
  if (restarted) restart(turn);
  if (reasoning) addReasoning(chat, turn, reasoning);
  if (notice) waiting.tell(notice);
  if (steps.length || reasoning) waiting.end();
  for (const step of steps) grow(chat, turn, step);
  waiting.place(turn.block);
}

function restart(turn) {
  beginAnswer(turn);
  turn.waiting.place(turn.block);
  turn.reasoning?.remove();
  turn.reasoning = null;
}

function addReasoning(chat, turn, text) {
  if (!turn.reasoning) {
    turn.reasoning = make("details", { class: "h2o-reasoning" }, make("summary", {}, "Reasoning"), make("pre"));
    turn.reasoning.open = chat.state.reasoning === "show";
    turn.body.before(turn.reasoning);
  }
  turn.reasoning.lastChild.append(text);
}

function markStatus({ article, row }) {
  article.classList.toggle("h2o-running", row.running);
}
