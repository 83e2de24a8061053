"""A server for others: its token, its names, its models, and its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from h2o_magic.cli import main
from h2o_magic.server.connections import resolve, url_of
from h2o_magic.server.run_settings import read_token
from tests.server.client import Client, Reply, until
from tests.server.conftest import Serving
from tests.server.test_openai_routes import CHAT, body, error, sse

TOKEN = "the-team's-own-token-0815"


@dataclass(frozen=True)
class Shared:
    """A shared server's process, and where it is."""

    process: subprocess.Popen[bytes]
    home: Path
    client: Client

    @property
    def log(self) -> str:
        return (self.home / "server.log").read_text()


Share = Callable[..., Shared]


def token_file(folder: Path, text: str = f"  {TOKEN}\n", mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Share]:
    """Starts shared servers with options; those that still run are ended."""
    started: list[Shared] = []

    def share(*options: str) -> Shared:
        home = tmp_path_factory.mktemp("shared")
        log = home / "server.log"
        command = [sys.executable, "-m", "h2o_magic.cli", "serve", *options]
        command += [f"--token-file={token_file(home)}", f"--log-file={log}"]
        process = subprocess.Popen(
            command,
            env=os.environ
            | {"HF_HUB_CACHE": str(home / "hub"), "H2O_MAGIC_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        until(lambda: process.poll() is not None or "listens" in _read(log))
        assert process.poll() is None, process.stderr and process.stderr.read()
        first = json.loads(log.read_text().splitlines()[0])
        url = first["event"].rpartition(" ")[2]
        client = Client(url.replace("0.0.0.0", "127.0.0.1"), TOKEN)
        started.append(Shared(process, home, client))
        return started[-1]

    yield share
    for shared in started:
        shared.process.kill()
        shared.process.wait()
        if shared.process.stderr:
            shared.process.stderr.close()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@pytest.fixture(scope="module")
def team(share: Share) -> Shared:
    """A server on all addresses, with two models."""
    return share("--host", "0.0.0.0", "--models", "falcon-7b, llama-13b")


# The token


def test_the_files_token_opens_every_route_and_nothing_else_does(team: Shared) -> None:
    assert team.client.call("GET", "/v1/models").status == 200
    assert team.client.call("GET", "/").status == 200
    for path in ("/", "/v1/models", "/metrics", "/api/models"):
        for header in (None, "Bearer ", f"Bearer {TOKEN}x", f"Bearer  {TOKEN}"):
            headers = {"Authorization": header}
            assert team.client.call("GET", path, headers=headers).status == 401


def test_the_token_is_printed_and_logged_nowhere(team: Shared) -> None:
    team.client.call("POST", CHAT, body())
    until(lambda: CHAT in team.log)
    assert TOKEN not in team.log
    written = [p for p in team.home.rglob("*") if p.is_file() and p.name != "token"]
    assert [p for p in written if TOKEN.encode() in p.read_bytes()] == []
    command = Path(f"/proc/{team.process.pid}/cmdline")
    if command.exists():
        assert TOKEN.encode() not in command.read_bytes()


def test_white_space_around_the_token_does_not_count(tmp_path: Path) -> None:
    assert read_token(token_file(tmp_path, f"\n {TOKEN}\t\r\n")) == TOKEN


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_token_that_others_can_read_is_none(
    tmp_path: Path, mode: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = token_file(tmp_path, mode=mode)
    assert main(["serve", f"--token-file={path}"]) == 2
    said = capsys.readouterr().err
    assert f"got mode {mode:04o}: run `chmod 600 {path}`" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "text", ["", "shrt", "  fifteen-letters ", "two words of-enough-length", "é" * 20]
)
def test_a_token_that_is_too_short_or_no_word_is_refused_unseen(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", f"--token-file={token_file(tmp_path, text)}"]) == 2
    said = capsys.readouterr().err
    assert "one word of at least 16 printable ASCII characters" in said
    assert not text.strip() or text.strip() not in said


def test_a_pipe_as_token_file_is_refused_and_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "token", 0o600)
    for path in (tmp_path / "token", tmp_path):
        assert main(["serve", f"--token-file={path}"]) == 2
    said = capsys.readouterr().err
    assert "to be a regular file" in said
    assert said.count("\n") == 2


def test_a_missing_token_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", f"--token-file={tmp_path / 'none'}"]) == 2
    said = capsys.readouterr().err
    assert "cannot read the token file" in said
    assert said.count("\n") == 1


# Where it listens


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]"])
def test_other_machines_get_in_only_with_a_token_file(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _needs_address(host)
    file = tmp_path / "runtime.json"
    assert main(["serve", "--host", host, f"--runtime-file={file}"]) == 2
    said = capsys.readouterr().err
    assert f"expected --token-file with --host {host}" in said
    assert said.count("\n") == 1
    assert not file.exists()


def test_the_missing_token_is_told_before_the_server_that_runs(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    file = f"--runtime-file={serving.runtime_file}"
    assert main(["serve", file]) == 2
    assert "is already running" in capsys.readouterr().err
    assert main(["serve", "--host", "0.0.0.0", file]) == 2
    assert "expected --token-file" in capsys.readouterr().err


def _needs_address(host: str) -> None:
    try:
        resolve(host, 0).listen().close()
    except Exception as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("host", ["no.such.host.invalid", "300.1.1.1", "192.0.2.1"])
def test_an_address_that_is_not_this_machines_is_one_line(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "runtime.json"
    assert main(["serve", "--host", host, f"--runtime-file={file}"]) == 2
    said = capsys.readouterr().err
    assert host in said
    assert said.count("\n") == 1


def test_a_blank_host_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--host", " ", f"--runtime-file={tmp_path / 'x'}"]) == 2
    assert "--host" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "url", "loopback"),
    [
        ("127.0.0.1", "http://127.0.0.1:", True),
        ("localhost", "http://127.0.0.1:", True),
        ("::1", "http://[::1]:", True),
        ("[::1]", "http://[::1]:", True),
        ("0.0.0.0", "http://0.0.0.0:", False),
        ("::", "http://[::]:", False),
    ],
)
def test_addresses_are_known_for_what_they_are(
    host: str, url: str, loopback: bool
) -> None:
    _needs_address(host)
    place = resolve(host, 0)
    with place.listen() as listening:
        assert url_of(listening).startswith(url)
    assert place.is_loopback is loopback


def test_all_addresses_of_version_6_are_those_of_version_4_as_well() -> None:
    _needs_address("::")
    with resolve("::", 0).listen() as listening:
        port = listening.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()


def test_it_serves_on_an_address_of_version_6(share: Share) -> None:
    _needs_address("::1")
    client = share("--host", "::1").client
    assert client.url.startswith("http://[::1]:")
    assert client.call("GET", "/v1/models").status == 200
    foreign = {"Host": "example.org"}
    assert client.call("GET", "/v1/models", headers=foreign).status == 403


@pytest.mark.parametrize("host", ["gpu-box", "gpu-box.example.org:8000", "10.0.0.7"])
def test_a_team_reaches_it_under_any_name_with_the_token_alone(
    team: Shared, host: str
) -> None:
    headers = {"Host": host}
    assert team.client.call("GET", "/v1/models", headers=headers).status == 200
    without = headers | {"Authorization": None}
    for path in ("/v1/models", "/", "/metrics", "/conversation"):
        assert team.client.call("GET", path, headers=without).status == 401
    health = team.client.call("GET", "/health", headers=without)
    assert health.json == {"status": "ok"}


def test_on_loopback_a_foreign_name_is_refused_for_a_shared_one_too(
    share: Share,
) -> None:
    client = share().client
    foreign = {"Host": "example.org"}
    for path in ("/health", "/v1/models", "/"):
        assert client.call("GET", path, headers=foreign).status == 403


def test_the_old_protocol_works_for_a_team_behind_a_proxy_too(team: Shared) -> None:
    client = Client(team.client.url, TOKEN, headers={"Host": "gpu-box"})
    assert client.call("POST", "/settings", "ethicsModalAccepted=true").status == 200
    assert client.answer("How do I stop an answer?")["generated_text"]


# What it offers


def test_only_the_named_models_are_listed(team: Shared) -> None:
    listed = team.client.call("GET", "/v1/models").json["data"]
    assert [model["id"] for model in listed] == ["falcon-7b", "llama-13b"]
    ours = team.client.call("GET", "/api/models").json
    assert [model["name"] for model in ours] == ["falcon-7b", "llama-13b"]


def test_only_the_named_models_can_be_asked(team: Shared, endless: str) -> None:
    by_id = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3"
    assert team.client.call("POST", CHAT, body(by_id)).status == 200
    client = Client(team.client.url, TOKEN)
    for model in ("falcon-40b", endless, "/etc/passwd"):
        found = error(team.client.call("POST", CHAT, body(model)), 404)
        assert "unknown model" in found["message"]
        reply = client.call("POST", "/conversation", {"model": model})
        assert reply.status == 422
        assert "unknown model" in reply.json["error"]


def test_without_a_list_no_client_names_files_of_the_machine(
    share: Share, endless: str, tmp_path: Path
) -> None:
    client = share().client
    said = {
        error(client.call("POST", CHAT, body(str(path))), 404)["message"].replace(
            str(path), "PATH"
        )
        for path in (endless, tmp_path / "none.gguf", tmp_path)
    }
    assert len(said) == 1, "the answers tell which files there are"
    assert client.call("POST", CHAT, body("falcon-40b")).status == 200


def test_a_file_that_the_operator_names_can_be_asked(
    share: Share, endless: str
) -> None:
    client = share("--models", endless).client
    (listed,) = client.call("GET", "/v1/models").json["data"]
    for name in (endless, listed["id"]):
        assert client.call("POST", CHAT, body(name)).json["model"] == "endless"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("llama-13b,falcn-7b", "did you mean 'falcon-7b'"),
        ("llama-13b,,falcon-7b", "empty name"),
        ("", "empty name"),
        ("/no/such/file.gguf", "no such file"),
    ],
)
def test_an_unknown_name_is_refused_at_the_start(
    names: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "runtime.json"
    assert main(["serve", "--models", names, f"--runtime-file={file}"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "--models" in said
    assert said.count("\n") == 1


# How it relates to the user's own server


def test_it_does_not_take_the_place_of_the_users_own_server(team: Shared) -> None:
    assert list(team.home.glob("*.json")) == []


def test_a_runtime_file_is_for_the_users_own_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["serve", f"--token-file={token_file(tmp_path)}"]
    assert main([*command, f"--runtime-file={tmp_path / 'x.json'}"]) == 2
    assert (
        "expected --runtime-file or --token-file, got both" in capsys.readouterr().err
    )


def test_no_client_can_end_it(team: Shared) -> None:
    assert team.client.call("POST", "/shutdown").status == 403
    assert team.client.call("GET", "/health").json["status"] == "ok"


def test_no_client_can_take_a_model_from_the_others(team: Shared) -> None:
    asked = {"paths": ["/m.gguf"]}
    assert team.client.call("POST", "/api/unload", asked).status == 403


def test_health_tells_a_team_nothing_of_the_machine(team: Shared) -> None:
    health = team.client.call("GET", "/health").json
    assert {"version", "uptime", "slots", "loaded"} < set(health)
    assert not {"pid", "log", "instance", "memory"} & set(health)


# Its end


def long_stream(model: str, tokens: int) -> dict[str, object]:
    return body(model, stream=True, max_tokens=tokens)


@pytest.fixture
def own(share: Share, endless: str) -> Callable[..., Shared]:
    """Starts a shared server that offers an endless model."""

    def start(*options: str) -> Shared:
        return share("--models", f"{endless},llama-13b", *options)

    return start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_after_a_signal_answers_end_and_nothing_new_begins(
    own: Callable[..., Shared], endless: str, number: signal.Signals
) -> None:
    shared = own("--grace", "600")
    client = Client(shared.client.url, TOKEN)
    conversation = client.converse()
    with client.open("POST", CHAT, long_stream(endless, 600)) as answer:
        answer.readline()
        shared.process.send_signal(number)
        until(lambda: client.call("GET", "/health").status == 503)
        assert client.call("GET", "/health").json["status"] == "ending"
        refused = client.call("POST", CHAT, body())
        assert error(refused, 503)["code"] == "server_ending"
        assert int(refused.headers["retry-after"]) > 0
        for path in ("/conversation", f"/conversation/{conversation}"):
            old = client.call("POST", path, {"model": "llama-13b"})
            assert old.status == 503
            assert "shutting down" in old.json["error"]
            assert int(old.headers["retry-after"]) > 0
        assert client.call("GET", "/metrics").status == 200
        *_, finish, done = sse(b"data: {}\n" + answer.read())
    assert done == "[DONE]"
    assert json.loads(finish)["choices"][0]["finish_reason"] == "length"
    assert shared.process.wait(60) == 0
    events = [json.loads(line)["event"] for line in shared.log.splitlines()]
    assert "waiting for answers" in events
    assert "stopping answers" not in events
    assert events[-1] == "ended"


def test_when_the_grace_is_over_answers_are_stopped_and_say_so(
    own: Callable[..., Shared], endless: str
) -> None:
    shared = own("--grace", "0.3")
    client = shared.client
    with client.open("POST", CHAT, long_stream(endless, 8000)) as answer:
        answer.readline()
        shared.process.terminate()
        *_, last, done = sse(b"data: {}\n" + answer.read())
    assert json.loads(last)["error"]["code"] == "server_ending"
    assert done == "[DONE]"
    assert shared.process.wait(60) == 0
    assert "stopping answers" in shared.log


def test_an_answer_at_once_that_is_stopped_is_a_503(
    own: Callable[..., Shared], endless: str
) -> None:
    shared = own("--grace", "0.3")
    replies: list[Reply] = []
    asked = body(endless, max_tokens=8000)
    thread = threading.Thread(
        target=lambda: replies.append(shared.client.call("POST", CHAT, asked))
    )
    thread.start()
    until(lambda: shared.client.busy_slots() == 1)
    shared.process.terminate()
    thread.join()
    assert error(replies[0], 503)["code"] == "server_ending"
    assert shared.process.wait(60) == 0


def test_a_second_signal_ends_it_at_once(
    own: Callable[..., Shared], endless: str
) -> None:
    shared = own("--grace", "600")
    with shared.client.open("POST", CHAT, long_stream(endless, 8000)) as answer:
        answer.readline()
        shared.process.terminate()
        until(lambda: "waiting for answers" in shared.log)
        assert shared.process.poll() is None
        shared.process.terminate()
        assert shared.process.wait(60) == 128 + signal.SIGTERM


def test_without_answers_it_ends_at_the_first_signal(
    own: Callable[..., Shared],
) -> None:
    shared = own("--grace", "600")
    shared.process.terminate()
    assert shared.process.wait(60) == 0
    assert "waiting for answers" not in shared.log


def test_who_waits_for_a_slot_at_a_signal_is_answered_still(
    own: Callable[..., Shared], endless: str
) -> None:
    shared = own("--slots", "1", "--grace", "600")
    client = shared.client
    with client.open("POST", CHAT, long_stream(endless, 600)) as answer:
        answer.readline()
        waiting = client.start("POST", CHAT, body(endless, max_tokens=3))
        until(lambda: "waiting 1" in client.call("GET", "/metrics").body.decode())
        shared.process.terminate()
        answer.read()
        with waiting.getresponse() as second:
            assert json.loads(second.read())["usage"]["completion_tokens"] == 3
    assert shared.process.wait(60) == 0


def test_a_running_answer_can_be_stopped_while_the_server_ends(
    own: Callable[..., Shared], endless: str
) -> None:
    shared = own("--grace", "600")
    client = Client(shared.client.url, TOKEN)
    conversation = client.converse(endless)
    greedy = {"do_sample": False, "max_new_tokens": 8000}
    with client.open_answer(conversation, "hi", **greedy) as answer:
        answer.readline()
        shared.process.terminate()
        until(lambda: client.call("GET", "/health").status == 503)
        path = f"/conversation/{conversation}/stop-generating"
        assert client.call("POST", path).status == 200
        answer.read()
    assert shared.process.wait(60) == 0


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--queue", "-1", "--queue to be 0 to 10000, got -1"),
        ("--grace", "-1", "--grace to be 0 or more seconds, got -1.0"),
        ("--grace", "nan", "got nan"),
    ],
)
def test_a_limit_out_of_its_range_is_one_line(
    option: str,
    value: str,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["serve", f"--runtime-file={tmp_path / 'x'}", f"{option}={value}"]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
