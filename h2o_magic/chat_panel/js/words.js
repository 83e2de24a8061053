// What is searched for: words, whatever the case and the accents of letters.

export function folded(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

export function wordsOf(text) {
  return folded(text).split(/\s+/).filter(Boolean);
}

/** Whether a folded text has all of the words. */
export function holds(text, words) {
  return words.every((word) => text.includes(word));
}
