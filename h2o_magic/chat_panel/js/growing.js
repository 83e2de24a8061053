// An answer that grows: only its last block changes, and of a long one only the last part.
//
// turn: body; while it grows, block (the element of the last block) and chunks, each an
// {element, html}: the first is the block's own, those after it are parts in its frame.

import { closeCode, openCode } from "./code.js";
import { make, setHtml } from "./dom.js";

/** Show an answer that has no text yet. */
export function beginAnswer(turn) {
  turn.body.replaceChildren();
  addBlock(turn);
}

/** Apply a step: the number of a chunk, how much of its HTML stays, and what follows it. */
export function grow(chat, turn, [at, keep, added]) {
  if (at < 0) {
    endBlock(chat, turn);
    addBlock(turn);
    return;
  }
  const { chunks } = turn;
  while (chunks.length > at + 1) chunks.pop().element.remove();
  if (keep < 0) return;
  const code = at ? turn.block.querySelector(".h2o-growing > pre") : null;
  const follows = code && code.scrollHeight - code.scrollTop - code.clientHeight < 30;
  if (at === chunks.length) addPart(turn);
  chunks[at].html = chunks[at].html.slice(0, keep) + added;
  setHtml(chunks[at].element, chunks[at].html);
  if (!at) openCode(chat, turn.block);
  if (follows) code.scrollTop = code.scrollHeight;
}

/** Complete an answer that has grown to its end. */
export function endAnswer(chat, turn) {
  endBlock(chat, turn);
  if (!turn.block.hasChildNodes()) turn.block.remove();
  turn.block = turn.chunks = null;
}

function addBlock(turn) {
  turn.block = make("div", { class: "h2o-tail" });
  turn.chunks = [{ element: turn.block, html: "" }];
  turn.body.append(turn.block);
}

function addPart(turn) {
  const frame = turn.block.querySelector("code, table");
  const element = make(frame.tagName === "TABLE" ? "tbody" : "span", { class: "h2o-run" });
  frame.append(element);
  turn.chunks.push({ element, html: "" });
}

function endBlock(chat, turn) {
  closeCode(chat, turn.block);
  turn.block.className = "";
}
