"""What an answer is asked to be: what a model is told, and the schema of a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_INSTRUCTIONS = {
    "markdown": "",
    "text": "Answer in plain text, without Markdown.",
    "code": "Put the code of your answer into one fenced block with its language.",
    "json": "Answer with one JSON value and nothing else.",
    "table": (
        "Answer with a table: a JSON array with one object for each row, all with the "
        "same keys, and nothing else."
    ),
    "html": "Answer with a fragment of HTML and nothing else. It can run no script.",
    "math": "Answer with one formula in LaTeX, without delimiters, and nothing else.",
}

#: What code has to know of the values that a question shows.
_VARIABLES = (
    "These variables exist in the notebook where it will run, with the columns and "
    "types that the question shows: {names}. Use them by these names; do not define, "
    "load or make up any of them."
)

#: What is asked for where the user gives no schema: a list of flat objects.
TABLE_SCHEMA: Mapping[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
    },
}


def instruction(
    format_: str, schema: Mapping[str, Any] | None = None, names: Sequence[str] = ()
) -> str:
    """Return what to tell the model about the form of its answer; often nothing.

    `names` are the variables that the question shows: code is to use them.
    """
    text = _INSTRUCTIONS[format_]
    if format_ == "code" and names:
        listed = ", ".join(f"`{name}`" for name in dict.fromkeys(names))
        text += f" {_VARIABLES.format(names=listed)}"
    if schema is None:
        return text
    text = text or _INSTRUCTIONS["json"]
    written = json.dumps(schema, ensure_ascii=False)
    return f"{text} It must fit this JSON schema: {written}"
