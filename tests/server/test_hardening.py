"""Nothing that a client sends, no file and no death of an engine stops the server."""

from __future__ import annotations

import json
import random
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import reduce
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.server.client import Client, until
from tests.server.conftest import Serving, Start

pytestmark = pytest.mark.nightly

CHAT = "/v1/chat/completions"
#: How much the server's own process may grow, in bytes.
GROWTH = 50 * 2**20


def body(model: str = "demo", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "How do I load the extension?"}]
    return {"model": model, "messages": messages, "max_tokens": 24, **more}


def answers(client: Client) -> bool:
    reply = client.call("POST", CHAT, body(temperature=0))
    text = reply.json["choices"][0]["message"]["content"] if reply.status == 200 else ""
    return text.startswith("**Load the extension.**")


def pid_of(serving: Serving) -> int:
    return int(serving.client().call("GET", "/health").json["pid"])


def engines(pid: int) -> list[psutil.Process]:
    return [p for p in psutil.Process(pid).children() if p.is_running()]


@pytest.fixture
def growing(start: Start) -> Iterator[Serving]:
    """A server of its own, whose process must not have grown in the end."""
    serving = start("--idle-minutes", "0")
    assert answers(serving.client())
    server = psutil.Process(pid_of(serving))
    before = server.memory_info().rss
    yield serving
    assert answers(serving.client())
    assert server.memory_info().rss - before < GROWTH


def mutations(good: bytes, count: int) -> Iterator[bytes]:
    """Yield damaged copies of a file: bits, lengths, holes, cuts, repetitions."""
    chance = random.Random(7)
    header = len(good) - 260_000  # about where the tensors begin
    for i in range(count):
        data = bytearray(good)
        place = chance.randrange(4, max(header, 64))
        match i % 5:
            case 0:
                for _ in range(chance.randint(1, 8)):
                    data[chance.randrange(4, header)] ^= 1 << chance.randrange(8)
            case 1:
                data[place : place + 8] = chance.choice(
                    [b"\xff" * 8, b"\0" * 8, (2**40).to_bytes(8, "little")]
                )
            case 2:
                del data[place : place + chance.randint(1, 64)]
            case 3:
                del data[chance.randrange(8, len(data)) :]
            case _:
                data[place:place] = data[place : place + chance.randint(1, 64)]
        yield bytes(data)


def test_200_damaged_files_are_refused_or_answer_and_harm_nobody(
    growing: Serving, noisy: str, tmp_path: Path
) -> None:
    client, good = growing.client(), Path(noisy).read_bytes()
    statuses = []
    for i, data in enumerate(mutations(good, 200)):
        path = tmp_path / f"damaged-{i}.gguf"
        path.write_bytes(data)
        reply = client.call("POST", CHAT, body(str(path), max_tokens=4))
        statuses.append(reply.status)
        # 500 is for an engine that the file killed after it was loaded.
        assert reply.status in (200, 400, 500), reply
        if reply.status != 200:
            assert reply.json["error"]["message"]
        client.call("POST", "/api/unload", {"paths": [str(path)]})
        path.unlink()
        if i % 20 == 0:
            assert answers(client)
    assert statuses.count(400) > 100


def test_50_kills_at_random_moments_are_errors_of_their_own_requests_alone(
    growing: Serving, endless: str
) -> None:
    client, chance = growing.client(), random.Random(3)
    pid = pid_of(growing)
    demo = {p.pid for p in engines(pid)}
    other = client.open("POST", CHAT, body("demo", stream=True, max_tokens=1))
    other.read()
    for _ in range(50):
        asked = body(endless, stream=True, max_tokens=8000)
        outcome: list[bytes] = []

        def ask(asked: dict[str, Any] = asked, into: list[bytes] = outcome) -> None:
            into.append(client.call("POST", CHAT, asked).body)

        asking = threading.Thread(target=ask)
        asking.start()
        until(lambda: any(p.pid not in demo for p in engines(pid)))
        victim = next(p for p in engines(pid) if p.pid not in demo)
        with suppress(psutil.Error):
            victim.wait(chance.random() * 0.4)  # which times out, mostly
        with suppress(psutil.NoSuchProcess):
            victim.kill()
        asking.join()
        assert outcome[0].count(b'"error"') == 1
        assert answers(client)
    until(lambda: {p.pid for p in engines(pid)} == demo)


def schema(given: Any) -> dict[str, Any]:
    named = {"name": "answer", "schema": given}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def items(count: int, of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of, "maxItems": count}


def chain(length: int) -> dict[str, Any]:
    """Return a schema that doubles with each definition."""
    nodes: dict[str, Any] = {
        f"n{i}": {
            "type": "object",
            "properties": {k: {"$ref": f"#/$defs/n{i + 1}"} for k in "lr"},
        }
        for i in range(length)
    }
    return {"$defs": nodes | {f"n{length}": {"type": "null"}}, "$ref": "#/$defs/n0"}


def texts(pattern: str) -> dict[str, Any]:
    return schema({"type": "string", "pattern": pattern})


def property_schema(count: int, required: bool = False) -> dict[str, Any]:
    names = [f"p{i}" for i in range(count)]
    given: dict[str, Any] = {"properties": {n: {"type": "string"} for n in names}}
    return schema(
        {"type": "object", **given, **({"required": names} if required else {})}
    )


_EXPONENTIAL = "root ::= a a a a\n" + "".join(
    f"{name} ::= {following} {following} {following} {following} | {following}\n"
    for name, following in zip("abcdefghijklmn", "bcdefghijklmno", strict=True)
)
BOMBS: dict[str, dict[str, Any]] = {
    "30,000 items": schema(items(30_000, {"type": "integer"})),
    "a million items": schema(items(10**6, {"type": "integer"})),
    "items of items": schema(
        reduce(lambda s, _: items(400, s), range(10), items(9, {}))
    ),
    "long texts": schema({"type": "string", "minLength": 10**9}),
    "repetitions": texts("^(a{1,1000}){1,1000}$"),
    "a million letters": texts("a{1000000}"),
    "ambiguous": texts("(a|b|ab)*c{500}(a|b|ab)*"),
    "look-ahead": texts("^(?=a)(?!b).*$"),
    "gaps": texts(".*a.{200}" * 5),
    "5,000 words": schema({"enum": [f"word{i}" for i in range(5000)]}),
    "doubling": schema(chain(25)),
    "itself": schema({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
    "3,000 properties": property_schema(3000, required=True),
    "1,200 optional properties": property_schema(1200),
    "400 choices": schema({"oneOf": [{"required": [f"k{i}"]} for i in range(400)]}),
    "a large divisor": schema({"type": "integer", "multipleOf": 10**17 - 1}),
    "a deep schema": schema(json.loads('{"items":' * 900 + "{}" + "}" * 900)),
    "an exponential grammar": {"grammar": _EXPONENTIAL + 'o ::= "x"'},
    "a repeated grammar": {"grammar": 'root ::= ((("a"{1,200}){1,200}){1,200}){1,200}'},
    "a grammar of itself": {"grammar": 'root ::= root "a" | "b"'},
    "a grammar of nothing": {"grammar": 'root ::= (""*)*'},
    "20,000 messages": {"messages": [{"role": "user", "content": "hi"}] * 20_000},
    "300 messages": {"messages": [{"role": "user", "content": "hi"}] * 300},
    "a megabyte": {"messages": [{"role": "user", "content": "a " * 500_000}]},
    "10 megabytes": {"messages": [{"role": "user", "content": "ab" * 5_000_000}]},
    "markers": {"messages": [{"role": "user", "content": "<|answer|>" * 90_000}]},
    "200,000 biases": {"logit_bias": [[i % 2000, 1.5] for i in range(200_000)]},
    "20,000 stops": {"stop": [f"s{i}" for i in range(20_000)]},
    "1,000 answers": {"n": 1000},
    "all probabilities": {"logprobs": True, "top_logprobs": 2000},
    "a trillion tokens": {"max_tokens": 10**12},
    "10,000 samplers": {"samplers": ["temperature"] * 10_000},
    "2,000 tools": {
        "tools": [
            {"type": "function", "function": {"name": f"f{i}"}} for i in range(2000)
        ],
        "tool_choice": "required",
    },
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_gets_a_response_and_so_does_every_question_beside_it(
    serving: Serving, bomb: dict[str, Any]
) -> None:
    client = serving.client()
    assert answers(client)
    done = threading.Event()
    beside: list[bool] = []

    def ask() -> None:
        while not done.is_set():
            beside.append(answers(client))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        reply = client.call("POST", CHAT, body(**bomb))
    finally:
        done.set()
        asking.join()
    assert reply.status in (200, 400, 413), reply
    assert beside
    assert all(beside)
    assert answers(client)


def test_all_bombs_together_leave_the_server_as_it_was(growing: Serving) -> None:
    client = growing.client()
    for name, bomb in BOMBS.items():
        if "exponential" not in name:  # it takes 10 s of the processor
            assert client.call("POST", CHAT, body(**bomb)).status in (200, 400, 413)


def test_json_nested_too_deep_is_refused(serving: Serving) -> None:
    deep = '{"model": "demo", "messages": ' + "[" * 100_000 + "]" * 100_000 + "}"
    assert serving.client().call("POST", CHAT, deep).status == 400


def test_10000_connections_leave_room_for_the_next_question(growing: Serving) -> None:
    client = growing.client()
    host, port = client.url.removeprefix("http://").split(":")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    at_once = min(2000, hard // 2)
    heads = [
        b"",
        b"GET /health HTTP/1.1\r\n",
        f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\n".encode(),
        f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(),
    ]
    for _ in range(10_000 // at_once):
        with ExitStack() as opened:
            for i in range(at_once):
                connection = socket.create_connection((host, int(port)), 30)
                opened.enter_context(connection)
                with suppress(OSError):
                    connection.sendall(heads[i % len(heads)])
            assert answers(client)
        assert answers(client)


def test_no_engine_outlives_the_server(start: Start, endless: str) -> None:
    serving = start("--idle-minutes", "0")
    client = serving.client()
    with client.open(
        "POST", CHAT, body(endless, stream=True, max_tokens=8000)
    ) as open_:
        open_.readline()
        known = engines(pid_of(serving))
        assert known
        serving.process.kill()
    gone, alive = psutil.wait_procs(known, timeout=30)
    assert len(gone) == len(known)
    assert alive == []
    assert json.loads(serving.runtime_file.read_text())["token"]
