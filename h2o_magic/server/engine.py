"""One loaded model: llama.cpp in this process, behind a small interface.

The engine (xllamacpp) generates in-process. Its other abilities (tokenizing, applying a
chat template) it offers only over HTTP, so it listens on a loopback port of its own;
a random path prefix and key keep everybody else out.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, cast

import xllamacpp

from h2o_magic.errors import ConfigurationError
from h2o_magic.server.engine_calls import EngineCalls
from h2o_magic.server.engine_stream import Chunk, Complete, stream
from h2o_magic.weights.files import is_immutable
from h2o_magic.weights.gguf import Header, read_header
from h2o_magic.weights.memory import MemoryPlan

#: Tokens of input read at a time. Stopping takes effect between two batches.
_BATCH = 128
#: Reports of progress come even while the input is read, so that a stop takes effect.
_TEXT = {"stream": True, "return_progress": True}
#: What the old service reported of each token; it costs a fifth of the speed.
_TOKENS = {**_TEXT, "logprobs": 1, "timings_per_token": True}


class Admission:
    """Admits requests, in order of arrival, while the engine has a slot and memory.

    The slots share the engine's context memory. Each answer first reserves the most
    tokens that it may need, so a running answer never runs out of memory.
    """

    def __init__(self, slots: int, tokens: int) -> None:
        self._free_slots = slots
        self._free_tokens = tokens
        self.taken = 0
        self._first_in_line = asyncio.Lock()
        self._somebody_left = asyncio.Event()

    def free(self, tokens: int) -> bool:
        return not self._first_in_line.locked() and self._has(tokens)

    async def enter(self, tokens: int) -> None:
        async with self._first_in_line:
            while not self._has(tokens):
                self._somebody_left.clear()
                await self._somebody_left.wait()
            self._change(1, tokens)

    def leave(self, tokens: int) -> None:
        self._change(-1, -tokens)
        self._somebody_left.set()

    def _has(self, tokens: int) -> bool:
        return self._free_slots >= 1 and self._free_tokens >= tokens

    def _change(self, slots: int, tokens: int) -> None:
        self.taken += slots
        self._free_slots -= slots
        self._free_tokens -= tokens


class Engine:
    """A model in memory. Making one loads it, with `warm_up` runs it, and blocks."""

    def __init__(self, path: Path, room: MemoryPlan, *, warm_up: bool = False) -> None:
        self.path = path
        self.room = room
        self.header: Header = read_header(path)
        self._admission = Admission(room.slots, room.capacity)
        self._key = secrets.token_urlsafe(32)
        self._prefix = "/" + secrets.token_urlsafe(32)
        self._server = self._load(warm_up)
        listening = self._server.listening_address
        self._calls = EngineCalls(listening, self._prefix, self._key)
        self._threads = ThreadPoolExecutor(room.slots, "generate")
        self._obeyed: dict[bytes, bool] = {}
        # Answered by the engine's loop, which has started then: closing an engine
        # before that may wait for ever.
        self._calls.wake("/metrics")
        capabilities = self._calls.call("GET", "/props").get("chat_template_caps", {})
        self.knows_system_role = bool(capabilities.get("supports_system_role", True))
        self.knows_effort = bool(capabilities.get("supports_reasoning_effort"))

    @property
    def busy_slots(self) -> int:
        return self._admission.taken

    def at_hand(self, tokens: int) -> bool:
        return self._admission.free(tokens)

    def tokenize(self, text: str, *, markers: bool) -> list[int]:
        body = {"content": text, "add_special": markers, "parse_special": markers}
        return cast(list[int], self._calls.call("POST", "/tokenize", body)["tokens"])

    def detokenize(self, tokens: Sequence[int]) -> str:
        body = {"tokens": list(tokens)}
        return cast(str, self._calls.call("POST", "/detokenize", body)["content"])

    def apply_template(
        self, messages: Sequence[Mapping[str, str]], effort: str = ""
    ) -> str:
        body: dict[str, Any] = {"messages": list(messages)}
        if effort:
            body["reasoning_effort"] = effort
        return cast(str, self._calls.call("POST", "/apply-template", body)["prompt"])

    async def generate(
        self,
        request: Callable[[], Mapping[str, Any]],
        tokens: int,
        *,
        text_only: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> AsyncGenerator[Chunk, None]:
        """Wait for a slot, then yield an answer as it is written.

        `request` makes the engine's options once there is a slot; it may block and
        raise. `tokens` is the most of the context that input and answer take.
        `text_only` omits the ids and log probabilities of tokens. `tell` gets what is
        waited for, and an empty text when that is over.
        """
        if not self.at_hand(tokens):
            tell("waiting for a free slot")
        await self._admission.enter(tokens)
        tell("")
        reports = _TEXT if text_only else _TOKENS
        chunks = stream(
            self._complete,
            lambda: {**request(), **reports},
            threads=self._threads,
            let_go=partial(self._admission.leave, tokens),
        )
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def obeys(self, grammar: Mapping[str, Any]) -> bool:
        """Whether the engine enforces `grammar`, options that allow no empty answer.

        It does not say so: it is asked for one token, with all weight on the end token.
        Only a grammar that takes effect brings any text then.
        """
        key = hashlib.sha256(json.dumps(grammar).encode()).digest()
        if key not in self._obeyed:
            self._obeyed[key] = await self._brings_text(
                {
                    **grammar,
                    "max_tokens": 1,
                    "temperature": 0.0,
                    "logit_bias": [[self.header.end_id, 1000]],
                    "cache_prompt": False,
                }
            )
        return self._obeyed[key]

    def close(self) -> None:
        """Unload the model. Blocks until the engine has let go of every answer."""
        self._threads.shutdown(wait=True)
        self._calls.close()
        del self._server

    async def _brings_text(self, options: Mapping[str, Any]) -> bool:
        def request() -> dict[str, Any]:
            return {**options, "prompt": self.tokenize("?", markers=False)}

        async with aclosing(self.generate(request, self.room.context)) as chunks:
            return "".join([chunk.text async for chunk in chunks]) != ""

    @property
    def _complete(self) -> Complete:
        return cast(Complete, self._server.handle_completions)

    def _load(self, warm_up: bool) -> Any:
        params = xllamacpp.CommonParams()
        params.model.path = str(self.path)
        if not is_immutable(self.path):
            # Who writes into a file that is mapped ends the process (SIGBUS).
            params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
        params.hostnames, params.port, params.n_threads_http = ["127.0.0.1"], 0, 2
        params.api_keys, params.api_prefix = [self._key], self._prefix
        params.cors_origins, params.ui, params.endpoint_slots = "", False, False
        params.endpoint_metrics = True
        params.n_parallel, params.n_ctx = self.room.slots, self.room.capacity
        params.kv_unified = True
        params.cache_ram_mib = self.room.prompt_cache // 2**20
        params.n_batch = params.n_ubatch = _BATCH
        params.warmup, params.verbosity = warm_up, 1
        if self.room.threads is not None:
            params.cpuparams.n_threads = self.room.threads
            params.cpuparams_batch.n_threads = self.room.threads
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise ConfigurationError(
                f"the engine cannot load {self.path.name} (a damaged file, an unknown "
                "architecture or chat template, too little memory): the log says which"
            ) from error
