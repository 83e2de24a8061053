"""What the users of one server get beside another with many connections."""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter

from benchmarks.bars import Bar
from benchmarks.server.processes import Address, own_server
from benchmarks.server.sse_client import ask

_USERS = 136
_CONNECTIONS = 64
_SECONDS = 8.0
_LEAST_SHARE = 0.80
_TOKENS = 8


async def measure(rounds: int) -> list[Bar]:
    """Count each user's answers in a time, without and with the other client."""
    shares, refusals, least = [], 0, []
    async with own_server(4) as server:
        await _served(server, 1, 1.0)
        for _ in range(min(rounds, 3)):
            alone, _ = await _served(server, 0, _SECONDS)
            beside, refused = await _served(server, _CONNECTIONS, _SECONDS)
            shares.append(sum(beside.values()) / sum(alone.values()))
            least.append(min(beside.values()) / statistics.median(alone.values()))
            refusals += refused
    what = f"{_USERS} users, one client with {_CONNECTIONS} connections"
    return [
        Bar.median(
            "users' answers beside it", shares, "", least=_LEAST_SHARE, note=what
        ),
        Bar.median("the least of one user, of the median", least, "", note=what),
        Bar("users' requests refused", refusals, "", most=0, note=what),
    ]


async def _served(
    server: Address, connections: int, seconds: float
) -> tuple[Counter[int], int]:
    """Return each user's answers in that time, and how many were refused."""
    until = asyncio.get_running_loop().time() + seconds
    answers: Counter[int] = Counter(dict.fromkeys(range(_USERS), 0))
    refused = 0

    async def ask_on(user: int, name: str) -> None:
        nonlocal refused
        while asyncio.get_running_loop().time() < until:
            heard = await ask(server.url, server.key, _body(), _headers(name))
            if user >= 0:
                answers[user] += heard.status == 200
                refused += heard.status == 429

    users = [ask_on(user, f"user-{user}") for user in range(_USERS)]
    others = [ask_on(-1, "another") for _ in range(connections)]
    await asyncio.gather(*users, *others)
    return answers, refused


def _headers(name: str) -> dict[str, str]:
    return {"X-H2O-Magic-Notebook": name}


def _body() -> dict[str, object]:
    messages = [{"role": "user", "content": "How do I choose a model?"}]
    return {"model": "demo", "messages": messages, "max_tokens": _TOKENS}
