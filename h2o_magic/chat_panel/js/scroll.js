import { icon, make } from "./dom.js";

const CAUSED = 400; // ms within which a scroll comes of what the reader did
const END = 30; // px from the end that count as at it
const SCROLLS = new Set(["Wheel", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " "]);

/** Where a log is scrolled to: at its end, and staying there, until the reader leaves it. */
export class Scroll {
  constructor(box) {
    this.box = box;
    this.following = true;
    this.movedAt = -1e9;
    this.jump = make("button", { type: "button", class: "h2o-jump", hidden: "", click: () => this.toEnd() }, icon("down"), "Jump to latest");
    box.addEventListener("scroll", () => this.onScroll(), { passive: true });
    for (const kind of ["wheel", "touchmove", "keydown", "pointermove"]) {
      box.addEventListener(kind, (event) => this.onMove(event), { passive: true });
    }
  }

  /** Follow the end until the reader scrolls up; a changed height is not the reader. */
  onScroll() {
    const { scrollTop, scrollHeight } = this.box;
    const up = scrollHeight === this.height && scrollTop < this.top;
    if (this.isAtEnd) this.following = true;
    else if (up || performance.now() - this.movedAt < CAUSED) this.following = false;
    this.top = scrollTop;
    this.height = scrollHeight;
    this.jump.hidden = this.following;
  }

  /** Note when the reader scrolls; the target of the scroll bar is the box. */
  onMove(event) {
    const drags = event.buttons && event.target === this.box;
    if (event.type === "pointermove" ? drags : SCROLLS.has(event.key ?? "Wheel")) this.movedAt = performance.now();
  }

  get isAtEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    return scrollHeight - scrollTop - clientHeight < END;
  }

  /** Stay at the end if the reader is there. */
  follow() {
    if (this.following) this.toEnd();
  }

  toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
    this.stay(true);
  }

  /** Take where the log is for where the reader wants to be, at the end or not. */
  stay(following = false) {
    this.following = following;
    this.jump.hidden = following;
    this.top = this.box.scrollTop;
    this.height = this.box.scrollHeight;
  }
}
