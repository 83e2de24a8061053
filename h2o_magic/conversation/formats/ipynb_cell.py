"""A ``%%h2o`` cell: its source, and its output with an answer; written and read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast, get_args

from h2o_magic.chat.kept_facts import facts_of
from h2o_magic.chat.turns import Turn, TurnStatus
from h2o_magic.config.command_line import Word, quote, split
from h2o_magic.config.definitions import MAIN
from h2o_magic.config.models import DEFAULT_MODEL
from h2o_magic.config.parameter import Parameter
from h2o_magic.config.parameters import CHAT_PARAMETERS, explicit_parameters
from h2o_magic.conversation.formats import fields
from h2o_magic.errors import ConfigurationError, ParameterError
from h2o_magic.rendering.direction import with_directions, without_directions
from h2o_magic.rendering.footer import answer_markdown, answer_plain
from h2o_magic.rendering.sanitize import sanitize

#: Where a cell's or an output's metadata holds what is known of a turn.
KEY = "h2o_magic"
#: Where an exported output's metadata holds the exact answer, without a footer. The
#: output of a cell that was run since has no such entry.
EXACT_ANSWER = "h2o_magic_answer"

_CELL = re.compile(r"\s*%%h2o(?:[ \t]([^\n]*))?(?:\n(.*))?\Z", re.DOTALL)
_WITH_VALUE = {
    "--model": "model",
    "-m": "model",
    "--system": "system",
    "-s": "system",
    "--thread": "thread",
}

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
# How the footer of an incomplete answer begins.
_MARKS: Mapping[str, TurnStatus] = {
    "■ stopped": "stopped",
    "■ failed": "failed",
    "■ broken off": "failed",  # until 0.4
    "■ incomplete": "incomplete",
}


@dataclass(slots=True)
class CellOptions:
    """What the first line of a cell says about a turn."""

    model: str = ""
    system: str = ""
    thread: str = ""
    new: bool = False
    help: bool = False


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """What a cell's output shows of an answer."""

    text: str
    status: TurnStatus
    facts: dict[str, Any] = field(default_factory=dict)
    exact: object = None


def write_source(turn: Turn, thread: str) -> str:
    """Return a cell that asks a turn's question again, in `thread`.

    Options with their default are left out. All are on one line, so line ends in the
    system text become spaces, and a stop text with one is left out.
    """
    return f"{' '.join(['%%h2o', *_options(turn, thread)])}\n{turn.question}"


def read_source(source: str) -> tuple[CellOptions, str] | None:
    """Return a cell's known options and the text below; None if it is another cell."""
    match = _CELL.match(source)
    if match is None:
        return None
    line = match[1] or ""
    try:
        words = list(split(line))
    except ConfigurationError:  # a quote that is not closed
        words = [Word(word) for word in line.split()]
    found = CellOptions()
    rest = iter(words)
    for word in rest:
        if word.quoted:
            continue
        name, equals, value = word.text.partition("=")
        if name in _WITH_VALUE:
            value = value if equals else next(rest, Word("")).text
            if value:
                setattr(found, _WITH_VALUE[name], value)
        found.new = found.new or name == "--new"
        found.help = found.help or name in ("--help", "-h")
    return found, match[2] or ""


def write_output(turn: Turn) -> dict[str, Any]:
    """Return a turn's answer as a cell's output, with its footer if facts are known."""
    if "model" not in turn.facts:  # they are not of this package
        plain = turn.answer if turn.answer.strip() else _EMPTY
        markdown = with_directions(sanitize(plain))
    else:
        facts = facts_of(turn)
        markdown = answer_markdown(turn.answer, facts)
        plain = answer_plain(turn.answer, facts)
    data = {_MARKDOWN: markdown, _PLAIN: plain}
    return {
        "data": {kind: text.splitlines(keepends=True) for kind, text in data.items()},
        "metadata": {EXACT_ANSWER: turn.answer, KEY: dict(turn.facts)},
        "output_type": "display_data",
    }


def find_answer(outputs: Iterable[object], where: str) -> ShownAnswer | None:
    """Return the answer that a cell shows; None if it shows none.

    Of several, the last one with facts is returned. Without facts, all are parts of one
    answer, as in a notebook that was saved during it.
    """
    parts: list[str] = []
    answer = None
    for number, value in enumerate(outputs, 1):
        place = fields.within(where, f"output {number}")
        output = fields.as_object(value, place, "an output")
        data = fields.as_object(output.get("data", {}), place, '"data"')
        if _MARKDOWN not in data:
            continue
        text = fields.joined_text(data[_MARKDOWN], place, f'"{_MARKDOWN}"')
        parts.append(text)
        metadata = fields.as_object(output.get("metadata", {}), place, '"metadata"')
        facts = metadata.get(KEY)
        if isinstance(facts, dict):
            status = facts.get("status")
            known = isinstance(status, str) and status in get_args(TurnStatus)
            answer = ShownAnswer(
                _as_written(data, text, place),
                cast(TurnStatus, status) if known else "incomplete",
                facts,
                metadata.get(EXACT_ANSWER),
            )
    return answer or _from_parts(parts)


def _options(turn: Turn, thread: str) -> Iterator[str]:
    # Earlier versions did not save whether the model was chosen.
    if turn.model and (turn.model != DEFAULT_MODEL or turn.facts.get("model_chosen")):
        yield _option("--model", turn.model)
    if turn.system.strip():
        yield _option("--system", turn.system)
    if thread != MAIN:
        yield _option("--thread", thread)
    if turn.begins:
        yield "--new"
    sent = turn.facts.get("parameters")
    if isinstance(sent, dict):
        for name, value in explicit_parameters(sent).items():
            yield from _parameter_options(CHAT_PARAMETERS[name], value)


def _parameter_options(parameter: Parameter, value: object) -> Iterator[str]:
    try:
        checked = parameter.check(value)
    except ParameterError:  # of another version, or another program
        return
    if isinstance(checked, bool):
        yield parameter.option if checked else f"--no-{parameter.option[2:]}"
        return
    if isinstance(checked, Mapping):
        checked = json.dumps(checked)
    for item in checked if isinstance(checked, tuple) else (checked,):
        if str(item).splitlines() == [str(item)]:
            yield _option(parameter.option, str(item))


def _option(name: str, value: str) -> str:
    """Return an option with its value, all on one line."""
    text = quote(" ".join(value.splitlines()))
    return f"{name}={text}" if value.startswith("-") else f"{name} {text}"


def _as_written(data: Mapping[str, Any], markdown: str, where: str) -> str:
    """Return the answer as the model wrote it: the Markdown shown was sanitized."""
    plain = fields.joined_text(data.get(_PLAIN, ""), where, f'"{_PLAIN}"')
    footer = _PLAIN_FOOTER.search(plain)
    if footer is None:
        return _without_footer(markdown)
    text = plain[: footer.start()]
    return "" if text == _EMPTY.strip("*") else text


def _from_parts(parts: list[str]) -> ShownAnswer | None:
    shown = "\n\n".join(part.strip("\n") for part in parts)
    footer = _FOOTER.search(shown)
    if not (shown[: footer.start()] if footer else shown).strip():
        return None  # nothing yet, or only the sign that an answer is awaited
    status: TurnStatus = "incomplete"
    if footer:
        marks = (_MARKS[mark] for mark in _MARKS if footer[1].startswith(mark))
        status = next(marks, "complete")
    return ShownAnswer(_without_footer(shown), status)


def _without_footer(markdown: str) -> str:
    text = without_directions(_REASONING.sub("", _FOOTER.sub("", markdown)))
    return "" if text.strip() == _EMPTY else text
