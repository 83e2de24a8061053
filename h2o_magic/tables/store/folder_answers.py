"""The answers of a run in a folder of stored answers, one file for each request.

They are the files that `ReplayBackend` would have written: a run whose answers are
there gives the same table with ``only``, on any machine. Failures are not stored.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.entry import StoredAnswer
from h2o_magic.backends.replay.misses import miss
from h2o_magic.backends.replay.replayed import Replayed
from h2o_magic.chat.events import Source, Usage
from h2o_magic.conversation.table_question import TableQuestion
from h2o_magic.rendering.json import AnswerFormatError
from h2o_magic.tables.row_requests import RowKeys, RowRequests
from h2o_magic.tables.running.asking import AnswerCheck
from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.store.base import AnswerStore


class FolderAnswers(AnswerStore):
    """The folder of a :class:`TableQuestion`, in its mode: ``on`` or ``only``.

    In mode ``refresh``, and of the keys `anew`, only what this run was given counts. An
    answer that cannot be written is kept until this object ends.
    """

    def __init__(
        self,
        asked: TableQuestion,
        replayed: Replayed,
        requests: RowRequests,
        keys: RowKeys,
        *,
        anew: Collection[bytes] = (),
    ) -> None:
        self._replayed = replayed
        self._asked = asked
        self._requests = requests
        self._keys = keys
        self._anew = anew
        self._check = AnswerCheck(requests.request.schema)
        # Where the answers are: under the key of the question, or of its repair.
        self._places: dict[bytes, bytes | RowAnswer] = {}
        self._errors: dict[bytes, str] = {}
        self._missed = self._warned = self._kept = self._ended = False

    def known(self, questions: Mapping[bytes, str]) -> set[bytes]:
        for key, text in questions.items():
            old = self._asked.mode == "refresh" or key in self._anew
            place = None if old or key in self._places else self._find(key, text)
            if place is not None:
                self._places[key] = place
        return self._places.keys() & questions.keys()

    def answers(self, keys: Sequence[bytes]) -> Mapping[bytes, RowAnswer]:
        found = ((key, self._read(key)) for key in keys)
        return {key: answer for key, answer in found if answer is not None}

    def errors(self, keys: Sequence[bytes]) -> Mapping[bytes, str]:
        return {key: self._errors[key] for key in keys if key in self._errors}

    def refuse(self, text: str) -> None:
        """Raise a ReplayMissError for a question that nobody may be asked."""
        if self._asked.mode != "only":
            return
        # Finding the nearest question takes up to a second: that is done once.
        why = "it is another one" if self._missed else ""
        self._missed = True
        raise miss(self._requests.of(text), self._replayed, why)

    def put(self, key: bytes, text: str, answer: RowAnswer) -> None:
        try:
            self._places[key] = self._stored_at(key, text, answer)
        except (OSError, ValueError) as error:  # the latter for a count that is NaN
            self._places[key] = answer
            self._warn_once(error)
        if not self._kept:
            self._kept = True
            self._asked.kept()

    def fail(self, key: bytes, error: str) -> None:
        self._errors[key] = error

    def flush(self, progress: Progress) -> None:
        if progress.state == "running" or self._ended:
            return
        self._ended = True
        counts, errors = self._replayed.counts, progress.errors
        only = self._asked.mode == "only"
        counts.hits += progress.known
        counts.misses += errors if only else progress.asked
        counts.refused += errors if only else 0

    def again(self, keys: Collection[bytes]) -> FolderAnswers:
        other = FolderAnswers(
            self._asked, self._replayed, self._requests, self._keys, anew=keys
        )
        other._places = {k: at for k, at in self._places.items() if k not in keys}
        return other

    def close(self) -> None:
        """Nothing is open."""

    def _find(self, key: bytes, text: str) -> bytes | None:
        """Return the key of the entry with the answer to a question."""
        first = self._stored(key)
        if first is None:
            return None
        problem = self._problem(first.text)
        if not problem:
            return key
        last, _ = self._repair(key, text, first.text, problem)
        again = self._stored(last)
        return last if again and not self._problem(again.text) else None

    def _read(self, key: bytes) -> RowAnswer | None:
        place = self._places.get(key)
        if not isinstance(place, bytes):
            return place
        stored = self._stored(place)
        if stored is None:
            return None
        first = self._stored(key) if place != key else None
        usage, source = stored.usage or Usage(), stored.source
        with suppress(AnswerFormatError):
            return RowAnswer(
                self._check.checked(stored.text),
                usage.prompt_tokens,
                usage.completion_tokens,
                stored.seconds,
                stored.first_token,
                source.model if source else "",
                first.text if first else "",
            )
        return None

    def _stored_at(self, key: bytes, text: str, answer: RowAnswer) -> bytes:
        """Write an answer; return the key of its entry."""
        request = self._requests.of(text)
        if answer.repaired:
            first = self._replayed.mask(answer.repaired)
            self._write(key, request, RowAnswer(first, model=answer.model))
            key, request = self._repair(key, text, first, self._problem(first))
        self._write(key, request, answer)
        return key

    def _repair(
        self, key: bytes, text: str, first: str, problem: str
    ) -> tuple[bytes, ChatRequest]:
        """Return the key of what is asked after an answer that does not fit, and it."""
        request = self._requests.repair(text, first, problem)
        return self._keys.of_repair(key, text, request), request

    def _problem(self, answer: str) -> str:
        """Return why an answer does not count; empty if it does."""
        try:
            self._check.checked(answer)
        except AnswerFormatError as error:
            return str(error)
        return ""

    def _stored(self, key: bytes) -> StoredAnswer | None:
        model, any_weights = self._requests.request.model, self._asked.mode != "on"
        return self._replayed.stored(key.hex(), model, any_weights=any_weights)[0]

    def _write(self, key: bytes, request: ChatRequest, answer: RowAnswer) -> None:
        text, seconds, model = answer.text, answer.seconds, answer.model
        stored = StoredAnswer(
            request={},
            text=text,
            answered=time.time(),
            pieces=((round(seconds * 1000), len(text)),),
            seconds=seconds,
            first_token=answer.first_token,
            source=Source(model) if model else None,
            usage=Usage(answer.prompt_tokens, answer.completion_tokens),
        )
        replayed, name = self._replayed, key.hex()
        asked = replayed.summary(request)
        stored = replayed.to_store(stored, asked, request.model, self._url)
        replayed.folder.write(name, stored.as_json(name))

    @cached_property
    def _url(self) -> str:
        return self._asked.serving.backend().url

    def _warn_once(self, error: Exception) -> None:
        if self._warned:
            return
        self._warned = True
        said = getattr(error, "strerror", None) or error
        with suppress(Warning):  # where warnings are errors
            shown = self._replayed.shown
            self._replayed.warn(f"the answers were not stored in {shown}: {said}")
