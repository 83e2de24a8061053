import { make } from "./dom.js";

/**
 * Consecutive turns. Far from the visible part they have no elements, only a height: a
 * thousand elements would slow down every frame.
 */
export class Section {
  constructor(log) {
    this.log = log;
    this.turns = [];
    this.open = false;
    this.near = false;
    this.box = make("div", { class: "h2o-section" });
  }

  /** Set the turns of the section, in order. */
  set(turns, open = this.open) {
    this.turns = turns;
    if (open) this.show();
    else this.close();
  }

  close() {
    this.open = false;
    const entries = [...this.box.querySelectorAll(".h2o-entry")];
    const height = entries.reduce((sum, entry) => sum + entry.offsetHeight, 0);
    for (const turn of this.turns) this.log.removeArticle(turn);
    for (const entry of entries) entry.remove(); // they come back with their turns
    this.box.style.height = `${this.turns.reduce((sum, turn) => sum + turn.height, height)}px`;
  }

  show() {
    this.open = true;
    this.box.style.height = "";
    let before = null;
    for (const turn of this.turns) {
      const article = turn.article ?? this.log.addArticle(turn);
      let place = before ? before.nextSibling : this.box.firstChild;
      while (place?.classList.contains("h2o-entry")) place = place.nextSibling;
      if (article !== place) this.box.insertBefore(article, place);
      before = article;
    }
    for (const turn of this.turns) this.log.chat.entries.place(turn);
  }
}
