"""What the chunks of an OpenAI-compatible answer say about it beside its text.

Pure. Counts are anywhere in a stream, once or again and again; the last ones hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from h2o_magic.backends.own_server import count, seconds, source_of
from h2o_magic.backends.text import join_surrogates
from h2o_magic.chat.events import Source, Usage


class AnswerFacts:
    """The facts about one answer, collected from its chunks."""

    def __init__(self, *, schema: bool = False) -> None:
        self._schema = schema
        self._source: Source | None = None
        self._model: object = None
        self._ours = False
        self._usage: dict[str, Any] = {}

    def source(self, chunk: Mapping[str, Any]) -> Source | None:
        """Return what answers, if a chunk says it for the first time, or anew.

        A server of this package says more than a name, in its first and last chunk.
        """
        found = source_of(chunk)
        if found is not None:
            self._ours = True
        elif not self._ours and chunk.get("model") != self._model:
            self._model = chunk.get("model")
            found = self._named(self._model)
        if found is None or found == self._source:
            return None
        self._source = found
        return found

    @property
    def usage(self) -> Usage:
        """The counts and times so far."""
        return Usage(**self._usage)

    def note_usage(self, chunk: Mapping[str, Any]) -> None:
        """Take the counts and times of a chunk, if it has any."""
        counts, times = chunk.get("usage"), chunk.get("timings")
        ours = chunk.get("h2o_magic")
        if isinstance(counts, dict):
            self._note("prompt_tokens", count(counts.get("prompt_tokens")))
            self._note("completion_tokens", count(counts.get("completion_tokens")))
        if isinstance(times, dict):  # llama.cpp
            milliseconds = seconds(times.get("predicted_ms"))
            self._note("writing_seconds", milliseconds and milliseconds / 1000)
        if isinstance(ours, dict):
            self._note("dropped_turns", count(ours.get("dropped_turns")))
            self._note("cut_tokens", count(ours.get("cut_tokens")))
            self._note("writing_seconds", seconds(ours.get("writing_seconds")))

    def _note(self, name: str, value: float | None) -> None:
        if value is not None:
            self._usage[name] = value

    def _named(self, model: object) -> Source | None:
        if not isinstance(model, str) or not model.strip():
            return None
        return Source(join_surrogates(model), schema=self._schema)
