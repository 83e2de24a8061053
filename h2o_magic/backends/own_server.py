"""What a server of this package is told, and what it says about itself.

Pure. What answers is said by a header in the OpenAI dialect, and by ``h2o_magic``
objects in gpt-gm; notices come before the answer. Other servers send none of this.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping
from typing import Any

from h2o_magic.chat.events import Event, Notice, Source, Usage

#: Sent with questions, to servers of this package alone. The id is random, and the same
#: for as long as this process runs: by it, each notebook is served in turn.
OWN_HEADERS = {
    "X-H2O-Magic": "notices",
    "X-H2O-Magic-Notebook": secrets.token_urlsafe(16),
}
_WEIGHTS_HEADER = "X-H2O-Magic-Weights"
_LONGEST_NOTICE = 200  # characters


def source_in(headers: Mapping[str, str]) -> Source | None:
    """Return what answers, if the headers of a response say so."""
    try:
        return source_of(json.loads(headers.get(_WEIGHTS_HEADER, "")))
    except (ValueError, RecursionError):
        return None


def source_of(said: object) -> Source | None:
    """Return what answers, if `said` says so; with whether it supports schemas."""
    if not isinstance(said, dict) or not isinstance(said.get("model"), str):
        return None
    demo, schema = said.get("demo") is True, said.get("json_schema") is True
    asked = text_of(said.get("stands_in_for"))
    return Source(said["model"], text_of(said.get("weights")), demo, schema, asked)


def answer_facts(details: Mapping[str, Any]) -> list[Event]:
    ours = details.get("h2o_magic")
    source = source_of(ours)
    ours = ours if isinstance(ours, dict) else {}
    usage = Usage(
        prompt_tokens=count(details.get("input_length")),
        completion_tokens=count(details.get("generated_tokens")),
        dropped_turns=count(ours.get("dropped_turns")) or 0,
        writing_seconds=seconds(ours.get("writing_seconds")),
        cut_tokens=count(ours.get("cut_tokens")) or 0,
    )
    events: list[Event] = [] if source is None else [source]
    return [*events, usage] if usage != Usage() else events


def notices_of(document: Mapping[str, Any]) -> list[Event]:
    ours = document.get("h2o_magic")
    ours = ours if isinstance(ours, dict) else {}
    words, progress = ours.get("notice"), ours.get("progress")
    if not isinstance(words, str):
        return []
    if not isinstance(progress, int | float) or not 0 <= progress <= 1:
        progress = None
    return [Notice(words[:_LONGEST_NOTICE], progress)]


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def seconds(value: object) -> float | None:
    """Return a time above 0; None for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 < value < math.inf else None


def count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None
