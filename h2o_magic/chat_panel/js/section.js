import { make } from "./dom.js";

/**
 * Some turns that follow each other. Far from what is seen they have no elements, only
 * a height: with a thousand of them in the page each frame would take longer.
 */
export class Section {
  constructor(log) {
    this.log = log;
    this.turns = [];
    this.open = false;
    this.near = false;
    this.box = make("div", { class: "h2o-section" });
  }

  /** Take the turns that are here now, in their order. */
  hold(turns, open = this.open) {
    this.turns = turns;
    if (open) this.show();
    else this.close();
  }

  close() {
    this.open = false;
    for (const turn of this.turns) this.log.discard(turn);
    this.box.style.height = `${this.turns.reduce((sum, turn) => sum + turn.height, 0)}px`;
  }

  show() {
    this.open = true;
    this.box.style.height = "";
    let before = null;
    for (const turn of this.turns) {
      const article = turn.article ?? this.log.frame(turn);
      const place = before ? before.nextSibling : this.box.firstChild;
      if (article !== place) this.box.insertBefore(article, place);
      before = article;
    }
  }
}
