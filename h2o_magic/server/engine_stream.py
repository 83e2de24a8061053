"""Passes one answer from the engine's thread to the event loop, piece by piece."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from h2o_magic.errors import GenerationError

_log = logging.getLogger(__name__)

#: The engine's streaming call: the request as JSON, and what takes each report and
#: returns True to stop. It blocks until the answer has ended.
Complete: TypeAlias = Callable[[str, Callable[[str], bool]], object]

_GATHER_SECONDS = 0.01

#: In a report of progress in reading the input, which brings no text (whose quotes
#: would have backslashes) but lets us stop the engine.
_PROGRESS = '"prompt_progress":'

#: JSON, or what went wrong.
_Report: TypeAlias = str | Exception


@dataclass(frozen=True, slots=True)
class Chunk:
    """New text of whole characters only, and the token that completed it.

    `token_id` is -1 in a chunk that only ends the answer, and without tokens, where
    `count` (tokens of the answer so far) may be too low until the last chunk. `seconds`
    is how long the engine has been writing, 0 if it does not say. With `more` the next
    chunk is there already, so that a writer may send both at once.
    """

    text: str
    token_id: int
    logprob: float | None
    count: int
    finish: Literal["stop", "length"] | None = None
    seconds: float = 0.0
    more: bool = False


async def stream(
    complete: Complete,
    request: Callable[[], Mapping[str, Any]],
    *,
    threads: Executor,
    let_go: Callable[[], None],
) -> AsyncGenerator[Chunk, None]:
    """Yield an answer's chunks; the last one has a `finish`.

    Closing the iterator, or cancelling its task, stops the engine. `request` makes the
    engine's options in the thread of the call; it may block and raise. `threads` must
    have a free one. `let_go` is called in the event loop when the engine has finished,
    which may be after the iterator was closed.
    """
    run = _Run(asyncio.get_running_loop())
    future = run.loop.run_in_executor(threads, run.work, complete, request)
    future.add_done_callback(lambda _: let_go())
    count = 0
    try:
        while True:
            report = await run.next()
            if isinstance(report, Exception):
                raise report
            chunk = _read(report, count, more=bool(run.reports))
            count = chunk.count
            yield chunk
            if chunk.finish:
                return
    finally:
        run.left = True


class _Run:
    """One call of the engine, shared by its thread and the event loop.

    Waking the event loop for each event costs much of the time in which a small model
    writes a token. So tokens of a few milliseconds are taken together; a slow model's,
    and always the first one, are taken as they come.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.reports: deque[_Report] = deque()
        self.left = False
        self._there = asyncio.Event()
        self._awaited = False
        self._taken = -_GATHER_SECONDS

    async def next(self) -> _Report:
        if not self.reports and self.loop.time() - self._taken < _GATHER_SECONDS:
            await asyncio.sleep(_GATHER_SECONDS)
        while not self.reports:
            self._there.clear()
            self._awaited = True
            # One may have come in between, and its thread did not know that we wait.
            if not self.reports:
                await self._there.wait()
            self._awaited = False
        report = self.reports.popleft()
        if not self.reports:
            self._taken = self.loop.time()
        return report

    def work(self, complete: Complete, make: Callable[[], Mapping[str, Any]]) -> None:
        """Run in the engine's thread until the answer has ended."""
        try:
            request = json.dumps(make())
        except Exception as error:
            self._send(error)
            return
        end = GenerationError("the engine ended the answer without giving a reason")
        try:
            if not self.left:
                complete(request, self._take)
        except Exception as error:
            _log.exception("the engine's call failed")
            end.__cause__ = error
        self._send(end)

    def _take(self, report: str) -> bool:
        if not (self.left or _PROGRESS in report):
            self._send(report)
        return self.left

    def _send(self, report: _Report) -> None:
        self.reports.append(report)
        if not self._awaited:
            return
        self._awaited = False  # waking once is enough
        try:
            self.loop.call_soon_threadsafe(self._there.set)
        except RuntimeError:  # the loop is closed: the server is ending
            self.left = True


def _read(text: str, count: int, *, more: bool) -> Chunk:
    report = json.loads(text)
    if "choices" not in report:
        raise failure(report)
    choice = report["choices"][0]
    timings = report.get("timings", {})
    seconds = timings.get("predicted_ms", 0.0) / 1000
    if choice["finish_reason"]:
        count = report["usage"]["completion_tokens"]
        return Chunk(choice["text"], -1, None, count, choice["finish_reason"], seconds)
    if choice["logprobs"] is None:
        return Chunk(choice["text"], -1, None, count + 1, more=more)
    token = choice["logprobs"]["content"][-1]
    count = timings["predicted_n"]
    text, logprob = choice["text"], token["logprob"]
    return Chunk(text, token["id"], logprob, count, seconds=seconds, more=more)


def failure(report: Mapping[str, Any]) -> GenerationError:
    error = report.get("error", report)
    message = error.get("message") if isinstance(error, Mapping) else error
    return GenerationError(str(message or "the engine failed"), error_type="generation")
