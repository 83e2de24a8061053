"""A finished answer as it is shown and as a value, by the requested format."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from h2o_magic.conversation.answer import Answer
from h2o_magic.errors import H2OMagicError
from h2o_magic.rendering import footer, tables
from h2o_magic.rendering.blocks import close_fence
from h2o_magic.rendering.fences import CodeBlock, code_blocks, fenced, without_code
from h2o_magic.rendering.sanitize import sandboxed

_PYTHON = ("python", "python3", "py", "ipython", "ipython3")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is shown at the end of an answer."""

    data: dict[str, Any]
    value: Any = None
    error: str = ""


def render(answer: Answer, problem: str = "") -> Rendered:
    """Return how a finished answer is shown; `problem` says why it failed."""
    wanted = answer.question.expects
    complete = answer.facts.status == "complete" and not problem
    special = _SPECIAL.get(wanted) if complete else None
    if special is None:
        return Rendered(_markdown(answer.text, answer))
    try:
        return special(answer)
    except H2OMagicError as error:
        kind = "JSON" if wanted == "json" else wanted
        problem = f"the answer is not the requested {kind}: {error}"
        return Rendered(_markdown(answer.text, answer), error=problem)


def _markdown(text: str, answer: Answer, *, plain: str | None = None) -> dict[str, Any]:
    """Return a text with its footer, as Markdown and plain (else as `plain`)."""
    reasoning = {
        "reasoning": answer.reasoning,
        "reasoning_mode": answer.question.reasoning,
    }
    plain = text if plain is None else plain
    return {
        "text/markdown": footer.answer_markdown(text, answer.facts, **reasoning),
        "text/plain": footer.answer_plain(plain, answer.facts, **reasoning),
    }


def _as_text(answer: Answer) -> Rendered:
    return Rendered({"text/plain": _markdown(answer.text, answer)["text/plain"]})


def code_for_cell(answer: Answer) -> tuple[list[CodeBlock], str]:
    """Return the Python blocks of a complete answer, or why there are none.

    If none is marked as Python, the first block without a language counts.
    """
    if answer.facts.finish_reason == "length":
        return [], (
            "the answer reached its maximum length (`--max-new-tokens N` raises it)"
        )
    blocks = [block for block in code_blocks(answer.text) if block.strip()]
    python = [block for block in blocks if block.language in _PYTHON]
    python = python or [block for block in blocks if not block.language][:1]
    kind = "code marked as Python" if blocks else "code"
    return python, "" if python else f"the answer contains no {kind}"


def _as_code(answer: Answer) -> Rendered:
    """Return the answer without the code that is put into the cell below."""
    text, (blocks, why_not) = answer.text, code_for_cell(answer)
    note = f"No cell was added: {why_not}."
    if blocks:
        text = without_code(text, blocks)
        note = "The code is in the cell below; it has not been run."
    parts = filter(None, (close_fence(text), f"*{note}*"))
    # A terminal has printed all of it by then.
    plain = f"{answer.text.rstrip()}\n\n{note.replace('`', '')}"
    code = "\n\n".join(block.code.strip("\n") for block in blocks)
    return Rendered(_markdown("\n\n".join(parts), answer, plain=plain), code)


def _as_json(answer: Answer) -> Rendered:
    value = answer.as_value.content
    answer.value()  # it may not be one of its type
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return Rendered(_markdown(fenced(text, "json"), answer, plain=text), value)


def _as_table(answer: Answer) -> Rendered:
    columns, rows = answer.as_value.content
    if not columns:
        return Rendered(_markdown("(an empty table)", answer), (columns, rows))
    head = [tables.Verbatim(column) for column in columns]
    cells = [[tables.Verbatim(_cell(cell)) for cell in row] for row in rows]
    table, plain = tables.as_markdown(head, cells), tables.as_text(head, cells)
    return Rendered(_markdown(table, answer, plain=plain), (columns, rows))


def _as_html(answer: Answer) -> Rendered:
    blocks = [
        block for block in code_blocks(answer.text) if block.language in ("html", "")
    ]
    html = str(blocks[0].code if blocks else answer.text)
    thought = footer.reasoning_html(answer.reasoning, answer.question.reasoning)
    plain = _markdown(answer.text, answer)["text/plain"]
    return Rendered({"text/html": f"{thought}{sandboxed(html)}", "text/plain": plain})


def _as_math(answer: Answer) -> Rendered:
    formula = answer.text.strip()
    if "$" not in formula and not formula.startswith(("\\[", "\\(", "```")):
        formula = f"$$\n{formula}\n$$"
    return Rendered(_markdown(formula, answer))


_SPECIAL: dict[str, Callable[[Answer], Rendered]] = {
    "text": _as_text,
    "code": _as_code,
    "json": _as_json,
    "table": _as_table,
    "html": _as_html,
    "math": _as_math,
}


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
