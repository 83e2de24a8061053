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

#: Tokens of input read at a time. Stopping takes effect between two batches, so a
#: small one lets go sooner.
_BATCH = 128
#: Reports of progress come even while the input is read, so that a stop takes effect.
_TEXT = {"stream": True, "return_progress": True}
#: What the old service told of each token; it costs the engine a fifth of its speed.
_TOKENS = {**_TEXT, "logprobs": 1, "timings_per_token": True}


class Admission:
    """Lets requests into the engine while it has a slot and memory for them.

    The slots share the engine's context memory. Each answer reserves the tokens that it
    may need at most before it begins, so a running answer never finds the memory taken.
    Who waits, waits here, in order of arrival and free to leave, not inside the engine.
    """

    def __init__(self, slots: int, tokens: int) -> None:
        self._free_slots = slots
        self._free_tokens = tokens
        self._inside = 0
        self._first_in_line = asyncio.Lock()
        self._somebody_left = asyncio.Event()

    @property
    def inside(self) -> int:
        """How many slots are taken."""
        return self._inside

    def free(self, tokens: int) -> bool:
        """Whether who wants `tokens` of memory would be let in at once."""
        nobody_waits = not self._first_in_line.locked()
        return nobody_waits and self._has(tokens)

    async def enter(self, tokens: int) -> None:
        """Wait for a slot and for `tokens` of memory, and take them."""
        async with self._first_in_line:
            while not self._has(tokens):
                self._somebody_left.clear()
                await self._somebody_left.wait()
            self._change(1, tokens)

    def leave(self, tokens: int) -> None:
        """Give a slot and `tokens` of memory back."""
        self._change(-1, -tokens)
        self._somebody_left.set()

    def _has(self, tokens: int) -> bool:
        return self._free_slots >= 1 and self._free_tokens >= tokens

    def _change(self, slots: int, tokens: int) -> None:
        self._inside += slots
        self._free_slots -= slots
        self._free_tokens -= tokens


class Engine:
    """A model in memory. Making one loads it, and blocks for as long as that takes.

    With `warm_up` the model is run once, so that the first answer starts sooner.
    """

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
        # Answered by the engine's loop, which so has begun: ending an engine whose loop
        # had not was seen to wait for ever.
        self._calls.wake("/metrics")
        capabilities = self._calls.call("GET", "/props").get("chat_template_caps", {})
        self.knows_system_role = bool(capabilities.get("supports_system_role", True))
        self.knows_effort = bool(capabilities.get("supports_reasoning_effort"))

    @property
    def busy_slots(self) -> int:
        """How many answers are being written."""
        return self._admission.inside

    def at_hand(self, tokens: int) -> bool:
        """Whether an answer that takes `tokens` of the context need not wait."""
        return self._admission.free(tokens)

    def tokenize(self, text: str, *, markers: bool) -> list[int]:
        """Return the tokens of `text`.

        With `markers` it is a whole prompt: control tokens written in it are read as
        such, and it begins as the model wants. Without, it is plain text.
        """
        body = {"content": text, "add_special": markers, "parse_special": markers}
        return cast(list[int], self._calls.call("POST", "/tokenize", body)["tokens"])

    def detokenize(self, tokens: Sequence[int]) -> str:
        """Return the text of `tokens`."""
        body = {"tokens": list(tokens)}
        return cast(str, self._calls.call("POST", "/detokenize", body)["content"])

    def apply_template(
        self, messages: Sequence[Mapping[str, str]], effort: str = ""
    ) -> str:
        """Return the prompt that the model's own chat template makes of `messages`.

        `effort` is that of reasoning; empty for the template's own.
        """
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

        `request` makes what is asked, in the engine's names, once there is a slot; it
        may block, and what it raises is raised here. `tokens` is what of the context
        input and answer take at most. `text_only` does without the ids and log
        probabilities of tokens. `tell` is told in words what is waited for, and an
        empty text when it has come.
        """
        if not self.at_hand(tokens):
            tell("waiting for a free slot")
        await self._admission.enter(tokens)
        tell("")
        told = _TEXT if text_only else _TOKENS
        chunks = stream(
            self._complete,
            lambda: {**request(), **told},
            threads=self._threads,
            let_go=partial(self._admission.leave, tokens),
        )
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def obeys(self, grammar: Mapping[str, Any]) -> bool:
        """Whether the engine holds an answer to `grammar`, such as a JSON schema.

        It does not say so: it is asked for one token, with all weight on the end token
        as the first. Only a grammar that takes effect brings any text then.
        `grammar` is options in the engine's names, which allow no empty answer.
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
