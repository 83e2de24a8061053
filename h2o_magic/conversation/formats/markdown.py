"""``.md``: a conversation for people to read. It cannot be imported.

Answers are written as they are, except that their headings are moved below those of the
document, open code blocks are closed, control characters are removed, and active
content is made harmless. Images are data URIs; a file links to files of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from h2o_magic.chat.images import data_uri
from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.config.definitions import MAIN
from h2o_magic.rendering.blocks import close_fence
from h2o_magic.rendering.excess import cut_fences
from h2o_magic.rendering.fences import Fence, fence_after, fenced
from h2o_magic.rendering.footer import STATUS_TEXT
from h2o_magic.rendering.literal import alternative, literal, printable
from h2o_magic.rendering.sanitize import sanitize

_LINE_END = re.compile(r"\r\n|\r|\n")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HEADING = re.compile(r"^( {0,3})(#{1,6})(?=[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
# A line that a line of dashes below does not make a heading.
_NO_TITLE = re.compile(r"\s*$| {4}|\t| {0,3}(?:[-*+>#|]|\d{1,9}[.)][ \t])")


def write(threads: Sequence[Thread]) -> str:
    if len(threads) == 1:
        (thread,) = threads
        title = thread.title or ("" if thread.name == MAIN else thread.name)
        named = f": {literal(title)}" if title else ""
        parts = [f"# Conversation{named}", *_turns(thread.turns, level=2)]
    else:
        parts = ["# Conversations"]
        for thread in threads:
            title = thread.title or thread.name
            parts += [f"## {literal(title)}", *_turns(thread.turns, level=3)]
    return "\n\n".join(parts) + "\n"


def _clean(text: str) -> str:
    """Return `text` with line ends of one kind, and without unprintable characters."""
    text = _LINE_END.sub("\n", text)
    # UTF-8 cannot hold lone surrogates.
    return printable(_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def _turns(turns: Sequence[Turn], level: int) -> Iterator[str]:
    system = ""
    for place, turn in enumerate(turns, 1):
        yield f"{'#' * level} Turn {turn.number or place}"
        if turn.system != system:
            system = turn.system
            yield (
                f"System text:\n\n{_verbatim(system)}" if system else "No system text."
            )
        yield sanitize(_quoted(turn.question))
        yield from _sent(turn)
        yield _answer(turn.answer, level)
        if known := " · ".join(_footer(turn)):
            yield f"<sub>{known}</sub>"
    if not turns:
        yield "*(no turns)*"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in _clean(text).split("\n"))


def _verbatim(text: str) -> str:
    return "\n".join(f"> {literal(line)}".rstrip() for line in text.splitlines())


def _sent(turn: Turn) -> Iterator[str]:
    """Yield what went along with a question: the text that was sent, and images."""
    if turn.sent:
        yield "<details><summary>Sent with the question</summary>"
        yield f"{fenced(cut_fences(_clean(turn.sent)), 'text')}\n\n</details>"
    for image in turn.images:
        name = alternative(image.name)
        shown = f"![{name}]({data_uri(image.data)})"
        yield shown if image.data else f"*(image {name})*"


def _answer(text: str, level: int) -> str:
    lines = sanitize(close_fence(_clean(text))).rstrip().split("\n")
    return "\n".join(_demoted(lines, level)).strip("\n") or "*(an empty answer)*"


def _demoted(lines: Sequence[str], level: int) -> Iterator[str]:
    """Yield the lines with their headings below those of `level`.

    A single line underlined with dashes becomes a heading with hashes; the rare ones of
    several lines stay as they are.
    """
    fence: Fence | None = None
    before, underlined = "", False
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        inside, fence = fence is not None, fence_after(fence, line)
        if inside or fence:
            yield line
        elif underlined:
            underlined = False
        elif not before.strip() and _underlines(after, line):
            underlined = True
            yield f"{_hashes(level + (1 if '=' in after else 2))} {line.strip()}"
        else:
            yield _HEADING.sub(lambda m: m[1] + _hashes(level + len(m[2])), line, 1)
        before = "" if inside or fence else line


def _hashes(level: int) -> str:
    return "#" * min(level, 6)


def _underlines(line: str, title: str) -> bool:
    """Return whether `line` makes the paragraph `title` a heading."""
    return not _NO_TITLE.match(title) and _UNDERLINE.match(line) is not None


def _footer(turn: Turn) -> list[str]:
    status = STATUS_TEXT.get(turn.status, "")
    if turn.status == "complete" and turn.facts.get("finish_reason") == "length":
        status = "■ cut off by the token limit"
    phrases = [
        status,
        "starts a new conversation" if turn.begins else "",
        "asked before an earlier answer changed" if turn.outdated else "",
        _fact(turn, "model") or turn.model,
        _fact(turn, "weights"),
        _time(turn.asked_at),
    ]
    return [literal(phrase) for phrase in phrases if phrase.strip()]


def _fact(turn: Turn, name: str) -> str:
    value = turn.facts.get(name)
    return value if isinstance(value, str) else ""


def _time(seconds: float) -> str:
    if not seconds:
        return ""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%MZ")
    except (OverflowError, ValueError, OSError):  # past the calendar's years
        return ""
