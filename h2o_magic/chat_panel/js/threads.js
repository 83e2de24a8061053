import { make } from "./dom.js";

/** The threads of the conversation, and which of them is shown. */
export class Threads {
  constructor(chat) {
    this.chat = chat;
    this.select = make("select", { class: "h2o-threads", "aria-label": "Thread", change: () => chat.send("thread", { name: this.select.value }) });
  }

  on_state({ state }) {
    this.select.replaceChildren(...state.threads.map((name) => make("option", { value: name }, name)));
    this.select.value = state.thread;
  }
}
