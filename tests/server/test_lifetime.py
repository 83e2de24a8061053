"""How a server begins, is found, and ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from h2o_magic.backends.local.locate import server_at
from h2o_magic.cli import main
from h2o_magic.server.log_output import open_log
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.weights.memory import default_memory, memory_of_machine
from tests.server.client import read_events, until
from tests.server.conftest import Serving, Start
from tests.server.test_stopping import LONG


def test_the_runtime_file_is_for_this_user_only(serving: Serving) -> None:
    assert serving.runtime_file.stat().st_mode & 0o777 == 0o600
    written = json.loads(serving.runtime_file.read_text())
    assert set(written) == {"url", "token", "pid", "instance", "version", "log"}
    assert len(serving.token) >= 43
    assert [p.name for p in serving.runtime_file.parent.glob(".*")] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("models", [[], ["llama-13b"], ["llama-13b", "falcon-7b"]])
def test_a_signal_ends_it_cleanly_whatever_is_loaded(
    start: Start, number: signal.Signals, models: list[str]
) -> None:
    serving = start()
    client = serving.client()
    for model in models:
        client.answer("hello", model, max_new_tokens=1)
    serving.process.send_signal(number)
    assert serving.wait() == 0
    assert not serving.runtime_file.exists()
    last = serving.log_file.read_text().splitlines()[-1]
    assert json.loads(last)["event"] == "ended"


def engines(serving: Serving) -> list[psutil.Process]:
    """Return the processes that a server has started."""
    return psutil.Process(serving.process.pid).children(recursive=True)


def has_ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def at_work(start: Start, endless: str) -> Iterator[Serving]:
    """A server with two engines, one of which writes an answer."""
    serving = start()
    client = serving.client()
    client.answer("hello", max_new_tokens=1)
    with client.open_answer(client.converse(endless), "hi", **LONG) as answer:
        answer.readline()
        yield serving


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_engine_outlives_its_server(
    at_work: Serving, number: signal.Signals
) -> None:
    processes = engines(at_work)
    assert len(processes) == 2
    at_work.process.send_signal(number)
    at_work.wait()
    until(lambda: all(map(has_ended, processes)))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing can end it")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_engine_that_reacts_to_nothing_does_not_outlive_it_either(
    at_work: Serving, number: signal.Signals
) -> None:
    processes = engines(at_work)
    for process in processes:
        process.suspend()
    at_work.process.send_signal(number)
    at_work.wait()
    until(lambda: all(map(has_ended, processes)))


def test_a_second_signal_leaves_no_engine_either(start: Start, endless: str) -> None:
    serving = start("--grace", "600")
    client = serving.client()
    with client.open_answer(client.converse(endless), "hi", **LONG) as answer:
        answer.readline()
        processes = engines(serving)
        serving.process.terminate()
        until(lambda: client.call("GET", "/health").status == 503)
        serving.process.terminate()
        assert serving.wait() == 128 + signal.SIGTERM
    assert len(processes) == 1
    until(lambda: all(map(has_ended, processes)))
    assert not serving.runtime_file.exists()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_nobody_can_read_an_engines_key_from_outside(at_work: Serving) -> None:
    """So its key and address are in no arguments, and in no environment."""
    own = environment(at_work.process.pid)
    for process in engines(at_work):
        assert process.cmdline()[1:] == ["-m", "h2o_magic.server.engine"]
        added = environment(process.pid) - own
        assert added == {b"GGML_NO_BACKTRACE=1"}


def environment(pid: int) -> set[bytes]:
    return set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")) - {b""}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_its_files_and_their_folders_are_for_this_user_only_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    file, log = tmp_path / "a" / "b" / "server.json", tmp_path / "c" / "d" / "log"
    before = os.umask(umask)
    try:
        Runtime("u", "t", 1, "i", "v", None).write(file)
        os.close(open_log(log))
    finally:
        os.umask(before)
    for path in (file, log):
        assert path.stat().st_mode & 0o077 == 0
        for folder in (path.parent, path.parent.parent):
            assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Runtime("u", "t", 1, "i", "v", None).write(tmp_path / "server.json")
    assert tmp_path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_as_soon_as_it_can_be_found_leaves_no_file(
    tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "runtime.json"
    program = SIGNALLED.format(number=int(number))
    command = [sys.executable, "-c", program, f"--runtime-file={file}"]
    run = subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60, check=False)
    assert run.returncode == 0
    assert not file.exists()


SIGNALLED = """
import os, sys
from h2o_magic.cli import main
from h2o_magic.server import serve

real = serve._greet

def greet(*args):
    os.kill(os.getpid(), {number})
    real(*args)

serve._greet = greet
sys.exit(main(["serve", *sys.argv[1:]]))
"""


STUCK = """
import asyncio, sys
from h2o_magic.cli import main
from h2o_magic.server.models import Models

async def never(models):
    await asyncio.Event().wait()

Models.close = never
sys.exit(main(["serve", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_server_that_is_stuck(
    tmp_path: Path, number: signal.Signals
) -> None:
    file, log = tmp_path / "runtime.json", tmp_path / "server.log"
    command = [sys.executable, "-c", STUCK, f"--runtime-file={file}"]
    with subprocess.Popen([*command, f"--log-file={log}"]) as process:
        until(lambda: file.exists() and "listens" in log.read_text())
        process.send_signal(number)
        until(lambda: f"got {number.name}" in log.read_text())
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(timeout=60) == 128 + number
    assert not file.exists()


def in_a_terminal(*options: str, home: Path) -> str:
    """Run a server that ends at once, and return what its terminal shows."""
    pty = pytest.importorskip("pty")
    terminal, stderr = pty.openpty()
    command = [sys.executable, "-m", "h2o_magic.cli", "serve", *options]
    subprocess.run(
        [*command, "--idle-minutes=0.001", f"--log-file={home / 'server.log'}"],
        env=os.environ | {"H2O_MAGIC_HOME": str(home)},
        stderr=stderr,
        check=True,
    )
    os.close(stderr)
    shown = os.read(terminal, 10_000).decode()
    os.close(terminal)
    return shown.replace("\r\n", "\n")


def test_who_starts_it_by_hand_is_told_where_it_is(tmp_path: Path) -> None:
    shown = in_a_terminal(home=tmp_path)
    assert re.fullmatch(
        r"h2o_magic is listening on http://127\.0\.0\.1:\d+ ; this user's notebooks "
        r"find it automatically; press Ctrl-C to stop it\n",
        shown,
    )


def test_of_a_server_with_a_runtime_file_of_its_own_the_place_is_told(
    tmp_path: Path,
) -> None:
    file = tmp_path / "other.json"
    shown = in_a_terminal(f"--runtime-file={file}", home=tmp_path)
    assert f"address and token are in {file}; press Ctrl-C to stop it" in shown
    assert shown.count("\n") == 1


def test_a_signal_stops_running_answers(start: Start, endless: str) -> None:
    serving = start()
    client = serving.client()
    with client.open_answer(client.converse(endless), "hi", **LONG) as answer:
        answer.readline()
        serving.process.terminate()
        last = read_events(b"data:{}\n" + answer.read())[-1]
    assert last.get("error_type") == "server_ending", last
    assert serving.wait() == 0


def test_shutdown_ends_it(start: Start) -> None:
    serving = start()
    assert serving.client().call("POST", "/shutdown").status == 200
    assert serving.wait() == 0
    assert not serving.runtime_file.exists()


#: Minutes that a server may be idle; a client must begin to ask within that time.
IDLE = "0.02"


def test_an_idle_server_ends_by_itself(start: Start) -> None:
    serving = start("--idle-minutes", IDLE)
    assert serving.wait() == 0
    assert not serving.runtime_file.exists()


def test_asking_for_its_health_keeps_no_server_alive(start: Start) -> None:
    serving = start("--idle-minutes", IDLE)
    while serving.process.poll() is None:
        try:
            serving.client().call("GET", "/health")
        except OSError:
            break
    assert serving.wait() == 0


def test_a_running_answer_is_not_idle(start: Start, endless: str) -> None:
    serving = start("--idle-minutes", IDLE)
    client = serving.client()
    conversation = client.converse(endless)
    with client.open_answer(conversation, "hi", **LONG) as answer:
        deadline = time.monotonic() + 2 * 60 * float(IDLE)
        while time.monotonic() < deadline:
            assert answer.readline()
        client.call("POST", f"/conversation/{conversation}/stop-generating")
        answer.read()
    assert serving.wait() == 0


def test_a_killed_server_leaves_a_file_that_fools_nobody(start: Start) -> None:
    serving = start()
    assert server_at(serving.runtime_file) is not None
    serving.process.kill()
    serving.wait()
    assert serving.runtime_file.exists()
    assert server_at(serving.runtime_file) is None


def test_another_servers_file_is_left_alone(start: Start) -> None:
    serving = start()
    other = Runtime("http://127.0.0.1:1", "t", 1, "another", "0", None)
    other.write(serving.runtime_file)
    serving.process.terminate()
    serving.wait()
    assert json.loads(serving.runtime_file.read_text())["instance"] == "another"


def test_a_second_server_for_the_same_user_is_refused(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--runtime-file", str(serving.runtime_file)]) == 2
    said = capsys.readouterr().err
    assert f"process {serving.process.pid}" in said
    assert serving.token not in said


def test_a_port_that_is_taken_is_named(
    serving: Serving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = serving.url.rpartition(":")[2]
    file = tmp_path / "runtime.json"
    assert main(["serve", "--port", port, "--runtime-file", str(file)]) == 2
    assert f"cannot listen on port {port}" in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": 3}', "not json"], ids=str)
def test_an_odd_runtime_file_names_no_server(tmp_path: Path, text: str) -> None:
    path = tmp_path / "runtime.json"
    path.write_text(text)
    assert server_at(path) is None
    assert server_at(tmp_path / "none.json") is None


def test_the_token_is_not_in_the_repr() -> None:
    assert "geheim" not in repr(Runtime("u", "geheim", 1, "i", "v", None))


def test_the_token_is_on_no_command_line(serving: Serving) -> None:
    command = Path(f"/proc/{serving.process.pid}/cmdline")
    if not command.exists():
        pytest.skip("this system does not show command lines as files")
    assert serving.token.encode() not in command.read_bytes()


def test_a_large_log_is_begun_anew(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_bytes(b"x" * 2**21)
    serving = start("--log-file", str(log))
    serving.process.terminate()
    serving.wait()
    text = log.read_text()
    assert "x" * 100 not in text
    assert text.endswith('"event": "ended"}\n')


def test_without_a_log_file_the_log_goes_to_standard_error(tmp_path: Path) -> None:
    file = tmp_path / "runtime.json"
    command = [sys.executable, "-m", "h2o_magic.cli", "serve"]
    command += ["--idle-minutes", "0.001", "--runtime-file", str(file)]
    run = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert b"listens on http://127.0.0.1:" in run.stderr
    assert run.stderr.endswith(b'"event": "ended"}\n')
    assert run.stdout == b""


def test_it_listens_on_loopback_only(serving: Serving) -> None:
    assert serving.url.startswith("http://127.0.0.1:")
    pid = serving.process.pid
    table = Path(f"/proc/{pid}/net/tcp")
    if not table.exists():
        pytest.skip("this system does not show sockets as a file")
    sockets = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [row.split() for row in table.read_text().splitlines()[1:]]
    listening = [r[1] for r in rows if r[3] == "0A" and f"socket:[{r[9]}]" in sockets]
    assert listening
    assert all(address.startswith("0100007F:") for address in listening)


def test_its_last_words_are_in_the_log(serving: Serving) -> None:
    until(lambda: "listens on http://127.0.0.1:" in serving.log_file.read_text())


def test_the_memory_that_was_given_is_the_models(start: Start, noisy: str) -> None:
    serving = start("--memory", "400KB")
    client = serving.client()
    assert client.call("GET", "/health").json["memory"] == 400_000
    event = client.failure(noisy)
    assert "models may use 400 KB" in event["error"]
    assert client.answer("hi", max_new_tokens=1)["generated_text"]


def test_the_models_get_a_share_of_the_machine(serving: Serving) -> None:
    memory = serving.client().call("GET", "/health").json["memory"]
    assert memory == default_memory()
    assert memory < (memory_of_machine() or 0)
