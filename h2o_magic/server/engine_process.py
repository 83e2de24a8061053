"""The engine's process of a model, as its parent sees it: started, watched, asked."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import subprocess
import sys
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import psutil

from h2o_magic.errors import ConfigurationError, GenerationError
from h2o_magic.server.engine import EngineConfig
from h2o_magic.server.engine_errors import refusal
from h2o_magic.server.load_failures import reason
from h2o_magic.server.log_output import OutputFilter
from h2o_magic.server.request_queue import RequestQueue
from h2o_magic.weights.names import unsplit_name

_log = logging.getLogger(__name__)

#: Seconds of processor time that loading may take: these, and one more for so many
#: bytes.
_LOAD_SECONDS = 10.0
_LOAD_BYTES_PER_SECOND = 50_000_000
#: Seconds of processor time after which an engine that neither answers nor gives up
#: what it was told to is ended.
_HANG_SECONDS = 10.0
#: Of that, how long a request that the main loop does not know of may take by itself.
_ALONE = 0.5
_POLL_SECONDS = 0.5
#: Requests at once beside those that need a slot.
_ERRANDS = 4
_END_SECONDS = 5.0
#: Threads of the engine's HTTP server beside those of running answers.
SPARE_THREADS = 12
_LINES = 60
_LONGEST_LINE = 64 * 1024


class EngineDiedError(GenerationError):
    """The engine's process has ended while it was needed.

    `hung` says that the server ended it: it neither answered nor obeyed.
    """

    def __init__(self, name: str, why: str, *, hung: bool = False) -> None:
        super().__init__(
            f"the engine of {name} {why}; it is started again for the next request",
            error_type="generation",
        )
        self.hung = hung


@dataclass(eq=False, slots=True)
class _Flight:
    """A request under way; `since` is the engine's processor time at its start."""

    since: float
    answer: aiohttp.ClientResponse | None = None
    seen: int = 0  # bytes of the answer

    def moves(self) -> bool:
        """Whether some of the answer has come since this was last asked."""
        total = self.answer.content.total_bytes if self.answer else 0
        moved, self.seen = total != self.seen, total
        return moved


@dataclass(frozen=True, slots=True)
class EngineState:
    """What an engine says about its model and itself."""

    supports_tools: bool
    context: int  # tokens of one input and its answer


class Engine:
    """A running engine. `queue` admits the requests that write answers."""

    def __init__(
        self,
        name: str,
        url: str,
        key: str,
        queue: RequestQueue,
        process: EngineProcess | None = None,
    ) -> None:
        self.name = name
        self.queue = queue
        #: Admits what is quickly done, such as counting tokens.
        self.errands = RequestQueue(_ERRANDS, 0, queue.most)
        self.process = process
        self.state = EngineState(supports_tools=False, context=0)
        #: Whether the engine enforces a grammar, by the grammar's hash.
        self.obeyed: OrderedDict[bytes, bool] = OrderedDict()
        self._flights: set[_Flight] = set()
        self._spent = 0.0  # processor time when it was last looked at
        self._url = url
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {key}"},
            timeout=aiohttp.ClientTimeout(),
            auto_decompress=False,
            read_bufsize=2**20,
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
        )
        self._watch = None if process is None else self._begin_watch(process)

    @property
    def shares_context(self) -> bool:
        """Whether the slots have less memory than a full context for each."""
        return self.queue.tokens < self.queue.slots * self.state.context

    @property
    def is_running(self) -> bool:
        return self.process is None or self.process.is_running

    def at_end(self, call: Callable[[], None]) -> None:
        """Call something once the process has ended, for whatever reason."""
        if self.process is not None:
            waiting = asyncio.ensure_future(self.process.wait())
            waiting.add_done_callback(lambda _: call())
            self._waiting = waiting

    async def learn(self) -> None:
        """Ask the engine what it supports."""
        props = await self.call("GET", "/props")
        capabilities = props.get("chat_template_caps", {})
        settings = props.get("default_generation_settings", {})
        self.state = EngineState(
            supports_tools=bool(capabilities.get("supports_tools")),
            context=int(settings.get("n_ctx", 0)),
        )

    @asynccontextmanager
    async def request(
        self, method: str, path: str, data: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request; raises EngineDiedError if the engine ends meanwhile."""
        self._flights.add(flight := _Flight(self._spent))
        try:
            async with self._send(method, path, data) as flight.answer:
                yield flight.answer
        except (aiohttp.ClientError, ConnectionError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not self._session.closed:
                raise
            raise await self._failure(error) from error
        finally:
            self._flights.discard(flight)

    def _send(self, method: str, path: str, data: bytes | None = None) -> Any:
        headers = {} if data is None else {"Content-Type": "application/json"}
        return self._session.request(
            method, self._url + path, data=data, headers=headers
        )

    async def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        return await self.send(path, data, method)

    async def send(
        self, path: str, data: bytes | None, method: str = "POST"
    ) -> dict[str, Any]:
        """Return what the engine answers; its error as a RequestError."""
        async with self.request(method, path, data) as response:
            answer = await response.read()
            if response.status != 200:
                raise refusal(answer, response.status)
        return dict(json.loads(answer))

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self.process is not None:
            await self.process.close()
        await self._session.close()

    async def _failure(self, error: Exception) -> GenerationError:
        if self.process is not None:
            why = await self.process.ended(within=_END_SECONDS)
            if why is not None:
                return EngineDiedError(self.name, why, hung=self.process.hung)
        return GenerationError(
            f"the engine of {self.name} does not respond: {type(error).__name__}",
            error_type="generation",
        )

    def _begin_watch(self, process: EngineProcess) -> asyncio.Task[None]:
        return asyncio.ensure_future(self._watched(process))

    async def _watched(self, process: EngineProcess) -> None:
        """End an engine that computes without answering or obeying."""
        hung = stray = 0.0
        asked: asyncio.Task[int | None] | None = None
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            now = process.cpu_seconds()
            spent, self._spent = max(0.0, now - self._spent), now
            if asked is None and not spent:
                continue
            if asked is None:
                asked = asyncio.ensure_future(self._working())
                await asyncio.wait({asked}, timeout=_POLL_SECONDS)
            if not asked.done():
                hung += spent
            else:
                working, hung, asked = asked.result(), 0.0, None
                stray = stray + spent if self._strays(working) else 0.0
            if max(hung, stray) > _HANG_SECONDS:
                _log.error("ending an engine that does not respond")
                process.kill_hung()
                return

    def _strays(self, working: int | None) -> bool:
        """Whether it computes for nobody, or outside its main loop for too long."""
        old = self._spent - _ALONE * _HANG_SECONDS
        moving = sum([flight.moves() for flight in self._flights])
        waiting = sum(f.answer is None and f.since < old for f in self._flights)
        if working is None:
            return False
        return not self._flights or (waiting > 0 and waiting + moving > working)

    async def _working(self) -> int | None:
        """Return how many requests the engine's main loop knows of."""
        with suppress(aiohttp.ClientError, ConnectionError, ValueError):
            async with self._send("GET", "/metrics") as response:
                text = (await response.read()).decode("utf-8", "replace")
            counts = [
                float(line.rpartition(" ")[2])
                for line in text.splitlines()
                if line.startswith(
                    ("llamacpp:requests_processing", "llamacpp:requests_deferred")
                )
            ]
            return int(sum(counts))
        return None


class EngineProcess:
    """A child process with an engine, and the last lines that it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.hung = False
        self._process = process
        # All three are pipes.
        self._input = cast(asyncio.StreamWriter, process.stdin)
        self._output = cast(asyncio.StreamReader, process.stdout)
        self._printed = cast(asyncio.StreamReader, process.stderr)
        self._system = psutil.Process(process.pid)
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._reader = asyncio.ensure_future(self._read())

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    @classmethod
    async def start(cls, config: EngineConfig, size: int) -> tuple[EngineProcess, str]:
        """Start a process that loads a file of `size` bytes; return its address too.

        Raises ConfigurationError with the engine's reason where it cannot.
        """
        detached: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "h2o_magic.server.engine"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            limit=_LONGEST_LINE,
            # Python looks for modules there first: not wherever the server was started.
            cwd=Path(__file__).parents[2],
            # Without this the engine starts a debugger when it crashes.
            env=os.environ | {"GGML_NO_BACKTRACE": "1"},
            **detached,
        )
        child = cls(process)
        try:
            return child, await child._handshake(config, size)
        except BaseException:
            child._kill()
            await asyncio.shield(child.close())
            raise

    async def _handshake(self, config: EngineConfig, size: int) -> str:
        with suppress(ConnectionError):  # it says why
            self._input.write(config.as_line())
            await self._input.drain()
        limit = _LOAD_SECONDS + size / _LOAD_BYTES_PER_SECOND
        said = asyncio.ensure_future(self._output.readline())
        try:
            while not said.done():
                await asyncio.wait({said}, timeout=_POLL_SECONDS)
                if not said.done() and self.cpu_seconds() > limit:
                    raise self._refusal(
                        config,
                        f"loading takes more than {limit:.0f} s of processor time, "
                        "most likely because its chat template never ends",
                    )
        finally:
            said.cancel()
        line = said.result()
        if not line:
            status = await self._process.wait()
            await self._reader
            raise self._refusal(config, reason("\n".join(self._lines), status))
        return str(json.loads(line)["url"])

    def _refusal(self, config: EngineConfig, why: str) -> ConfigurationError:
        name = unsplit_name(os.path.basename(config.path))
        return ConfigurationError(
            f"the engine cannot load {name}: {why}: take another file"
        )

    def cpu_seconds(self) -> float:
        """Return the processor time that the process has taken, by all its threads."""
        with suppress(psutil.Error):
            times = self._system.cpu_times()
            return float(times.user + times.system)
        return 0.0

    def kill_hung(self) -> None:
        self.hung = True
        self._kill()

    async def ended(self, within: float) -> str | None:
        """Return why the process has ended; None if it still runs `within` seconds."""
        try:
            status = await asyncio.wait_for(self._process.wait(), within)
        except asyncio.TimeoutError:
            return None
        if self.hung:
            return "did not respond any more and was ended"
        if status == 0:
            return "was ended"
        return f"has ended unexpectedly (status {status}): " + reason(
            "\n".join(self._lines), status
        )

    async def wait(self) -> None:
        await self._process.wait()

    async def close(self) -> None:
        """End the process: first by the end of its input, then by force."""
        self._input.close()
        try:
            await asyncio.wait_for(self._process.wait(), _END_SECONDS)
        except asyncio.TimeoutError:
            self._kill()
            await self._process.wait()
        await self._reader

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _read(self) -> None:
        output = OutputFilter()
        while True:
            try:
                line = await self._printed.readline()
            except ValueError:  # longer than a line may be
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            self._lines.append(text)
            output.take(text)


def random_key() -> str:
    return secrets.token_urlsafe(32)
