"""What the server counts, as Prometheus reads it."""

from __future__ import annotations

import json
import re
import socket

import pytest

from h2o_magic.server.facts import Facts
from h2o_magic.server.metrics import Metrics
from tests.server.client import Client, until
from tests.server.conftest import Serving, Start
from tests.server.test_openai_routes import CHAT, body

SAMPLE = re.compile(
    r'[a-z0-9_]+(\{[a-z]+="(\\.|[^"\\])*"(,[a-z]+="(\\.|[^"\\])*")*\})? [0-9.e+-]+'
)


@pytest.fixture(scope="module")
def fresh(start: Start) -> Client:
    """A server that nobody else asks."""
    return start().client()


def read(client: Client) -> dict[str, float]:
    """Return what the server counts now."""
    reply = client.call("GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    return samples(reply.body.decode())


def samples(text: str) -> dict[str, float]:
    """Return the samples; every line must be one, or a comment."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            assert SAMPLE.fullmatch(line), line
            name, _, value = line.rpartition(" ")
            found[name.removeprefix("h2o_magic_")] = float(value)
    return found


def test_the_metrics_need_the_token(serving: Serving) -> None:
    headers = {"Authorization": None}
    assert serving.client().call("GET", "/metrics", headers=headers).status == 401


def test_requests_tokens_and_times_are_counted(fresh: Client) -> None:
    before = read(fresh)
    assert fresh.call("POST", CHAT, body()).status == 200
    assert fresh.call("POST", CHAT, body(stream=True)).status == 200
    assert fresh.call("POST", CHAT, body(messages=3)).status == 400
    fresh.answer("hi", max_new_tokens=3)
    fresh.call("GET", "/not/there")
    after = read(fresh)

    def more(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert more(f'requests_total{{route="{CHAT}",status="200"}}') == 2
    assert more(f'requests_total{{route="{CHAT}",status="400"}}') == 1
    assert more('requests_total{route="/conversation/{id}",status="200"}') == 1
    assert more('requests_total{route="other",status="404"}') == 1
    assert 24 + 24 < more("tokens_written_total") <= 24 + 24 + 3
    assert more("tokens_read_total") >= 3 * 5
    assert more("first_token_seconds_count") == 3
    assert more('first_token_seconds_bucket{le="+Inf"}') == 3
    assert more("first_token_seconds_sum") > 0
    assert after['model_loaded{model="llama-13b"}'] == after["models_loaded"] == 1
    assert after["uptime_seconds"] > before["uptime_seconds"]


def test_no_path_or_name_of_a_client_becomes_a_label(fresh: Client) -> None:
    fresh.call("GET", "/secret-path")
    fresh.call("GET", "/v1/models/secret-model")
    fresh.call("POST", CHAT, body(model="secret-model"))
    assert "secret" not in fresh.call("GET", "/metrics").body.decode()


def test_every_family_is_explained_once(fresh: Client) -> None:
    lines = fresh.call("GET", "/metrics").body.decode().splitlines()
    for word in ("HELP", "TYPE"):
        names = [line.split()[2] for line in lines if line.startswith(f"# {word} ")]
        assert len(names) == len(set(names)) == 10


def test_a_histogram_counts_what_is_at_most_each_bound() -> None:
    metrics = Metrics()
    for seconds in (0.005, 0.0051, 3.0, 1000.0):
        metrics.take("/x", 200, Facts(first_token=seconds))
    found = samples(metrics.render(running=0, waiting=0, loaded=()))
    counts = {"0.005": 1, "0.01": 2, "5.0": 3, "120.0": 3, "+Inf": 4}
    for bound, count in counts.items():
        assert found[f'first_token_seconds_bucket{{le="{bound}"}}'] == count


def test_a_name_with_quotes_is_escaped() -> None:
    text = Metrics().render(running=1, waiting=2, loaded=['a"b\\c\nd'])
    assert samples(text)[r'model_loaded{model="a\"b\\c\nd"}'] == 1
    assert samples(text)["streams_running"] == 1
    assert samples(text)["streams_waiting"] == 2


def test_who_leaves_before_an_answer_is_counted_as_that() -> None:
    metrics = Metrics()
    metrics.take("/x", 499, Facts())
    found = samples(metrics.render(running=0, waiting=0, loaded=()))
    assert found['requests_total{route="/x",status="499"}'] == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_early_is_one_that_left_and_not_sent_away(
    stream: bool, start: Start, endless: str
) -> None:
    client = start("--slots=1").client()
    asked = body(endless, stream=True, max_tokens=8000)
    with client.open("POST", CHAT, asked) as writing:
        writing.readline()
        host, port = client.url.removeprefix("http://").split(":")
        text = json.dumps(body(endless, stream=stream, max_tokens=8000))
        with socket.create_connection((host, int(port))) as leaving:
            leaving.sendall(
                f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\n"
                f"Authorization: Bearer {client.token}\r\n"
                f"Content-Length: {len(text)}\r\n\r\n{text}".encode()
            )
            until(lambda: read(client)["streams_waiting"] == 1)
        left = f'requests_total{{route="{CHAT}",status="499"}}'
        until(lambda: read(client).get(left) == 1)
    assert read(client)['refused_total{why="ending"}'] == 0
