// Lines that are code and no sentence: nothing is filled in there. The patterns are those of
// h2o_magic/prompts/code_signs.py, letter for letter.

const verbose = (pattern) => new RegExp(pattern.replace(/\s+(?!-\])/g, ""));

const SYNTAX = verbose(String.raw`[;{]\s*$ | => | </ | /> | :: | && | \|\| | \+\+ | \\[A-Za-z]{2,}
  | \{% | %\} | \{\{ | \}\} | \{\# | <\? | \?> | \$[{(] | [=!]== | \?\w+=
  | \.(?:format|map|then)\( | \w\([^()]*\)\s*\{ | \blambda\b[\w\s,]{0,200}:
  | \b(?:const|let|var)\s*\{[^{}]*\}\s*=`);
const STATEMENT = verbose(String.raw`^\s*(?:
  [}\])] | // | /\*| \*/ | @[\w.-]+[(\s] | \#(?:include|define)\b | >>>\s | \.\.\.\s
  | </?\w
  | (?:(?:async|export|pub|public|private|protected|static)\s+)*
  (?:def|function|func|fn|interface|enum|struct|namespace|impl)\s+\w
  | (?:class|type)\s+\w+\s*[:=({<] | (?:const|let|var|val)\s+[\w{\[][^.?!=]*=[^.?!]*$
  | (?:import|export)\s+(?:type\s+)?(?:\{[^{}]*\}\s*$|[{*\w][^.?!]*['"])
  | from\s+[\w.]+\s+import\b | (?:if|for|while|switch|catch)\s*\(
  | for\s+\w+\s+in\b.*:\s*$ | (?:if|elif|while)\s[^=<>(.]*[=<>(.].*:\s*$
  | with\s+[\w.]+\(.*:
  | (?:try|else|finally|do)\s*(?:[:{].*)?$ | (?:awk|sed|assert)\s
  | return\s+(?:\{[^{}]*\}|[\w.]+[\[({].*)\s*$
  | (?:print|echo|printf|console\.\w+|logg(?:er|ing)\.\w+)\b\s*[("'$]
  | [\w.\[\]"']+\s*(?::[\w.\[\],|\s]+)?[-+*/|&]?=\s*
  (?:[frbFRB]{0,2}["'(\[]|\{\W) | [\w]+[.\[][\w.\[\]"']+\s*=\s*\{
  | [\w.]+\(.*\)\s*$ | ["'][\w -]+["']\s*: | (?:SELECT|INSERT|UPDATE|DELETE|CREATE)\s
  )`);
const MARKED = /^\s*<(?!(?:[abiu]|button|dd|dt|em|h[1-6]|label|li|option|p|pre|small|span|strong|td|th|title)>)([a-z][a-z_-]*)>\s*\{[^{}]*\}\s*<\/\1>$/;

/** Return whether a line of a prompt is code. */
export function isCode(line) {
  const bare = line.trimEnd();
  return (STATEMENT.test(bare) || SYNTAX.test(bare)) && !MARKED.test(bare);
}
