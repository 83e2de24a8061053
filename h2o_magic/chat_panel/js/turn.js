// One turn in its `article`: built whole, or growing while its answer comes.
//
// turn: {id, article, row, near, height} and, once built, body, foot; while it grows, tail
// (the HTML of the last piece), last (its element) and thought (the reasoning).

import { button, make, put } from "./dom.js";

export function build(chat, turn) {
  const { row, article } = turn;
  const about = `turn ${row.n}`;
  const question = make("div", { class: "h2o-md" });
  put(question, row.q);
  turn.body = make("div", { class: "h2o-md h2o-body" });
  if (row.live) start(turn);
  else put(turn.body, row.a || '<p class="h2o-none">(an empty answer)</p>');
  if (!row.live) dress(chat, turn.body);
  turn.foot = make("footer", { class: "h2o-foot" }, ...foot(chat, turn, about));
  article.setAttribute("aria-label", `Turn ${row.n}`);
  mark(turn);
  article.replaceChildren(
    make(
      "div",
      { class: "h2o-question" },
      question,
      make(
        "div",
        { class: "h2o-actions", role: "group", "aria-label": `Question of ${about}` },
        row.cell ? make("span", { class: "h2o-from", title: "Asked by a cell" }, "cell") : null,
        button("edit", `Edit the question of ${about} and ask again`, () => chat.edit(turn)),
        button("copy", `Copy the question of ${about}`, () => chat.copy(row.question, "question")),
        button("remove", `Delete ${about}`, () => chat.remove(row.id)),
      ),
    ),
    make("div", { class: "h2o-answer" }, turn.body, turn.foot),
  );
}

/** Mark an answer that has grown to its end here. */
export function finish(chat, turn) {
  for (const piece of [...turn.body.children]) piece.replaceWith(...piece.childNodes);
  dress(chat, turn.body);
  turn.foot.replaceChildren(...foot(chat, turn, `turn ${turn.row.n}`));
  turn.thought = null;
  mark(turn);
}

/** Take what has grown: each piece is what stays of the last text, and what is new. */
export function grow(chat, turn, { p: pieces, x: anew, t: thought, w: notice }) {
  if (!turn?.row?.live || !turn.body) return;
  if (anew) start(turn);
  if (thought) think(chat, turn, thought);
  if (notice != null) turn.article.querySelector(".h2o-notice").textContent = notice;
  (pieces ?? []).forEach(([keep, added], place) => {
    turn.tail = turn.tail.slice(0, keep) + added;
    put(turn.last, turn.tail);
    if (place === pieces.length - 1) return;
    turn.last.className = "";
    turn.last = make("div", { class: "h2o-tail" });
    turn.body.append(turn.last);
    turn.tail = "";
  });
}

function start(turn) {
  turn.tail = "";
  turn.last = make("div", { class: "h2o-tail" });
  turn.body.replaceChildren(turn.last);
  turn.thought?.remove();
  turn.thought = null;
}

function think(chat, turn, text) {
  if (!turn.thought) {
    turn.thought = make("details", { class: "h2o-thought" }, make("summary", {}, "Reasoning"), make("pre"));
    turn.thought.open = chat.state.reasoning === "show";
    turn.body.before(turn.thought);
  }
  turn.thought.lastChild.append(text);
}

function mark({ article, row }) {
  article.classList.toggle("h2o-running", Boolean(row.live));
  article.classList.toggle("h2o-unfinished", !row.live && row.s !== "complete");
}

function foot(chat, { row }, about) {
  if (row.live) return [make("span", { class: "h2o-notice" }, row.notice || "")];
  const [chosen, count] = row.v ?? [1, 1];
  const go = (to) => chat.send("version", { id: row.id, to });
  const actions = [
    button("copy", `Copy the answer of ${about}`, () => chat.copy(row.answer, "answer")),
    button("again", `Ask ${about} again`, () => chat.send("regenerate", { id: row.id })),
  ];
  const versions = make(
    "span",
    { class: "h2o-versions", role: "group", "aria-label": `Versions of ${about}` },
    button("before", `Earlier version of ${about}`, () => go(chosen - 1), { disabled: chosen < 2 ? "" : false }),
    make("span", {}, `${chosen} of ${count}`),
    button("after", `Later version of ${about}`, () => go(chosen + 1), { disabled: chosen >= count ? "" : false }),
  );
  return [
    count > 1 ? versions : null,
    row.m ? make("span", { class: "h2o-mark" }, row.m) : null,
    make("span", { class: "h2o-facts" }, row.f),
    make("span", { class: "h2o-actions", role: "group", "aria-label": `Answer of ${about}` }, ...actions),
  ].filter(Boolean);
}

/** Give code blocks their buttons. */
function dress(chat, body) {
  for (const block of body.querySelectorAll(".h2o-code")) {
    const code = () => block.querySelector("code").textContent.replace(/\n$/, "");
    const language = block.dataset.language;
    block.prepend(
      make(
        "div",
        { class: "h2o-code-head" },
        make("span", {}, language || "code"),
        button("copy", "Copy the code", () => chat.copy(code(), "code")),
        button("insert", "Insert the code into a new cell below", () => chat.notebook.insert(code())),
      ),
    );
  }
}
