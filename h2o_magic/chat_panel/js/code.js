// The frames of code in an answer: what can be done with the code, and long code folded.

import { cellSource } from "./cellsource.js";
import { button, make } from "./dom.js";

const LONG = 40; // lines that are shown of longer code

/** Show frames of code that is still growing: what can be done with it, but not yet. */
export function openCode(chat, root) {
  for (const block of root.querySelectorAll(".h2o-code:not(.h2o-growing)")) {
    block.classList.add("h2o-growing");
    setActions(chat, block, "");
  }
}

/** Show frames of code that is complete. */
export function closeCode(chat, root) {
  for (const block of root.querySelectorAll(".h2o-code")) {
    block.classList.remove("h2o-growing");
    setActions(chat, block, false);
    const lines = codeOf(block).split("\n").length;
    if (lines > LONG && !block.querySelector(".h2o-fold")) addFold(block, lines);
  }
}

function codeOf(block) {
  return block.querySelector("code").textContent.replace(/\n$/, "");
}

function setActions(chat, block, disabled) {
  const head = block.querySelector(".h2o-code-head");
  const code = codeOf(block);
  const cell = cellSource(code, block.dataset.language);
  const { notebook } = chat;
  const insert = ({ altKey }) => notebook.insert(cell.source, { above: altKey });
  const replace = () => notebook.replace(cell.source);
  const actions = [
    button("copy", "Copy the code", () => chat.copy(code, "code"), { disabled }),
    cell && button("insert", "Insert below the active cell", insert, { disabled, title: `Insert below the active cell${cell.as} (Alt: above)` }),
    cell && notebook.canReplace && button("replace", "Replace the active cell", replace, { disabled, title: `Replace the active cell${cell.as}` }),
  ];
  head.replaceChildren(head.firstChild, ...actions.filter(Boolean));
}

/** Fold long code to its first lines. */
function addFold(block, lines) {
  const code = block.querySelector("pre");
  const set = (folded) => {
    block.classList.toggle("h2o-folded", folded);
    toggle.textContent = folded ? `Show all ${lines.toLocaleString("en")} lines` : "Show less";
    toggle.setAttribute("aria-expanded", String(!folded));
  };
  const click = () => {
    set(!block.classList.contains("h2o-folded"));
    block.scrollIntoView({ block: "nearest" });
  };
  const toggle = make("button", { type: "button", class: "h2o-fold", click });
  block.append(toggle);
  set(true);
  code.scrollTop = 0;
}
