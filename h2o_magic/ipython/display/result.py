"""An ended answer as it is shown and as a value, by the format that was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from h2o_magic.conversation.answer import Answer
from h2o_magic.errors import ConfigurationError, H2OMagicError
from h2o_magic.ipython.next_cell import code_for_cell
from h2o_magic.rendering import footer, tables
from h2o_magic.rendering.blocks import close_fence
from h2o_magic.rendering.fences import fenced


class AnswerError(ConfigurationError):
    """An answer is not what it was asked to be. It is shown as it came."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is shown at the end of an answer."""

    data: dict[str, Any]
    value: object = None
    error: str = ""


def render(answer: Answer, problem: str = "") -> Rendered:
    """Return how an ended answer is shown.

    Parameters
    ----------
    answer
        Read to its end.
    problem
        Why it is not whole, where it failed.
    """
    question, facts = answer.question, answer.facts
    whole = facts.status == "complete" and not problem
    special = _SPECIAL.get(_format(answer)) if whole else None
    if special is None:
        return Rendered(_markdown(answer.text, answer, problem))
    try:
        return special(answer.text, answer)
    except H2OMagicError as error:
        kind = question.format if question.format != "markdown" else "json"
        said = f"the answer is no {kind} as it was asked for: {error}"
        return Rendered(_markdown(answer.text, answer, said), error=said)


def _format(answer: Answer) -> str:
    """Return the format in force: a schema makes JSON of what is not said."""
    question = answer.question
    if question.schema is not None and question.format == "markdown":
        return "json"
    return question.format


def _markdown(text: str, answer: Answer, problem: str = "") -> dict[str, Any]:
    facts = answer.facts
    return {
        "text/markdown": footer.answer_markdown(
            text,
            facts,
            problem,
            reasoning=answer.reasoning,
            reasoning_mode=answer.question.reasoning,
        ),
        "text/plain": _plain(text, answer, problem),
    }


def _plain(text: str, answer: Answer, problem: str = "") -> str:
    return footer.answer_plain(
        text,
        answer.facts,
        problem,
        reasoning=answer.reasoning,
        reasoning_mode=answer.question.reasoning,
    )


def _as_text(text: str, answer: Answer) -> Rendered:
    return Rendered({"text/plain": _plain(text, answer)})


def _as_code(text: str, answer: Answer) -> Rendered:
    """Return the answer without the code that is offered below; all where none is."""
    from h2o_magic.rendering.fences import without_code  # noqa: PLC0415

    code = code_for_cell(answer)
    if code.blocks:
        text = without_code(text, code.blocks)
        note = "The code is in the cell below; it has not been run."
        plain = "The code is in the next cell; it has not been run."
    else:
        note = f"No code is offered below: {code.why_not}."
        plain = note.replace("`", "")
    data = _markdown(
        "\n\n".join(filter(None, (close_fence(text), f"*{note}*"))), answer
    )
    # A terminal has printed all of it by then.
    data["text/plain"] = _plain(f"{answer.text.rstrip()}\n\n{plain}", answer)
    return Rendered(data, code.text)


def _as_json(text: str, answer: Answer) -> Rendered:
    value = _value(text, answer)
    written = json.dumps(value, ensure_ascii=False, indent=2)
    return Rendered(_markdown(fenced(written, "json"), answer), value)


def _as_table(text: str, answer: Answer) -> Rendered:
    from h2o_magic.rendering.table_answer import markdown_table, rows_of  # noqa: PLC0415

    written = markdown_table(text) if answer.question.schema is None else None
    columns, rows = written or rows_of(_value(text, answer))
    if not columns:
        return Rendered(_markdown("(an empty table)", answer), (columns, rows))
    cells = [[tables.Verbatim(_cell(cell)) for cell in row] for row in rows]
    table = tables.as_markdown([tables.Verbatim(c) for c in columns], cells)
    data = _markdown(table, answer)
    plain = tables.as_text([tables.Verbatim(c) for c in columns], cells)
    data["text/plain"] = _plain(plain, answer)
    return Rendered(data, (columns, rows))


def _as_html(text: str, answer: Answer) -> Rendered:
    from h2o_magic.rendering.fences import code_blocks  # noqa: PLC0415
    from h2o_magic.rendering.sanitize import sandboxed  # noqa: PLC0415

    blocks = [block for block in code_blocks(text) if block.language in ("html", "")]
    html = str(blocks[0].code if blocks else text)
    thought = footer.reasoning_html(answer.reasoning, answer.question.reasoning)
    shown = f"{thought}{sandboxed(html)}"
    return Rendered({"text/html": shown, "text/plain": _plain(text, answer)})


def _as_math(text: str, answer: Answer) -> Rendered:
    formula = text.strip()
    if "$" not in formula and not formula.startswith(("\\[", "\\(", "```")):
        formula = f"$$\n{formula}\n$$"
    return Rendered(_markdown(formula, answer))


_SPECIAL: dict[str, Callable[[str, Answer], Rendered]] = {
    "text": _as_text,
    "code": _as_code,
    "json": _as_json,
    "table": _as_table,
    "html": _as_html,
    "math": _as_math,
}


def _value(text: str, answer: Answer) -> object:
    """Return the JSON value of an answer, which fits the schema."""
    from h2o_magic.rendering.json import find_json  # noqa: PLC0415
    from h2o_magic.rendering.schema import problems  # noqa: PLC0415

    value = find_json(text)
    schema = answer.question.schema
    found = problems(value, schema) if schema is not None else []
    if found:
        raise AnswerError("; ".join(found))
    return value


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
