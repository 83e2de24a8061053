// The frames of code in an answer.

import { button, make } from "./dom.js";

export function addCodeButtons(chat, body) {
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
