// Where a `%%h2o` cell names values, and its options. The kernel decides what is filled in
// (h2o_magic/prompts): as there, nothing is in code, which is fenced or in backquotes.

import { isCode } from "./code_signs.js";

const NAME = "(?!__)[\\p{L}_][\\p{L}\\p{N}_]*";
const STEP = `\\.${NAME}|\\[-?\\d{1,18}\\]|\\['(?:[^'\\\\]|\\\\.)*'\\]|\\["(?:[^"\\\\]|\\\\.)*"\\]`;
const FIELD = new RegExp(`\\{(?!(?:None|True|False)\\b)${NAME}(?:${STEP})*(?::(?:[a-z]{3,10}|[1-9]\\d{0,8}))?\\}`, "gu");
const BEFORE = /[\p{L}\p{N}_$^\\%#@&})\]{/]/u; // what makes braces part of something else
const AFTER = /[\p{L}\p{N}_[(^}]/u;

const FENCE = /^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}(?=[^`]*$)|~{3,})/;
// What begins a block of its own, so that code of the line above ends before it.
const BLOCK = /^[ \t]*(?:>[ \t]*)*(?:$|[-*+][ \t]|\d{1,9}[.)][ \t]|#{1,6}(?:[ \t]|$)|\|)/;
const HEADING = /^[ \t]*#{1,6}(?:[ \t]|$)/;
const TICKS = /\\[^]|`+/g;

/** Return the spans of the fields in a text, as pairs of places. */
export function fields(text) {
  const spans = [];
  let last = -9;
  let line = [-1, true]; // where one ends, and whether it is code
  for (const [begin, end] of prose(text)) {
    for (const found of text.slice(begin, end).matchAll(FIELD)) {
      const start = begin + found.index;
      const after = start + found[0].length;
      if (start > line[0]) line = read(text, start);
      if (line[1]) continue;
      const follows = start === last || (start === last + 1 && "/@".includes(text[last])); // `{a}/{b}`
      if ((!follows && BEFORE.test(text[start - 1] ?? "")) || AFTER.test(text[after] ?? "")) continue;
      spans.push([start, after]);
      last = after;
    }
  }
  return spans;
}

function read(text, at) {
  const end = text.indexOf("\n", at);
  const line = text.slice(text.lastIndexOf("\n", at) + 1, end < 0 ? undefined : end);
  return [end < 0 ? text.length : end, isCode(line)];
}

/** Yield the spans of a text outside code; an open fence holds all that follows. */
export function* prose(text) {
  if (!/`|~~~/.test(text)) yield [0, text.length];
  else for (const [begin, end] of blocks(text)) yield* outsideTicks(text, begin, end);
}

function* blocks(text) {
  let begin = 0;
  let end = 0;
  let fence = null;
  let afterHeading = false;
  for (const line of text.split("\n")) {
    const start = end;
    end += line.length + 1;
    if (fence) {
      if (closes(fence, line)) {
        fence = null;
        begin = end;
      }
      continue;
    }
    fence = FENCE.exec(line);
    if (fence || afterHeading || BLOCK.test(line)) {
      yield [begin, start];
      begin = start;
    }
    afterHeading = HEADING.test(line);
  }
  if (!fence) yield [begin, text.length];
}

function closes([lead, mark], line) {
  const bare = line.replace(/^[ >]+/, "").trim();
  const indent = line.length - line.trimStart().length;
  return bare.length >= mark.length && bare === mark[0].repeat(bare.length) && indent <= lead.length - mark.length + 3;
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
    if (option) yield [index, index + option.length - option.endsWith("="), "option"];
    const kind = /^["']/.test(value) ? "string" : /^-?[\d.]+$/.test(value) && "number";
    if (kind) yield [index + option.length, index + option.length + value.length, kind];
  }
}
