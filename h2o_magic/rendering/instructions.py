"""What an answer is asked to be: the words that a model is told for each format."""

from __future__ import annotations

import json
from collections.abc import Mapping
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


def instruction(format_: str, schema: Mapping[str, Any] | None = None) -> str:
    """Return what to tell the model about the form of its answer; often nothing.

    Parameters
    ----------
    format_
        One of the values of the setting ``format``.
    schema
        A JSON schema that the answer is to fit.
    """
    told = _INSTRUCTIONS[format_]
    if schema is None:
        return told
    text = json.dumps(schema, ensure_ascii=False)
    told = told or _INSTRUCTIONS["json"]
    return f"{told} It must fit this JSON schema: {text}"
