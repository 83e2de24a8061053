// Footnotes of an answer: a mark leads to its note, and the note back to the mark.

/** Follow a press on a footnote's mark, or on the way back; for an answer's element. */
export function leadNotes({ target, currentTarget }) {
  const button = target.closest?.(".h2o-footnote-mark, .h2o-footnote-back");
  if (!button) return;
  const leadsBack = button.classList.contains("h2o-footnote-back");
  const found = currentTarget.querySelector(`.h2o-footnote${leadsBack ? "-mark" : ""}[data-note="${button.dataset.note}"]`);
  if (!leadsBack) found?.setAttribute("tabindex", "-1");
  found?.focus();
  found?.scrollIntoView({ block: "nearest" });
}
