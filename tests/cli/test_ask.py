"""``h2o-magic ask``: in a process of its own, against a server with ready answers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stand_in import StandIn

pytestmark = pytest.mark.usefixtures("home")


def ask(
    server: StandIn, *words: str, text: str | bytes = b"", **environ: str
) -> subprocess.CompletedProcess[bytes]:
    piped = text.encode() if isinstance(text, str) else text
    return subprocess.run(
        command(*words),
        input=piped,
        env=environment(server, **environ),
        capture_output=True,
        check=False,
        timeout=60,
    )


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "h2o_magic.cli", "ask", *words]


def environment(server: StandIn, **environ: str) -> dict[str, str]:
    terminal = {"TERM": "xterm-256color", "COLUMNS": "", "NO_COLOR": ""}
    return {**os.environ, "H2O_MAGIC_SERVER": server.url, **terminal, **environ}


def asked(server: StandIn) -> str:
    return str(server.asked[-1]["inputs"])


def test_the_answer_alone_is_on_standard_output(server: StandIn) -> None:
    server.script = ["Par", "is."]
    done = ask(server, "What is the capital of France?")
    assert (done.returncode, done.stdout) == (0, b"Paris.\n")
    assert "tokens" in done.stderr.decode() or "[" in done.stderr.decode()
    assert asked(server).endswith("What is the capital of France?")


def test_words_need_no_quotes_and_options_may_stand_anywhere(server: StandIn) -> None:
    done = ask(server, "--temperature", "0.7", "How", "are", "you?", "--seed=3")
    assert done.returncode == 0, done.stderr
    assert asked(server).endswith("How are you?")
    sent = server.asked[-1]["parameters"]
    assert (sent["temperature"], sent["seed"]) == (0.7, 3)


def test_piped_text_stands_below_the_question_or_is_it(server: StandIn) -> None:
    ask(server, "Summarise this.", text="A long text.\n")
    assert asked(server).endswith("Summarise this.\n\nA long text.")
    ask(server, text="What is a kernel?\n")
    assert asked(server).endswith("What is a kernel?")


def test_files_go_along(server: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "rain.csv"
    file.write_text("city,mm\nLima,16\n")
    ask(server, "--attach", str(file), "Where", "does", "it", "rain?")
    assert asked(server).startswith("Where does it rain?\n\n`rain.csv`:\n\n")
    assert "Lima,16" in asked(server)


@pytest.mark.parametrize(
    "words", [["-5 + 3 = ?"], ["--", "-5", "+ 3 = ?"], ["-5", "+", "3", "=", "?"]]
)
def test_a_question_may_begin_with_a_dash(server: StandIn, words: list[str]) -> None:
    done = ask(server, *words)
    assert done.returncode == 0, done.stderr
    assert asked(server).endswith("-5 + 3 = ?")


def test_half_a_character_in_a_pipe_or_for_a_terminal_loses_no_text(
    server: StandIn,
) -> None:
    server.script = ["caf\u00e9"]
    done = ask(server, "x", text=b"caf\xe9", PYTHONIOENCODING="utf-8:strict")
    assert done.returncode == 0, done.stderr
    done = ask(server, "x", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, b"caf?\n")
    assert done.stderr.startswith(b"[llama-13b - ")  # a middle dot


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected a question"),
        (["--temprature", "1", "x"], "did you mean '--temperature'?"),
        (["--temperature", "warm", "x"], "`temperature` must be a number, 0 or above"),
        (["--tempp", "1", "x"], "did you mean '--temperature'?"),
        (["--nonsense", "x"], "`h2o-magic ask -- TEXT` asks what begins with a dash"),
        (["--system", "--seed", "1", "x"], "write `--system=--seed`"),
        (["--truncate", "100", "x"], "belongs to the gpt-gm protocol"),
        (["--out", "x", "y"], "--out requires a notebook: leave it out"),
        (["--thread", "a", "y"], "--thread requires a notebook: leave it out"),
        (["--eval", "y"], "--eval requires a notebook: leave it out"),
        (["--schema", "none.json", "y"], "none.json"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_status_1(
    server: StandIn, words: list[str], said: str
) -> None:
    done = ask(server, *words)
    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = done.stderr.decode().splitlines()
    assert said in line
    assert "%%h2o" not in line
    assert server.asked == []


def test_a_server_that_is_not_there_is_one_line_and_status_1(server: StandIn) -> None:
    done = ask(server, "x", H2O_MAGIC_SERVER="http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = done.stderr.decode().splitlines()
    assert "127.0.0.1:9" in line


def test_code_is_printed_alone_and_an_answer_without_is_no_success(
    server: StandIn,
) -> None:
    server.script = ["Here:\n\n```python\nprint(1)\n```\n\nIt prints."]
    done = ask(server, "--as", "code", "Print 1.")
    assert (done.returncode, done.stdout) == (0, b"print(1)\n")
    server.script = ["I cannot."]
    done = ask(server, "--as", "code", "Print 1.")
    assert (done.returncode, done.stdout) == (1, b"I cannot.\n")
    assert b"no code" in done.stderr


def test_json_is_printed_as_such_or_refused(server: StandIn) -> None:
    server.script = ['Sure: {"a": [1, 2]}']
    done = ask(server, "--as", "json", "x")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"a": [1, 2]}
    server.script = ["no"]
    assert ask(server, "--as", "json", "x").returncode == 1


def test_a_preview_sends_nothing(server: StandIn) -> None:
    done = ask(server, "--preview", "What is this?")
    assert done.returncode == 0
    assert b"What is this?" in done.stdout
    assert server.asked == []


def test_a_stored_answer_is_given_again_and_on_request_asked_again(
    server: StandIn, tmp_path: Path
) -> None:
    def replayed(*words: str, **environ: str) -> tuple[int, bytes, str]:
        given = ("--replay", str(tmp_path / "answers"), *words, "What?")
        done = ask(server, *given, **environ)
        return done.returncode, done.stdout, done.stderr.decode()

    assert replayed()[:2] == (0, b"Hello world\n")
    server.script = ["Another"]
    status, answer, footer = replayed(H2O_MAGIC_REPLAY="only")
    assert (status, answer) == (0, b"Hello world\n")
    assert re.search(r"· replayed, first answered \d{4}-\d\d-\d\d\]$", footer.strip())
    assert b"would be replayed, first answered" in replayed("--preview")[1]
    assert replayed("--fresh")[1] == b"Another\n"
    assert len(server.asked) == 2
    status, answer, said = replayed("Why so?", H2O_MAGIC_REPLAY="only")
    assert (status, answer, len(said.splitlines())) == (1, b"", 1)
    assert said.startswith("no answer to this question is stored in ")


def test_the_help_is_the_commands_own(server: StandIn) -> None:
    done = ask(server, "--help")
    said = done.stdout.decode()
    assert said.startswith("usage: h2o-magic ask [options] QUESTION")
    assert "--temperature" in said
    assert "%%h2o" not in said
    for option in ("--out", "--thread", "--new", "--no-history"):
        assert f"{option} " not in said


def test_an_interrupt_keeps_what_came_and_ends_with_130(
    server: StandIn, tmp_path: Path
) -> None:
    gate = threading.Event()
    server.script = ["Half an answer", gate]
    with (tmp_path / "err").open("wb") as errors:
        process = subprocess.Popen(
            command("x"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(server),
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.read(4) == b"Half"
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
            assert process.wait(60) == 130
    gate.set()
    assert rest.decode().strip() == "an answer"
    assert "Traceback" not in (tmp_path / "err").read_text()


def test_a_reader_that_has_enough_ends_it_quietly(server: StandIn) -> None:
    server.script = ["One line\n"] * 50
    script = " ".join([*command("x"), "</dev/null | head -n 1"])
    done = subprocess.run(
        ["sh", "-c", script],
        env=environment(server),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == b"One line\n"
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's own")
@pytest.mark.parametrize(
    ("words", "to", "why"),
    [
        ("ask x", ">/dev/full", "No space left on device"),
        ("models", ">/dev/full", "No space left on device"),
        ("ask --help", ">&-", "Bad file descriptor"),
    ],
)
def test_output_that_goes_nowhere_is_one_line_and_status_1(
    server: StandIn, words: str, to: str, why: str
) -> None:
    script = f"{sys.executable} -m h2o_magic.cli {words} {to} </dev/null"
    done = subprocess.run(
        ["sh", "-c", script],
        env=environment(server),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    said = f"h2o-magic: cannot write the output: {why}\n"
    assert done.stderr.decode() == said


def test_without_standard_error_the_answer_is_complete(server: StandIn) -> None:
    script = f"{sys.executable} -m h2o_magic.cli ask x 2>&- </dev/null"
    done = subprocess.run(
        ["sh", "-c", script],
        env=environment(server),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, b"Hello world\n")


MARKDOWN = (
    "# Title\n\nSome **bold** text that is longer than a narrow window is wide.\n\n"
    "| city | mm |\n|---|--:|\n| Lima | 16 |\n| Tokyo | 1500 |\n\x1b[2J"
)


@pytest.mark.parametrize("width", [40, 120])
def test_in_a_terminal_rich_renders_the_answer_as_wide_as_that_is(
    server: StandIn, width: int
) -> None:
    server.script = [MARKDOWN]
    shown = in_terminal(command("x"), environment(server), width)
    assert "\x1b[1mbold\x1b[0m" in shown
    assert "\x1b[2J" not in shown
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert not any(mark in line for line in lines for mark in ("**", "# ", "|"))
    rows = [line.rstrip() for line in lines if "Lima" in line or "Tokyo" in line]
    assert len({len(row) for row in rows}) == 1
    prose = [line for line in lines if "longer" in line or "wide." in line]
    assert len(prose) == (2 if width == 40 else 1)


@pytest.mark.parametrize("without", ["rich", "colour", "control"])
def test_in_a_terminal_without_rich_or_colours_there_are_no_marks(
    server: StandIn, tmp_path: Path, without: str
) -> None:
    (tmp_path / "rich").mkdir()
    (tmp_path / "rich" / "__init__.py").write_text("raise ImportError('rich')")
    extra = {
        "rich": {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        "colour": {"NO_COLOR": "1"},
        "control": {"TERM": "dumb"},
    }
    server.script = [MARKDOWN]
    shown = in_terminal(command("x"), environment(server, **extra[without]))
    assert shown.startswith(
        "Title\n=====\n\n"
        "Some bold text that is longer than a narrow window is wide.\n\n"
        "city   mm\nLima   16\nTokyo  1500\n"
    )
    assert "\x1b" not in shown


def test_in_a_terminal_a_text_is_seen_before_its_block_ends(server: StandIn) -> None:
    gate = threading.Event()
    server.script = ["Some **bold", gate, "** text"]

    def seen(shown: str) -> None:
        if "Some bold" in shown:
            gate.set()

    shown = in_terminal(command("x"), environment(server), seen=seen)
    assert gate.is_set()
    assert "**" not in shown
    assert "\x1b[1mbold\x1b[0m text" in shown


def test_ipython_in_a_terminal_renders_answers_and_turns(
    server: StandIn, tmp_path: Path
) -> None:
    server.script = [MARKDOWN]
    code = "%load_ext h2o_magic\n%h2o ask x\n%h2o show 1"
    shown = in_terminal(
        [sys.executable, "-m", "IPython", "--no-banner", "-c", code],
        environment(server, IPYTHONDIR=str(tmp_path)),
    )
    assert shown.count("\x1b[1mbold\x1b[0m") == 2
    assert "**" not in shown
    assert "\x1b[2J" not in shown


ROOT = Path(__file__).parents[2]


def in_terminal(
    words: list[str],
    environ: dict[str, str],
    width: int = 80,
    seen: Callable[[str], None] = str,  # type: ignore[assignment]
) -> str:
    """Run a command in a terminal, and return what that was sent."""
    pty = pytest.importorskip("pty")
    fcntl = pytest.importorskip("fcntl")
    termios = pytest.importorskip("termios")
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("4H", 40, width, 0, 0))
    process = subprocess.Popen(
        words, stdin=inside, stdout=inside, stderr=inside, env=environ
    )
    os.close(inside)
    shown = ""
    with process, contextlib.suppress(OSError):  # at the terminal's end
        while part := os.read(terminal, 10_000).decode(errors="replace"):
            shown += part
            seen(shown)
    os.close(terminal)
    return shown.replace("\r\n", "\n")


def test_folders_that_cannot_be_used_are_one_line_beside_the_answer(
    server: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    done = ask(server, "Hi", H2O_MAGIC_HOME=str(tmp_path / "loop"))
    assert (done.returncode, done.stdout) == (0, b"Hello world\n")
    line, footer = done.stderr.decode().splitlines()
    assert line.startswith(f"aliases: {tmp_path / 'loop' / 'aliases.json'} cannot be")
    assert "set H2O_MAGIC_HOME to a folder that you can write to" in line
    assert footer.startswith("[")
