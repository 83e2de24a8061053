import { make } from "./dom.js";

/** The questions that wait for earlier answers. */
export class Queue {
  constructor(chat) {
    this.chat = chat;
    this.list = make("div", { class: "h2o-list h2o-waiting" });
  }

  on_state({ state }) {
    this.show(state.queued);
  }

  on_lost() {
    this.show([]);
  }

  show(texts) {
    this.list.replaceChildren(
      ...texts.map((text) =>
        make("div", { class: "h2o-question" }, make("div", { class: "h2o-bubble h2o-md" }, text), make("div", { class: "h2o-actions" }, "Waiting for the previous answer")),
      ),
    );
    this.chat.log.follow();
  }
}
