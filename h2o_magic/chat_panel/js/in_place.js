import { make } from "./dom.js";

/**
 * Put a field in the place of what shows a text, to edit it there. Enter or leaving it
 * saves, Esc does not; `ended` is called with whether a key ended it.
 */
export function editInPlace(shown, { label, text, save, ended = () => {} }) {
  let open = true;
  const end = (saved, byKey) => {
    if (!open) return; // removing a field also leaves it
    open = false;
    shown.hidden = false;
    field.remove();
    if (saved && field.value.trim() !== text) save(field.value.trim());
    ended(byKey);
  };
  const field = make("input", {
    class: "h2o-edit",
    "aria-label": label,
    maxlength: "200",
    spellcheck: "false",
    blur: () => end(true, false),
    keydown: (event) => {
      event.stopPropagation();
      if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault();
      end(event.key === "Enter", true);
    },
  });
  field.value = text;
  shown.hidden = true;
  shown.after(field);
  field.select();
  field.focus();
}
