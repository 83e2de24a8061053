"""Our server with an engine that computes nothing and writes at a set speed.

It stands behind the seam that `Models` has for tests, so everything else is as in use:
routes, line, prompts, transcript, encoding, HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn

from h2o_magic.server.app import build_app
from h2o_magic.server.conversations import Conversations
from h2o_magic.server.ending import IdleTimer
from h2o_magic.server.engine import Admission, Engine
from h2o_magic.server.engine_stream import Chunk
from h2o_magic.server.line import Line
from h2o_magic.server.models import Models
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.server.serve import http_config
from h2o_magic.weights.gguf import read_header
from h2o_magic.weights.memory import MemoryPlan

__all__ = ["StandIn"]


class StandIn:
    """What an `Engine` shows to the rest of the server.

    Parameters
    ----------
    path, room
        As an engine gets them; of the file only the header is read.
    rate
        Tokens per second of each answer.
    """

    knows_system_role = True
    knows_effort = False

    def __init__(self, path: Path, room: MemoryPlan, *, rate: float) -> None:
        self.path, self.room, self._rate = path, room, rate
        self.header = read_header(path)
        self._admission = Admission(room.slots, room.slots * room.context)

    @property
    def busy_slots(self) -> int:
        """How many answers are being written."""
        return self._admission.taken

    def at_hand(self, tokens: int) -> bool:
        """Whether an answer need not wait."""
        return self._admission.free(tokens)

    def tokenize(self, text: str, *, markers: bool) -> list[int]:
        """Take each word for a token."""
        return list(range(len(text.split()) + markers))

    def detokenize(self, tokens: Sequence[int]) -> str:
        """Return as many words."""
        return " ".join("word" for _ in tokens)

    def apply_template(
        self, messages: Sequence[Mapping[str, str]], _effort: str = ""
    ) -> str:
        """Return the contents."""
        return "\n".join(message["content"] for message in messages)

    async def generate(
        self,
        request: Callable[[], Mapping[str, Any]],
        tokens: int,
        *,
        text_only: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> AsyncGenerator[Chunk, None]:
        """Yield a word each ``1 / rate`` seconds; who is late catches up."""
        if not self.at_hand(tokens):
            tell("waiting for a free slot")
        await self._admission.enter(tokens)
        tell("")
        try:
            options = await asyncio.to_thread(request)
            began = time.monotonic()
            for count in range(1, options["max_tokens"] + 1):
                due = began + count / self._rate
                if (early := due - time.monotonic()) > 0:
                    await asyncio.sleep(early)
                token = -1 if text_only else 300
                # As with the real engine: what is there already is taken together.
                more = due + 1 / self._rate <= time.monotonic()
                yield Chunk(f" w{count}", token, None, count, more=more)
            yield Chunk("", -1, None, options["max_tokens"], "length")
        finally:
            self._admission.leave(tokens)

    def close(self) -> None:
        """Have nothing to unload."""


def main() -> None:
    """Serve until the process is ended; print the address first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    options = parser.parse_args()
    load = partial(StandIn, rate=options.rate)
    models = Models(options.slots, cast("type[Engine]", load))
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    runtime = Runtime(url, "stand-in", 0, "", "0", None)
    app = build_app(
        runtime,
        models,
        Conversations(),
        line=Line(options.slots, 0),
        idle=IdleTimer(0),
        end=None,
    )
    address = {"url": f"{url}/v1/chat/completions", "key": runtime.token}
    print(json.dumps(address), flush=True)
    uvicorn.Server(http_config(app)).run(sockets=[listening])


if __name__ == "__main__":
    main()
