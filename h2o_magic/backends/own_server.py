"""What a server of this package says about itself: its ``h2o_magic`` objects.

Pure. They are in the reply to a new conversation, in the final event, and in events
before the answer; other servers send none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from h2o_magic.chat.events import Event, Notice, Source, Usage

_LONGEST_NOTICE = 200  # characters


def source_of(document: Mapping[str, Any]) -> Source | None:
    """Return what answers, if `document` says so; with whether it supports schemas."""
    ours = _ours(document)
    model = ours.get("model")
    if not isinstance(model, str):
        return None
    demo, schema = ours.get("demo") is True, ours.get("json_schema") is True
    asked = text_of(ours.get("stands_in_for"))
    return Source(model, text_of(ours.get("weights")), demo, schema, asked)


def answer_facts(details: Mapping[str, Any]) -> list[Event]:
    ours = _ours(details)
    source = source_of(details)
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
    words = _ours(document).get("notice")
    return [Notice(words[:_LONGEST_NOTICE])] if isinstance(words, str) else []


def _ours(document: Mapping[str, Any]) -> Mapping[str, Any]:
    ours = document.get("h2o_magic")
    return ours if isinstance(ours, dict) else {}


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def seconds(value: object) -> float | None:
    """Return a time above 0; None for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 < value < math.inf else None


def count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None
