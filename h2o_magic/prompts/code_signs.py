r"""Whether braces in a prompt belong to code, a formula or data, and not to a value.

People paste code without a fence. Braces are theirs where something is written right
before them (``\\frac{x}``, ``a{n}``, ``${x}``), where other braces are around them, in
an f-string or a formula, and on a line that no sentence looks like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from h2o_magic.prompts.prose import Span

#: Characters before which ``{x}`` is part of something else.
_BEFORE = re.compile(r"[\w$^\\%#@&})\]{/]$")
#: A character after which it is; ``{x}-axis`` and ``{x}'s`` are sentences.
_AFTER = re.compile(r"[\w\[(^}]")
#: What no sentence has.
_SYNTAX = re.compile(
    r"""[;{]\s*$ | => | </ | /> | :: | && | \|\| | \+\+ | \\[A-Za-z]{2,}
    | \{% | %\} | \{\{ | \}\} | \{\# | <\? | \?> | \$[{(] | [=!]== | \?\w+=
    | \.(?:format|map|then)\( | \w\([^()]*\)\s*\{ | \blambda\b[\w\s,]{0,200}:
    | \b(?:const|let|var)\s*\{[^{}]*\}\s*=""",
    re.VERBOSE,
)
#: How no sentence begins.
_STATEMENT = re.compile(
    r"""\s*(?:
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
    )""",
    re.VERBOSE,
)
#: How prompts mark their parts: ``<document>{text}</document>``, but for HTML's tags.
_MARKED = re.compile(
    r"\s*<(?!(?:[abiu]|button|dd|dt|em|h[1-6]|label|li|option|p|pre|small|span|strong|td"
    r"|th|title)>)([a-z][a-z_-]*)>\s*\{[^{}]*\}\s*</\1>"
)
_F_STRING = re.compile(
    r"(?:(?<!\w)(?:[fFtT][rR]?|[rR][fFtT])|\$@?|@\$)(\"\"\"|'''|\"|')"
)
# As Jupyter has them: no space inside the marks, no digit after the last.
_FORMULA = re.compile(
    r"\$\$.{1,9999}?\$\$|(?<![\\$])\$(?=[^\s$])[^$\n]*?(?<=[^\s\\$])\$(?!\d)"
    r"|\\\(.{1,999}?\\\)|\\\[.{1,999}?\\\]|\\begin\{(\w+\*?)\}.{1,9999}?\\end\{\1\}",
    re.DOTALL,
)

#: What a line of a template or of data has, and a sentence only seldom.
_TEMPLATE = re.compile(
    r"[=<|\\]|(?<!^)>|\$(?!\d)|\w\(|:\s*[\"']|[\"']\s*:|\w/\S|\}\s*,\s*\{|^\W*\{[^{}]*\}\s*\{"
)
_CALL = re.compile(r"\{[^{}]*\([^{}]*\}")
_WORDS = re.compile(r"(?<![\w{.])[^\W\d_]{2,}(?![\w}(\[=.])")
_BEGINS_WORD = re.compile(r"(?:^|[\s(\"'*_\u201c\u2018\u2014])$")
_ENDS_WORD = re.compile(r"$|[\s,.;:!?)\"'*_\u201d\u2019\u2014-]")
#: Characters around a field that show whether it stands in a sentence.
_NEAR = 1000


def code_spans(text: str) -> Iterator[Span]:
    """Yield the spans of a text whose braces are not those of a value."""
    for found in _FORMULA.finditer(text):
        yield found.span()
    yield from _enclosed(text)
    begin = 0
    for line in text.splitlines(keepends=True):
        end = begin + len(line)
        if "{" in line:
            bare = line.rstrip()
            signs = _STATEMENT.match(bare) or _SYNTAX.search(bare)
            if signs and not _MARKED.fullmatch(bare):
                yield begin, end
            else:
                yield from _f_strings(text, begin, end)
        begin = end


def stands_alone(
    text: str, start: int, end: int, *, follows_field: bool = False
) -> bool:
    """Return whether nothing is written right before or after a span but a field."""
    glued = _BEFORE.search(text[max(start - 1, 0) : start]) is not None
    return (follows_field or not glued) and _AFTER.match(text, end) is None


def _f_strings(text: str, begin: int, end: int) -> Iterator[Span]:
    place = begin
    while found := _F_STRING.search(text, place, end):
        closing = text.find(found[1], found.end())
        place = len(text) if closing < 0 else closing + len(found[1])
        yield found.start(), place
        if place > end:
            return


def _enclosed(text: str) -> Iterator[Span]:
    """Yield what stands between braces that have others in them, outermost only."""
    opened: list[int] = []
    inner = 0
    for found in re.finditer(r"[{}]", text):
        if found[0] == "{":
            inner = inner if opened else 0
            opened.append(found.start())
            inner = max(inner, len(opened))
        elif opened:
            start = opened.pop()
            if not opened and inner > 1:
                yield start, found.end()


def reads_as_prose(text: str, start: int, end: int) -> bool:
    """Return whether a span is a word of a sentence, and no placeholder of a template.

    Stricter than what is needed for a name that exists: the words around it must be
    there, and only spaces, quotes or punctuation may touch it.
    """
    around = text[max(start - _NEAR, 0) : start], text[end : end + _NEAR]
    before, after = around[0].rpartition("\n")[2], around[1].partition("\n")[0]
    line = _CALL.sub("", before + text[start:end] + after)
    return (
        (_WORDS.search(line) is not None or not "".join(around).strip())
        and _TEMPLATE.search(line) is None
        and _BEGINS_WORD.search(before) is not None
        and _ENDS_WORD.match(after) is not None
    )
