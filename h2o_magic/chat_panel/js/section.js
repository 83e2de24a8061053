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
    for (const turn of this.turns) this.log.removeArticle(turn);
    this.box.style.height = `${this.turns.reduce((sum, turn) => sum + turn.height, 0)}px`;
  }

  show() {
    this.open = true;
    this.box.style.height = "";
    let before = null;
    for (const turn of this.turns) {
      const article = turn.article ?? this.log.addArticle(turn);
      const place = before ? before.nextSibling : this.box.firstChild;
      if (article !== place) this.box.insertBefore(article, place);
      before = article;
    }
  }
}
