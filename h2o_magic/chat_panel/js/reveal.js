const HELD = 4000; // ms that a turn is held in its place, while those above it are drawn
const ABOVE = 12; // px between the upper edge and the turn

/** Brings a turn into view, of any thread, and marks it for a moment. */
export class Reveal {
  constructor(log) {
    this.log = log;
    this.until = 0;
  }

  go(thread, id) {
    const { chat } = this.log;
    this.wanted = { thread, id };
    if (thread === chat.state.thread) this.show();
    else chat.threads.go("thread", { name: thread });
  }

  /** Another thread is shown. */
  on_thread({ name }) {
    this.until = 0;
    if (this.wanted?.thread === name) this.show();
  }

  show() {
    const { log } = this;
    const turn = log.turns.get(this.wanted.id);
    const section = log.sections.find(({ turns }) => turns.includes(turn));
    this.wanted = null;
    if (!section) {
      log.chat.refuse("This turn is no longer there.");
      return;
    }
    section.near = true; // or it would be closed before it is seen
    if (!section.open) section.show();
    this.article = turn.article;
    this.until = performance.now() + HELD;
    this.hold();
    this.mark();
  }

  mark() {
    const { article } = this;
    article.classList.add("h2o-found");
    article.addEventListener("animationend", () => article.classList.remove("h2o-found"), { once: true });
    article.focus({ preventScroll: true });
  }

  /** Keep the turn in its place until the reader moves; return whether that was done. */
  hold() {
    const { box, scroll } = this.log;
    const now = performance.now();
    if (now > this.until || scroll.movedAt > this.until - HELD || !this.article.isConnected) return false;
    box.scrollTop += this.article.getBoundingClientRect().top - box.getBoundingClientRect().top - ABOVE;
    scroll.stay();
    return true;
  }
}
