"""A slow link to a server, over loopback: a relay that holds back what passes.

What one end sends goes out at the link's rate and arrives a delay later, in each
direction. Two things are kinder than on a real line: a connection is opened at once,
and the headers of packets cost nothing.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Link", "Pace", "slow_link"]

_HOST = "127.0.0.1"
#: Bytes that travel together, as over Ethernet.
_PACKET = 1460
#: Packets on their way in one direction of a connection; then the sender has to wait.
_ON_THE_WAY = 64


class Pace:
    """When bytes arrive that take one direction of a link.

    Parameters
    ----------
    delay
        Seconds that each byte is on its way.
    rate
        Bytes a second that can set out.
    """

    def __init__(self, delay: float, rate: float) -> None:
        self._delay = delay
        self._rate = rate
        self._free = float("-inf")

    def arrival(self, now: float, size: int) -> float:
        """Return when the last of `size` bytes arrives that are sent at `now`.

        They set out when all that was sent before them has done so.
        """
        self._free = max(self._free, now) + size / self._rate
        return self._free + self._delay


class _Packet(NamedTuple):
    """What arrived at the client of a connection, and when, by ``time.time()``."""

    time: float
    connection: int
    data: bytes


class Link:
    """A running one: its address in place of the server's, and what came over it."""

    def __init__(self, url: str, came: list[_Packet]) -> None:
        self.url = url
        self._came = came

    def forget(self) -> None:
        """Forget what has come until now."""
        self._came.clear()

    def arrivals(self, data: bytes) -> list[tuple[float, int]]:
        """Return when some of this data had come to the client, and how many bytes.

        Raises
        ------
        ValueError
            If it has not come, in one piece and on one connection.
        """
        for connection in {packet.connection for packet in self._came}:
            packets = [each for each in self._came if each.connection == connection]
            begin = b"".join(packet.data for packet in packets).find(data)
            if begin >= 0:
                return list(_overlaps(packets, begin, len(data)))
        raise ValueError("the data has not come over the link")


def _overlaps(
    packets: list[_Packet], begin: int, size: int
) -> Iterator[tuple[float, int]]:
    end = 0
    for packet in packets:
        end += len(packet.data)
        if end > begin:
            yield packet.time, min(end - begin, size)
        if end >= begin + size:
            return


@contextmanager
def slow_link(server: str, *, delay: float, rate: float) -> Iterator[Link]:
    """Put a link before a server; it and its connections end with the context.

    Parameters
    ----------
    server
        The server's address, on this machine.
    delay
        Seconds, one way.
    rate
        Bytes a second in each direction, for all connections together.
    """
    ready: Future[_Running] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(
            _serve(
                urlsplit(server).port or 80, Pace(delay, rate), Pace(delay, rate), ready
            )
        ),
        name="slow-link",
    )
    thread.start()
    running = ready.result()
    try:
        yield Link(f"http://127.0.0.1:{running.port}", running.came)
    finally:
        running.stop()
        thread.join()


class _Running(NamedTuple):
    port: int
    came: list[_Packet]
    stop: Callable[[], object]


async def _serve(
    server: int, to_server: Pace, to_client: Pace, ready: Future[_Running]
) -> None:
    """Relay each connection to the port of a server, until told to stop."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    came: list[_Packet] = []
    relays: list[asyncio.Task[None]] = []

    async def relay(number: int, client: socket.socket) -> None:
        with client, socket.socket() as other:
            for end in (client, other):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(other, (_HOST, server))
            await _all(
                *_way(client, other, to_server, lambda _: None),
                *_way(
                    other,
                    client,
                    to_client,
                    lambda data: came.append(_Packet(time.time(), number, data)),
                ),
            )

    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.create_server((_HOST, 0)))

        def accept() -> None:
            client, _ = listener.accept()
            # Closed here if the relay is ended before it begins.
            sockets.enter_context(client)
            relays.append(asyncio.ensure_future(relay(len(relays), client)))

        loop.add_reader(listener, accept)
        port: int = listener.getsockname()[1]
        stop = partial(loop.call_soon_threadsafe, stopped.set)
        ready.set_result(_Running(port, came, stop))
        await stopped.wait()
        loop.remove_reader(listener)
        await _end(relays)


def _way(
    source: socket.socket,
    target: socket.socket,
    pace: Pace,
    note: Callable[[bytes], None],
) -> Iterator[Coroutine[None, None, None]]:
    """Yield what takes in one direction's bytes, and what gives them out in time."""
    packets: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_ON_THE_WAY)
    loop = asyncio.get_running_loop()

    async def take() -> None:
        data = b"more"
        while data:
            data = await loop.sock_recv(source, _PACKET)
            await packets.put((pace.arrival(loop.time(), len(data)), data))

    async def give() -> None:
        data = b"more"
        while data:
            when, data = await packets.get()
            await asyncio.sleep(when - loop.time())
            if data:
                note(data)
                await loop.sock_sendall(target, data)
        target.shutdown(socket.SHUT_WR)

    yield take()
    yield give()


async def _all(*ways: Coroutine[None, None, None]) -> None:
    """Run them to their ends, or until one fails."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await _end(tasks)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
