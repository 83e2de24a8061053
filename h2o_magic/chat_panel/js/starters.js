import { make } from "./dom.js";

/** Questions to begin with, in the empty thread; the kernel knows what is in the notebook. */
export class Starters {
  constructor(chat) {
    this.chat = chat;
    this.list = make("div", { class: "h2o-starters", role: "group", "aria-label": "Questions to begin with" });
  }

  on_thread({ ids }) {
    if (!ids.length) this.chat.send("starters");
  }

  on_order({ ids }) {
    this.on_thread({ ids });
  }

  on_starters({ starters }) {
    const one = ([label, question]) =>
      make("button", { type: "button", class: "h2o-starter", title: question, click: () => this.chat.composer.fill(question) }, label);
    this.list.replaceChildren(...starters.map(one));
  }

  on_lost() {
    this.list.replaceChildren();
  }
}
