"""The answers of a run in a folder of stored answers, one file for each request.

They are the files that `ReplayBackend` would have written: a run whose answers are
there gives the same table with ``only``, on any machine. Failures are not stored.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.entry import StoredAnswer
from h2o_magic.backends.replay.folder import DamagedEntryError
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
        self._own: set[bytes] = set()  # answered in this run, where others do not count
        self._last: dict[bytes, bytes] = {}  # of repaired rows, the repair's key
        self._unwritten: dict[bytes, RowAnswer] = {}
        self._errors: dict[bytes, str] = {}
        self._weights: dict[str, str] = {}
        self._missed = False

    def known(self, questions: Mapping[bytes, str]) -> set[bytes]:
        return {key for key, text in questions.items() if self._find(key, text)}

    def texts(self, keys: Sequence[bytes]) -> Mapping[bytes, str]:
        return {key: answer.text for key, answer in self._read(keys)}

    def answers(self, keys: Sequence[bytes]) -> Mapping[bytes, RowAnswer]:
        return dict(self._read(keys))

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
        request = self._requests.of(text)
        last = key
        try:
            if answer.repaired:
                first = self._replayed.mask(answer.repaired)
                self._write(key, request, RowAnswer(first, model=answer.model))
                request = self._repair(text, first)
                last = self._last[key] = self._keys.of_repair(key, text, request)
            self._write(last, request, answer)
        except (OSError, ValueError) as error:  # the latter for a count that is NaN
            self._not_written(error)
            self._unwritten[key] = answer
        self._own.add(key)
        if len(self._own) == 1:
            self._asked.kept()

    def fail(self, key: bytes, error: str) -> None:
        self._errors[key] = error

    def flush(self, progress: Progress) -> None:
        if progress.state != "running":
            counts = self._replayed.counts
            only = self._asked.mode == "only"
            counts.hits += progress.known
            counts.misses += progress.errors if only else progress.asked
            counts.refused += progress.errors if only else 0

    def again(self, keys: Collection[bytes]) -> AnswerStore:
        asked = self._asked
        if asked.mode == "refresh":  # its answers are there now
            asked = replace(asked, mode="on")
        other = FolderAnswers(
            asked, self._replayed, self._requests, self._keys, anew=keys
        )
        other._last, other._unwritten = {**self._last}, {**self._unwritten}
        for key in keys:
            other._unwritten.pop(key, None)
        return other

    def close(self) -> None:
        """Nothing is open."""

    def _counts(self, key: bytes) -> bool:
        return key in self._own or not (
            self._asked.mode == "refresh" or key in self._anew
        )

    def _find(self, key: bytes, text: str) -> bool:
        """Return whether a question has an answer; note where it is."""
        if key in self._unwritten:
            return True
        first = self._stored(key) if self._counts(key) else None
        if first is None:
            return False
        with suppress(AnswerFormatError):
            self._check.checked(first.text)
            return True
        last = self._keys.of_repair(key, text, self._repair(text, first.text))
        again = self._stored(last)
        with suppress(AnswerFormatError):
            if again is not None and self._check.checked(again.text):
                self._last[key] = last
                return True
        return False

    def _read(self, keys: Sequence[bytes]) -> Iterator[tuple[bytes, RowAnswer]]:
        for key in keys:
            if key in self._unwritten:
                yield key, self._unwritten[key]
                continue
            last = self._last.get(key, key)
            stored = self._stored(last) if self._counts(key) else None
            with suppress(AnswerFormatError):
                if stored is not None:
                    yield key, self._answer(stored, key, last)

    def _answer(self, stored: StoredAnswer, key: bytes, last: bytes) -> RowAnswer:
        first = self._stored(key) if last != key else None
        usage, source = stored.usage or Usage(), stored.source
        return RowAnswer(
            self._check.checked(stored.text),
            usage.prompt_tokens,
            usage.completion_tokens,
            stored.seconds,
            stored.first_token,
            source.model if source is not None else "",
            first.text if first is not None else "",
        )

    def _stored(self, key: bytes) -> StoredAnswer | None:
        name = key.hex()
        try:
            entry = self._replayed.folder.read(name)
            stored = entry and StoredAnswer.of_json(entry, name)
        except (DamagedEntryError, OSError):
            return None
        if not stored or (self._asked.mode == "on" and self._has_other_weights(stored)):
            return None
        return stored

    def _has_other_weights(self, stored: StoredAnswer) -> bool:
        now = self._digest(self._requests.request.model)
        if not now and stored.source is not None:  # another model stood in for it
            now = self._digest(self._replayed.whole(stored.source.model))
        return bool(now) and now != stored.weights

    def _digest(self, model: str) -> str:
        if model not in self._weights:
            self._weights[model] = self._replayed.weights(model)
        return self._weights[model]

    def _repair(self, text: str, first: str) -> ChatRequest:
        """Return what is asked after an answer that does not fit."""
        problem = ""
        try:
            self._check.checked(first)
        except AnswerFormatError as error:
            problem = str(error)
        return self._requests.repair(text, first, problem)

    def _write(self, key: bytes, request: ChatRequest, answer: RowAnswer) -> None:
        replayed, name = self._replayed, key.hex()
        kept = replayed.mask(answer.text)
        end = round(answer.seconds * 1000)
        model = replayed.mask(replayed.shortened(answer.model))
        stored = StoredAnswer(
            request=replayed.summary(request),
            text=kept,
            answered=time.time(),
            pieces=((end, len(kept)),) if kept else (),
            seconds=answer.seconds,
            first_token=answer.first_token,
            url=self._url,
            source=Source(model) if model else None,
            usage=Usage(answer.prompt_tokens, answer.completion_tokens),
            weights=self._digest(answer.model or request.model),
        )
        replayed.folder.write(name, stored.as_json(name))

    @cached_property
    def _url(self) -> str:
        return self._replayed.mask(self._asked.serving.backend().url)

    def _not_written(self, error: Exception) -> None:
        if self._unwritten:  # which was told
            return
        said = getattr(error, "strerror", None) or error
        with suppress(Warning):  # where warnings are errors
            shown = self._replayed.shown
            self._replayed.warn(f"the answers were not stored in {shown}: {said}")
