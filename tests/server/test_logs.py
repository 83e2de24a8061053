"""The log is JSON lines about requests, and never what was said in them."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.errors import (
    ConfigurationError,
    GenerationError,
    MessagesError,
    ParameterError,
)
from h2o_magic.server.log_output import JsonLines, OutputFilter
from tests.server.client import Client, turn, until
from tests.server.conftest import Serving, Start
from tests.server.test_openai_routes import CHAT, body

MARKER = "xyzzy-plugh-4711"


@pytest.fixture(scope="module")
def logging_server(start: Start) -> Serving:
    return start()


def lines(serving: Serving) -> list[dict[str, Any]]:
    return [json.loads(line) for line in serving.log_file.read_text().splitlines()]


#: Schemas that the engine complains of, and quotes then.
UNUSABLE: list[dict[str, Any]] = [
    {"type": "string", "pattern": f"^{MARKER}(("},
    {"type": MARKER},
    {"type": f"x\n0.00.424.834 E llama_model_load: {MARKER}\n"},
    {"$ref": f"#/{MARKER}"},
    {"type": "string", "pattern": f"(?={MARKER})"},
]


def requests(serving: Serving, route: str) -> list[dict[str, Any]]:
    return [line for line in lines(serving) if line.get("route") == route]


def test_a_request_is_one_line_that_says_how_it_went(logging_server: Serving) -> None:
    reply = logging_server.client().call("POST", CHAT, body())
    until(lambda: requests(logging_server, CHAT) != [])
    line = requests(logging_server, CHAT)[-1]
    assert line["event"] == "request"
    assert line["level"] == "info"
    assert line["time"].endswith("+00:00")
    assert (line["method"], line["status"]) == ("POST", 200)
    assert line["model"] == "llama-13b"
    assert line["tokens_written"] == 24
    assert line["tokens_read"] == reply.json["usage"]["prompt_tokens"]
    assert 0 < line["first_token_seconds"] <= line["seconds"]
    assert line["request"] == reply.headers["x-request-id"]


def test_an_answer_that_was_left_has_the_tokens_it_got_to(
    logging_server: Serving, endless: str
) -> None:
    client = logging_server.client()
    before = len(requests(logging_server, CHAT))
    with client.open("POST", CHAT, body(endless, stream=True, max_tokens=8000)) as left:
        left.readline()
    until(lambda: len(requests(logging_server, CHAT)) > before)
    line = requests(logging_server, CHAT)[-1]
    assert 0 < line["tokens_written"] < 8000


def test_the_checks_for_health_fill_no_log(logging_server: Serving) -> None:
    client = logging_server.client()
    for path in ("/health", "/metrics"):
        assert client.call("GET", path).status == 200
    assert [p for p in ("/health", "/metrics") if requests(logging_server, p)] == []


def say_it_everywhere(client: Client) -> None:
    """Put the marker wherever a client can put text."""
    said = [{"role": "user", "content": f"Say {MARKER} again"}]
    named = {"name": MARKER, "schema": {"const": MARKER}}
    schema = {"type": "json_schema", "json_schema": named}
    many: list[dict[str, Any]] = [
        {"messages": said},
        {"messages": said, "stream": True},
        {"messages": said, "response_format": schema},
        {"messages": said, "user": MARKER},
        {"messages": said, "stop": [MARKER]},
        {"messages": said, MARKER: 1},
        {"messages": [{"role": MARKER, "content": MARKER}]},
        {"messages": [{"role": "user", "content": f"{MARKER} \ud83d"}]},
        {"messages": [{"role": "user", "content": MARKER * 3000}]},
        {"messages": said, "model": MARKER},
        {"messages": said, "seed": MARKER},
    ]
    for schema in UNUSABLE:
        named = {"name": "x", "schema": schema}
        held = {"type": "json_schema", "json_schema": named}
        many.append({"messages": said, "response_format": held})
    for given in many:
        client.call("POST", CHAT, {**body(), **given})
    for path, given in ELSEWHERE.items():
        asked = {"model": "llama-13b", "max_tokens": 4, **given}
        assert client.call("POST", path, asked).status == 200
        client.call("POST", path, asked | {"stream": True})
        client.call("POST", path, asked | {MARKER: MARKER, "n": MARKER})
    client.call("POST", CHAT, f'{{"{MARKER}')
    client.call("GET", f"/v1/models/{MARKER}")
    client.call("GET", f"/{MARKER}?{MARKER}={MARKER}")
    client.call("GET", "/", headers={"Authorization": f"Bearer {MARKER}"})
    client.call("GET", "/", headers={"User-Agent": MARKER, "Referer": MARKER})
    client.call("GET", "/", headers={"Authorization": None, "x-api-key": MARKER})
    client.call("GET", "/", headers={"X-H2O-Magic-Notebook": MARKER})
    client.call("GET", "/", headers={"Host": f"{MARKER}@127.0.0.1"})
    client.call(MARKER, "/")
    client.call("GET", "/", headers={"Expect": MARKER})
    client.call("GET", "/", headers={MARKER: MARKER * 1000})
    with_history = client.converse(messages=[*said, *answered(), *said, *answered()])
    client.ask(with_history, f"And {MARKER}?", max_new_tokens=3, stop=[MARKER])
    client.call("POST", f"/conversation/{with_history}", turn(f"{MARKER} \ud83d", {}))


#: What each other route takes, with the marker in it.
ELSEWHERE: dict[str, dict[str, Any]] = {
    "/v1/completions": {"prompt": MARKER, "stop": [f"{MARKER}!"]},
    "/v1/embeddings": {"input": MARKER},
    "/v1/responses": {"input": MARKER, "instructions": MARKER},
    "/v1/messages": {
        "messages": [{"role": "user", "content": MARKER}],
        "system": MARKER,
    },
    "/tokenize": {"content": MARKER},
    "/apply-template": {"messages": [{"role": "user", "content": MARKER}]},
}


def answered() -> list[dict[str, str]]:
    return [{"role": "assistant", "content": f"It is {MARKER}."}]


def test_nothing_that_was_said_is_in_the_log(logging_server: Serving) -> None:
    client = logging_server.client()
    say_it_everywhere(client)
    log = logging_server.log_file.read_text()
    assert log.count(CHAT) > 10
    assert all("event" in line for line in lines(logging_server))
    assert MARKER not in log
    assert "Interrupt a running answer" not in log
    assert logging_server.token not in log
    # No engine's key or address either, which look like the token.
    assert re.search(r"[\w-]{43}", log) is None


def withheld(serving: Serving) -> int:
    counts = [line.get("engine_lines_withheld", 0) for line in lines(serving)]
    return max(counts, default=0)


def test_what_the_engine_prints_of_a_request_is_counted_only(start: Start) -> None:
    serving = start()
    for schema in UNUSABLE:
        named = {"name": "x", "schema": schema}
        held = {"type": "json_schema", "json_schema": named}
        reply = serving.client().call("POST", CHAT, body(response_format=held))
        assert reply.status == 400
    until(lambda: withheld(serving) >= 16)
    assert MARKER not in serving.log_file.read_text()


LOADING = "0.00.424.834 E llama_model_load: error loading model: no room"


def test_what_looks_like_the_engines_words_in_a_quotation_is_withheld() -> None:
    times = iter([0.0, 0.0, 0.5, 2.0, 3.0, 3.0])
    output_filter = OutputFilter(lambda: next(times))
    output_filter.take("0.00.138.944 E llg error: at 2(8): Invalid type: x")
    output_filter.take(LOADING)
    assert output_filter.withheld == 2
    output_filter.take(LOADING)
    assert output_filter.withheld == 2
    output_filter.take("thread panicked")
    assert output_filter.withheld == 3


def test_a_flood_of_lines_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    output_filter = OutputFilter()
    for number in range(10_000):
        output_filter.take(f"   {number}: rust_panic")
    assert output_filter.withheld == 10_000
    assert len(caplog.records) == 14


def test_why_an_engine_could_not_load_a_file_is_in_the_log_in_its_words(
    logging_server: Serving, noisy: str, tmp_path: Path
) -> None:
    path = tmp_path / f"{MARKER}.gguf"
    path.write_bytes(Path(noisy).read_bytes()[:-1000])
    reply = logging_server.client().call("POST", CHAT, body(str(path)))
    assert reply.status == 400
    printed = [line["line"] for line in lines(logging_server) if "line" in line]
    assert any("llama_model_load: error loading model" in line for line in printed)
    assert all("tensor" in line or "model" in line for line in printed)


def test_a_process_that_breaks_down_says_where(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    program = (
        "import sys, os; from pathlib import Path; "
        "from h2o_magic.server.log_output import open_log, start_log; "
        "start_log(open_log(Path(sys.argv[1]))); os.abort()"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(log)], check=False)
    assert ended.returncode != 0
    assert "Fatal Python error: Aborted" in log.read_text()


def test_a_refused_format_is_a_400_in_the_log_and_no_crash(
    logging_server: Serving,
) -> None:
    named = {"name": "x", "schema": UNUSABLE[0]}
    held = {"type": "json_schema", "json_schema": named}
    client, before = logging_server.client(), len(lines(logging_server))
    reply = client.call("POST", CHAT, body(response_format=held))
    assert reply.status == 400
    until(lambda: any("status" in line for line in lines(logging_server)[before:]))
    new = lines(logging_server)[before:]
    assert [line["status"] for line in new if "status" in line] == [400]
    assert "error" not in {line["level"] for line in new}


def record(error: Exception) -> dict[str, Any]:
    try:
        raise error
    except Exception:
        failed = logging.LogRecord(
            "x", logging.ERROR, "f.py", 1, "it %s", ("failed",), sys.exc_info()
        )
    line = JsonLines().format(failed)
    assert "\n" not in line
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_of_a_foreign_error_the_kind_and_the_place_are_logged_not_its_words() -> None:
    line = record(ValueError(f"cannot use {MARKER}"))
    assert line["error"] == "ValueError"
    assert "test_logs.py" in line["at"][-1]
    assert MARKER not in json.dumps(line)
    assert (line["event"], line["level"]) == ("it failed", "error")


def test_words_about_the_servers_own_matters_are_kept() -> None:
    line = record(ConfigurationError("no room"))
    assert line["error"] == "ConfigurationError: no room"


@pytest.mark.parametrize("kind", [GenerationError, ParameterError, MessagesError])
def test_words_that_may_repeat_what_a_client_sent_are_not(
    kind: type[Exception],
) -> None:
    assert record(kind(f"cannot parse {MARKER}"))["error"] == kind.__name__


def test_without_standard_error_nothing_is_logged_into_another_file(
    tmp_path: Path,
) -> None:
    code = (
        "import logging, os, sys\n"
        "from h2o_magic.server.log_output import start_log\n"
        "other = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)\n"
        "start_log(None)\n"
        "logging.getLogger('h2o_magic').warning('hello')\n"
    )
    other = tmp_path / "other"
    script = f'"{sys.executable}" -c "{code}" "{other}" 2>&-'
    subprocess.run(["sh", "-c", script], check=True, timeout=60)
    assert other.read_text() == ""
