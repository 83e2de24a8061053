// Where a `%%h2o` cell names values, and its options. The kernel decides what is filled in
// (h2o_magic/prompts): as there, nothing is in code, which is fenced or in backquotes.

const NAME = "(?!__)[\\p{L}_][\\p{L}\\p{N}_]*";
const STEP = `\\.${NAME}|\\[-?\\d{1,18}\\]|\\['(?:[^'\\\\]|\\\\.)*'\\]|\\["(?:[^"\\\\]|\\\\.)*"\\]`;
const KEYWORDS = "False|None|True|and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield";
const FIELD = new RegExp(`\\{(?!(?:${KEYWORDS})[.:[}])(${NAME})(?:${STEP})*(?::(?:[a-z]{3,10}|[1-9]\\d{0,8}))?\\}`, "gu");
const BEFORE = /[\p{L}\p{N}_$^\\%#@&})\]{/]/u; // what makes braces part of something else
const AFTER = /[\p{L}\p{N}_[(^}]/u;

const FENCE = /^[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?:(`{3,})(?=[^`]*$)|(~{3,}))/;
const QUOTES = /^(?:[ \t]*> ?)*/;
// What begins a block of its own, so that code of the line above ends before it.
const BLOCK = /^[ \t]*(?:>[ \t]*)*(?:$|[-*+][ \t]|\d{1,9}[.)][ \t]|#{1,6}(?:[ \t]|$)|\|)/;
const HEADING = /^[ \t]*#{1,6}(?:[ \t]|$)/;
const TICKS = /\\[^]|`+/g;

/** Return the spans of the fields in a text, as pairs of places. */
export function fields(text) {
  const spans = [];
  let last = -9;
  for (const [begin, end] of prose(text)) {
    for (const found of text.slice(begin, end).matchAll(FIELD)) {
      const start = begin + found.index;
      const after = start + found[0].length;
      const follows = start === last || (start === last + 1 && "/@".includes(text[last])); // `{a}/{b}`
      if ((!follows && BEFORE.test(text[start - 1] ?? "")) || AFTER.test(text[after] ?? "")) continue;
      spans.push([start, after]);
      last = after;
    }
  }
  return spans;
}

/** Yield the spans of a text outside code; an open fence holds all that follows. */
export function* prose(text) {
  if (!/`|~~~/.test(text)) yield [0, text.length];
  else for (const [begin, end] of blocks(text)) yield* outsideTicks(text, begin, end);
}

function* blocks(text) {
  let begin = 0;
  let place = 0;
  let quotes = 0;
  let fence = null;
  let afterHeading = false;
  for (const line of text.split("\n")) {
    const start = place;
    place += line.length + 1;
    const marks = QUOTES.exec(line)[0];
    const bare = line.slice(marks.length);
    const quoted = marks.split(">").length - 1;
    if (fence && quotes > quoted) {
      fence = null; // its quote has ended
      begin = start;
    }
    if (fence) {
      if (closes(fence, quotes ? bare : line)) {
        fence = null;
        begin = place;
      }
      continue;
    }
    const opened = FENCE.exec(bare);
    fence = opened && { mark: opened[1] ?? opened[2], indent: opened[0].length - (opened[1] ?? opened[2]).length };
    if (fence || afterHeading || quoted > quotes || BLOCK.test(line)) {
      yield [begin, start];
      begin = start;
    }
    quotes = quoted;
    afterHeading = HEADING.test(line);
  }
  if (!fence) yield [begin, text.length];
}

function closes({ mark, indent }, line) {
  const bare = line.trim();
  const isMark = bare.length >= mark.length && bare === mark[0].repeat(bare.length);
  return isMark && line.length - line.trimStart().length <= indent + 3;
}

function* outsideTicks(text, begin, end) {
  const runs = new Map(); // where backquotes end a span, by how many stand together, last first
  for (const { 0: ticks, index } of [...text.slice(begin, end).matchAll(/`+/g)].reverse()) {
    if (!runs.has(ticks)) runs.set(ticks, []);
    runs.get(ticks).push(begin + index);
  }
  let from = begin;
  let place = begin;
  while (place < end) {
    TICKS.lastIndex = place;
    const found = TICKS.exec(text);
    if (!found || found.index >= end) break;
    const { 0: opener, index } = found;
    place = index + opener.length;
    if (opener[0] === "\\") continue;
    const closers = runs.get(opener) ?? [];
    while (closers.length && closers.at(-1) < place) closers.pop();
    yield [from, closers.length ? index : place];
    if (closers.length) place = closers.at(-1) + opener.length;
    from = place;
  }
  yield [from, end];
}

/** Yield the options in a line behind the magic's name, and their values, with their kinds. */
export function* words(line, from) {
  const pattern = /(?<=\s)(--?\p{L}[\w-]*=?)?("[^"]*"?|'[^']*'?|\S+)?/gu;
  pattern.lastIndex = from;
  for (const { index, 1: option = "", 2: value = "" } of line.matchAll(pattern)) {
    if (index < from) continue;
    if (option) yield [index, index + option.length - option.endsWith("="), "cm-h2o-option"];
    const kind = /^["']/.test(value) ? "cm-h2o-string" : /^-?[\d.]+$/.test(value) && "cm-h2o-number";
    if (kind) yield [index + option.length, index + option.length + value.length, kind];
  }
}
