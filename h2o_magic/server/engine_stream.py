"""Carries one answer from the engine's thread to the event loop, piece by piece."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from h2o_magic.errors import GenerationError

__all__ = ["Chunk", "Complete", "failure", "stream"]

_log = logging.getLogger(__name__)

#: The engine's streaming call: the request as JSON, and what takes each report and
#: returns True to stop. It blocks until the answer has ended.
Complete: TypeAlias = Callable[[str, Callable[[str], bool]], object]

_Report: TypeAlias = Mapping[str, Any] | Exception


@dataclass(frozen=True, slots=True)
class Chunk:
    """New text, and the token that completed it.

    Attributes
    ----------
    text : str
        Whole characters only; empty for a control token.
    token_id : int
        The last token of that text; -1 in a chunk that only ends the answer.
    logprob : float or None
        Its log probability.
    count : int
        How many tokens the answer has so far.
    finish : {"stop", "length"} or None
        Why the answer ended; None while it goes on.
    seconds : float
        How long the engine has been writing, without reading the input.
    """

    text: str
    token_id: int
    logprob: float | None
    count: int
    finish: Literal["stop", "length"] | None = None
    seconds: float = 0.0


async def stream(
    complete: Complete,
    request: Mapping[str, Any],
    *,
    threads: Executor,
    let_go: Callable[[], None],
) -> AsyncGenerator[Chunk, None]:
    """Yield an answer's chunks; the last one has a `finish`.

    Leaving early (closing the iterator, cancelling its task) stops the engine.

    Parameters
    ----------
    complete
        The engine's call.
    request
        The completion request, in the engine's words.
    threads
        Where the call runs; it must have a free thread.
    let_go
        Called in the event loop when the engine is done with the request, which may
        be a moment after the iterator was left.

    Raises
    ------
    GenerationError
        If the engine reports an error, or ends without saying why.
    """
    run = _Run(asyncio.get_running_loop())
    future = run.loop.run_in_executor(threads, run.work, complete, json.dumps(request))
    future.add_done_callback(lambda _: let_go())
    try:
        while True:
            chunk = _read(await run.reports.get())
            if chunk is not None:
                yield chunk
                if chunk.finish:
                    return
    finally:
        run.left = True


class _Run:
    """One call of the engine, seen from both sides."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.reports: asyncio.Queue[_Report] = asyncio.Queue()
        self.left = False

    def work(self, complete: Complete, request: str) -> None:
        """Run in the engine's thread until the answer has ended."""
        end = GenerationError("the engine ended the answer without saying why")
        try:
            complete(request, self._take)
        except Exception as error:
            _log.exception("the engine's call failed")
            end.__cause__ = error
        self._send(end)

    def _take(self, report: str) -> bool:
        if not self.left:
            self._send(json.loads(report))
        return self.left

    def _send(self, report: _Report) -> None:
        try:
            self.loop.call_soon_threadsafe(self.reports.put_nowait, report)
        except RuntimeError:  # the loop is closed: the server is ending
            self.left = True


def _read(report: _Report) -> Chunk | None:
    """Return what a report says; None for progress in reading the input."""
    if isinstance(report, Exception):
        raise report
    if "choices" not in report:
        raise failure(report)
    if "prompt_progress" in report:
        return None
    choice = report["choices"][0]
    seconds = report["timings"]["predicted_ms"] / 1000
    if choice["finish_reason"]:
        count = report["usage"]["completion_tokens"]
        return Chunk(choice["text"], -1, None, count, choice["finish_reason"], seconds)
    token = choice["logprobs"]["content"][-1]
    count = report["timings"]["predicted_n"]
    text, logprob = choice["text"], token["logprob"]
    return Chunk(text, token["id"], logprob, count, seconds=seconds)


def failure(report: Mapping[str, Any]) -> GenerationError:
    """Return the error that an engine's report of a failure stands for."""
    error = report.get("error", report)
    message = error.get("message") if isinstance(error, Mapping) else error
    return GenerationError(str(message or "the engine failed"), error_type="generation")
