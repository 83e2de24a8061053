"""An answer as the output of a notebook's cell: written, and found again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast, get_args

from h2o_magic.chat.facts import Facts
from h2o_magic.chat.turns import Turn, TurnStatus
from h2o_magic.conversation.formats.checks import as_object, joined_text, within
from h2o_magic.rendering.footer import answer_markdown, answer_plain
from h2o_magic.rendering.sanitize import sanitize

_KEY = "h2o_magic"
#: Where an exported output's metadata holds the answer as it is, without a footer.
#: A cell that was run since has no such entry.
EXACT_ANSWER = "h2o_magic_answer"

_MARKDOWN = "text/markdown"
_PLAIN = "text/plain"
_EMPTY = "*(an empty answer)*"
_FOOTER = re.compile(r"(?:^|\n\n)<sub>([^\n]*)</sub>\s*\Z")
_PLAIN_FOOTER = re.compile(r"(?:^|\n\n)\[[^\n]*\]\s*\Z")
# What a model wrote before its answer, as `footer.reasoning_markdown` shows it.
_REASONING = re.compile(
    r"\A(?:<details><summary>Reasoning</summary>\n\n(?s:.*?)\n\n</details>\n\n"
    r"|> \*\*Reasoning\*\*\n(?:>[^\n]*\n)*\n)"
)
# How the footer of an answer that is not whole begins.
_MARKS: Mapping[str, TurnStatus] = {
    "■ stopped": "stopped",
    "■ failed": "failed",
    "■ broken off": "failed",  # until 0.4
    "■ incomplete": "incomplete",
}

#: Past this, a number in facts is nonsense, and formatting it may fail.
_MOST = 10**15

_NUMBER = (int, float)
_COUNT = (int,)
_KNOWN: Mapping[str, tuple[type, ...]] = {
    "model": (str,),
    "weights": (str,),
    "demo": (bool,),
    "stands_in_for": (str,),
    "server": (str,),
    "finish_reason": (str,),
    "completion_tokens": _COUNT,
    "dropped_turns": _COUNT,
    "cut_tokens": _COUNT,
    "thread": (str,),
    "history": (bool,),
    "sent_turns": _COUNT,
    "earlier_turns": _COUNT,
    "unfinished_turns": _COUNT,
    "outdated_turns": _COUNT,
    "seconds": _NUMBER,
}


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """What a cell's output shows of an answer."""

    text: str
    status: TurnStatus
    facts: dict[str, Any] = field(default_factory=dict)
    exact: object = None


def write_output(turn: Turn) -> dict[str, Any]:
    """Return a turn's answer as a cell's output, with its footer if facts are known."""
    facts = _captioned(turn)
    if facts is None:
        plain = turn.answer if turn.answer.strip() else _EMPTY
        markdown = sanitize(plain)
    else:
        markdown = answer_markdown(turn.answer, facts)
        plain = answer_plain(turn.answer, facts)
    data = {_MARKDOWN: markdown, _PLAIN: plain}
    return {
        "data": {kind: text.splitlines(keepends=True) for kind, text in data.items()},
        "metadata": {EXACT_ANSWER: turn.answer, _KEY: dict(turn.facts)},
        "output_type": "display_data",
    }


def find_answer(outputs: Iterable[object], where: str) -> ShownAnswer | None:
    """Return the answer that a cell shows; None if it shows none.

    Of several, the last one with facts counts. Without facts, all are pieces of one
    answer: a notebook that was saved while it came has them.
    """
    pieces: list[str] = []
    answer = None
    for number, value in enumerate(outputs, 1):
        place = within(where, f"output {number}")
        output = as_object(value, place, "an output")
        data = as_object(output.get("data", {}), place, '"data"')
        if _MARKDOWN not in data:
            continue
        text = joined_text(data[_MARKDOWN], place, f'"{_MARKDOWN}"')
        metadata = as_object(output.get("metadata", {}), place, '"metadata"')
        if isinstance(metadata.get(_KEY), dict):
            answer = _with_facts(_as_written(data, text, place), metadata)
        pieces.append(text)
    return answer or _from_pieces(pieces)


def _as_written(data: Mapping[str, Any], markdown: str, where: str) -> str:
    """Return the answer as the model wrote it: what is shown is sanitized."""
    plain = joined_text(data.get(_PLAIN, ""), where, f'"{_PLAIN}"')
    footer = _PLAIN_FOOTER.search(plain)
    if footer is None:
        return _without_footer(markdown)
    text = plain[: footer.start()]
    return "" if text == _EMPTY.strip("*") else text


def _with_facts(text: str, metadata: Mapping[str, Any]) -> ShownAnswer:
    facts: dict[str, Any] = metadata[_KEY]
    status = facts.get("status")
    known = isinstance(status, str) and status in get_args(TurnStatus)
    return ShownAnswer(
        text,
        cast(TurnStatus, status) if known else "incomplete",
        facts,
        metadata.get(EXACT_ANSWER),
    )


def _from_pieces(pieces: list[str]) -> ShownAnswer | None:
    shown = "\n\n".join(piece.strip("\n") for piece in pieces)
    footer = _FOOTER.search(shown)
    if not (shown[: footer.start()] if footer else shown).strip():
        return None  # nothing yet, or only the sign that an answer is awaited
    status = _status_in(footer[1]) if footer else "incomplete"
    return ShownAnswer(_without_footer(shown), status)


def _without_footer(markdown: str) -> str:
    text = _REASONING.sub("", _FOOTER.sub("", markdown))
    return "" if text.strip() == _EMPTY else text


def _status_in(footer: str) -> TurnStatus:
    found = (status for mark, status in _MARKS.items() if footer.startswith(mark))
    return next(found, "complete")


def _captioned(turn: Turn) -> Facts | None:
    """Return a turn's facts as captions take them; None if they are not such facts."""
    known = {
        name: value
        for name, value in turn.facts.items()
        if name in _KNOWN and value is not None
    }
    if "model" not in known or not all(map(_fits, known, known.values())):
        return None
    return Facts(**known, status=turn.status)


def _fits(name: str, value: object) -> bool:
    kinds = _KNOWN[name]
    if isinstance(value, bool) or not isinstance(value, _NUMBER):
        return isinstance(value, bool) == (bool in kinds) and isinstance(value, kinds)
    return isinstance(value, kinds) and 0 <= value <= _MOST
