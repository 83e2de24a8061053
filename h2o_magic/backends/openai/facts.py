"""What the chunks of an OpenAI-compatible answer say about it beside its text.

Pure. Counts are anywhere in a stream, once or again and again; the last ones hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from h2o_magic.backends.own_facts import source_of
from h2o_magic.backends.surrogates import join_surrogates
from h2o_magic.events import Source, Usage

__all__ = ["AnswerFacts"]

_T = TypeVar("_T")


class AnswerFacts:
    """The facts about one answer, collected from its chunks.

    Parameters
    ----------
    schema
        True if the server holds the answer to the schema of the request.
    """

    def __init__(self, *, schema: bool = False) -> None:
        self._schema = schema
        self._source: Source | None = None
        self._ours = False
        self.usage = Usage()

    def source(self, chunk: Mapping[str, Any]) -> Source | None:
        """Return what answers, if a chunk says it for the first time, or anew.

        A server of this package says more than a name, in its first and last chunk.
        """
        found = source_of(chunk)
        if found is not None:
            self._ours = True
        elif not self._ours:
            found = self._named(chunk.get("model"))
        if found is None or found == self._source:
            return None
        self._source = found
        return found

    def note_usage(self, chunk: Mapping[str, Any]) -> None:
        """Take the counts and times of a chunk, if it has any."""
        counts, times = _part(chunk, "usage"), _part(chunk, "timings")
        ours = _part(chunk, "h2o_magic")
        milliseconds = _number(times.get("predicted_ms"))  # llama.cpp
        seconds = _number(ours.get("writing_seconds"))
        if seconds is None and milliseconds is not None:
            seconds = milliseconds / 1000
        known = self.usage
        self.usage = Usage(
            _newer(_count(counts.get("prompt_tokens")), known.prompt_tokens),
            _newer(_count(counts.get("completion_tokens")), known.completion_tokens),
            _newer(_count(ours.get("dropped_turns")), known.dropped_turns) or 0,
            _newer(seconds, known.writing_seconds),
            _newer(_count(ours.get("cut_tokens")), known.cut_tokens) or 0,
        )

    def _named(self, model: object) -> Source | None:
        if not isinstance(model, str) or not model.strip():
            return None
        return Source(join_surrogates(model), schema=self._schema)


def _part(chunk: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = chunk.get(name)
    return part if isinstance(part, dict) else {}


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) and value > 0 else None


def _newer(new: _T | None, old: _T | None) -> _T | None:
    return old if new is None else new
