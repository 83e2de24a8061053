"""The engine's streams of events: asked for, passed on, or put together.

Each is asked to tell its progress in reading the prompt, too: the engine notices that a
client has left only when it has something to send to it.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp import web

from h2o_magic.server.assembly import assembly_for
from h2o_magic.server.engine_errors import refusal
from h2o_magic.server.facts import Facts
from h2o_magic.server.reply import Reply, Tell
from h2o_magic.server.request_queue import RequestQueue
from h2o_magic.server.rewriting import EngineRequest

#: How much of a stream's end is kept, in bytes: the counts are there.
_TAIL = 2048
#: Tokens that follow each other within so many seconds, for each answer that is being
#: written, are passed on together; but within the longest at most.
_GATHER_SECONDS, _LONGEST_GATHER = 0.004, 0.024
#: The first parts of an answer are passed on as they come.
_AT_ONCE = 4
_PROGRESS = b'"prompt_progress":'
#: The most tokens that are read in a moment, as a rule.
_SHORT = 256
_END = b"\n\n"
#: The routes whose streams tell token counts only if that is asked for.
_COUNTING = ("/v1/chat/completions", "/v1/completions")


def ask_for_stream(request: EngineRequest) -> None:
    """Have an answer, of which the client wants the whole, written as a stream."""
    request.add("stream", True)
    if request.path in _COUNTING:
        request.add("stream_options", {"include_usage": True})


async def pass_on(
    answer: aiohttp.ClientResponse,
    reply: Reply,
    facts: Facts,
    queue: RequestQueue,
    *,
    progress: bool,
) -> web.StreamResponse:
    """Pass a stream on; its progress only if the client has asked for that."""
    tail, held, taken, parts = b"", b"", 0.0, 0
    async for came in answer.content.iter_any():
        part = came
        if not progress and (held or _PROGRESS in came or not came.endswith(_END)):
            part, held = _without_progress(held + came, reply.tell)
        if part:
            facts.note_part(part)
            await reply.write(part)
            tail, parts = (tail + part)[-_TAIL:], parts + 1
        seconds = min(_GATHER_SECONDS * queue.running, _LONGEST_GATHER)
        if parts > _AT_ONCE and time.monotonic() - taken < seconds:
            await _gather(answer, seconds)
        taken = time.monotonic()
    facts.note_end(tail)
    if held:
        await reply.write(held)
    return await reply.end()


async def assembled(
    answer: aiohttp.ClientResponse, request: EngineRequest, facts: Facts
) -> dict[str, Any]:
    """Return the whole answer of a stream."""
    assembly = assembly_for(request.path, request.body["model"])
    async for line in answer.content:
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        if "error" in event and isinstance(event["error"], dict):
            raise refusal(line[6:], int(event["error"].get("code") or 500))
        if _PROGRESS not in line:
            facts.note_part(line)
            assembly.add(event)
    whole = assembly.whole()
    facts.note_end(json.dumps(whole).encode()[-_TAIL:])
    return whole


def _without_progress(data: bytes, tell: Tell) -> tuple[bytes, bytes]:
    """Return the whole events that tell no progress, which is told, and the rest."""
    *events, rest = data.split(_END)
    kept = [event + _END for event in events if _PROGRESS not in event]
    if len(kept) < len(events):
        last = next(event for event in reversed(events) if _PROGRESS in event)
        tell_progress(json.loads(last[last.index(b"{") :]), tell)
    return b"".join(kept), rest


def tell_progress(event: Mapping[str, Any], tell: Tell) -> None:
    """Tell how much of a long prompt is read, in tenths."""
    read = event.get("prompt_progress")
    if not isinstance(read, dict):  # it is deeper in an event of another route
        return
    tokens = read["total"] - read["cache"]
    done = (read["processed"] - read["cache"]) / max(tokens, 1)
    if tokens > _SHORT:
        tell(f"Reading {tokens:,} tokens", math.floor(10 * done) / 10)


async def _gather(answer: aiohttp.ClientResponse, seconds: float) -> None:
    """Let the engine's bytes gather; each waking of the event loop costs time."""
    connection = answer.connection
    transport = connection.transport if connection else None
    if transport is None or transport.is_closing():
        return
    transport.pause_reading()
    try:
        await asyncio.sleep(seconds)
    finally:
        transport.resume_reading()
