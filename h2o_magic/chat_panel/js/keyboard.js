const CONTROLS = "a[href], button:not(:disabled), summary, input:not(:disabled), [tabindex]";

/**
 * Goes through the turns by keyboard. Each is one stop of the Tab key; from it, the arrow
 * keys left and right go through its links, buttons and blocks of code.
 */
export class Keyboard {
  constructor(chat, box) {
    this.chat = chat;
    this.fresh = new Set(); // articles that are to be measured
    box.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** Make what is in a turn reachable by arrow keys. */
  prepare(article) {
    for (const element of article.querySelectorAll(CONTROLS)) element.tabIndex = -1;
    if (!this.fresh.size) requestAnimationFrame(() => this.addStops());
    this.fresh.add(article);
  }

  /** What is wider than its place can be scrolled, and is a stop of its own. */
  addStops() {
    for (const article of this.fresh) {
      for (const formula of article.querySelectorAll("math:not([display='block'])")) {
        if (formula.getBoundingClientRect().width > formula.closest(".h2o-md").clientWidth) formula.classList.add("h2o-wide");
      }
    }
    const found = [...this.fresh].flatMap((article) => [...article.querySelectorAll("pre, table, math[display='block'], math.h2o-wide")]);
    const wide = found.filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth);
    for (const element of wide) element.tabIndex = 0;
    this.fresh.clear();
  }

  /** Return a function that, once the turn is drawn anew, gives the focus back in it. */
  keepFocus(article) {
    const focused = document.activeElement;
    if (focused === article || !article.contains(focused)) return () => {};
    const label = focused.getAttribute("aria-label");
    return () => {
      const same = controlsOf(article).find((each) => label && each.getAttribute("aria-label") === label);
      (same ?? article).focus({ preventScroll: true });
    };
  }

  onKey(event) {
    const article = event.target.closest(".h2o-turn");
    if (!article || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea")) return;
    const turned = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (turned && !scrolls(event.target, turned)) this.move(article, event.target, turned);
    else if (event.key === "Escape" && event.target !== article) article.focus();
    else if (event.key === "Escape" && !this.chat.busy) this.chat.composer.area.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  move(article, from, turned) {
    const stops = [article, ...controlsOf(article)];
    stops.at((stops.indexOf(from) + turned) % stops.length).focus();
  }
}

/** The controls of a turn that are shown, in order. */
function controlsOf(article) {
  return [...article.querySelectorAll(CONTROLS)].filter((element) => element.getClientRects().length);
}

/** Whether an arrow key moves the text in a wide block. */
function scrolls({ scrollLeft, scrollWidth, clientWidth, nodeName }, turned) {
  if (!["PRE", "TABLE", "math"].includes(nodeName)) return false;
  return turned > 0 ? scrollLeft + clientWidth < scrollWidth - 1 : scrollLeft > 0;
}
