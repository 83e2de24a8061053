"""The live views, drawn into IPython's own capturing publisher."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher

from h2o_magic.ipython.display import pacer
from h2o_magic.ipython.display.answer import make_view
from h2o_magic.ipython.display.live import SingleView, StreamedView
from h2o_magic.ipython.display.views import AnswerView, TerminalView
from tests.shells import ipython


def outputs_of(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the outputs that stand there after some messages."""
    shown: list[dict[str, Any]] = []
    for message in messages:
        if message.get("update"):
            for output in shown:
                if output["transient"] == message["transient"]:
                    output.update(data=message["data"])
        else:
            shown.append(dict(message))
    return shown


def text_of(outputs: list[dict[str, Any]]) -> str:
    """Return all their text."""
    return "".join(output["data"]["text/markdown"] for output in outputs)


class Screen:
    """What a notebook shows, from the messages that were published."""

    def __init__(self, publisher: CapturingDisplayPublisher) -> None:
        self._publisher = publisher
        self.most = 0  # outputs at the same time

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self._publisher.outputs)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        shown = outputs_of(self.messages)
        self.most = max(self.most, len(shown))
        return shown

    @property
    def text(self) -> str:
        return text_of(self.outputs)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    with ipython() as shell:
        publisher = CapturingDisplayPublisher(parent=shell)
        monkeypatch.setattr(shell, "display_pub", publisher)
        # Every request is drawn at once, so that a test sees each state.
        monkeypatch.setattr(pacer, "time", EverLater())
        yield Screen(publisher)


class EverLater:
    """A clock on which an hour passes between two looks at it."""

    def __init__(self) -> None:
        self._hours = count()

    def monotonic(self) -> float:
        return 3600.0 * next(self._hours)


PATIENCE = 60  # seconds to wait for another thread before a test gives up
PROSE = "\n\n".join(
    f"## Part {part}\n\n" + " ".join(f"{part}w{word}" for word in range(80))
    for part in range(40)
)


def soon(condition: Callable[[], bool]) -> bool:
    """Wait for what the pacer's thread does."""
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        threading.Event().wait(0.001)
    return condition()


def test_each_text_is_on_screen_without_another_one_after_it(screen: Screen) -> None:
    said = ""
    with StreamedView("waiting") as view:
        for start in range(0, len(PROSE), 211):
            said += PROSE[start : start + 211]
            view.write(PROSE[start : start + 211])
            words = said.split()
            assert soon(lambda words=words: screen.text.split() == words)  # type: ignore[misc]
        assert screen.most <= 30


def test_jupyterlab_shows_all_outputs_of_an_answer_of_any_size(screen: Screen) -> None:
    size = 0
    with StreamedView("waiting") as view:
        while size < 300_000:  # no output takes in two of these
            lines = max(1500, size // 11) // 95
            view.write(("word " * 11 + "\n") * lines + "\n")
            size += 56 * lines + 1
        assert 20 < len(screen.outputs) <= 50


WORDS = [f"w{word}" for word in range(1500)]


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        " ".join(WORDS),
        "```\n" + "\n".join(WORDS) + "\n```\n",
        "| a | b |\n|---|---|\n" + "".join(f"| {word} | b |\n" for word in WORDS),
    ],
    ids=["prose", "paragraph", "code", "table"],
)
def test_a_word_that_was_on_screen_stays_there(screen: Screen, text: str) -> None:
    def shown(messages: list[dict[str, Any]]) -> set[str]:
        return set(re.findall(r"\w+", text_of(outputs_of(messages))))

    every = set(re.findall(r"\w+", text))
    with StreamedView("waiting") as view:
        for words in re.split(r"(?<=[05][\s])", text):  # no draw shows half a word
            view.write(words)
        assert soon(lambda: shown(screen.messages) == every)
    messages = screen.messages
    before: set[str] = set()
    for number in range(1, len(messages)):
        words = shown(messages[:number])
        assert before <= words
        before = words


def test_a_long_table_and_long_code_have_one_beginning_in_each_output(
    screen: Screen,
) -> None:
    for opener, line in (("```py", "{}"), ("| a | b |\n|---|---|", "| {} | b |")):
        with StreamedView("waiting") as view:
            view.write(opener + "\n")
            for number in range(2000):
                view.write(line.format(number) + "\n")
            outputs = [output["data"]["text/markdown"] for output in screen.outputs]
            view.clear()
        texts = [text for text in outputs if opener in text]
        assert len(texts) > 5
        assert all(text.count(opener) == 1 for text in texts)


def test_the_sign_of_life_gives_way_to_the_first_text(screen: Screen) -> None:
    with StreamedView("llama-13b …") as view:
        view.wait()
        assert "llama-13b …" in screen.text
        view.write("Hello")
        assert screen.text == "Hello"


def test_the_end_is_one_output_with_its_metadata(screen: Screen) -> None:
    with StreamedView("waiting") as view:
        view.write("Hello")
        view.finish(
            {"text/markdown": "**Hello**", "text/plain": "Hello"},
            {"h2o_magic": {"model": "m"}},
        )
    last = screen.messages[-1]
    assert last["data"] == {"text/markdown": "**Hello**", "text/plain": "Hello"}
    assert last["metadata"] == {"h2o_magic": {"model": "m"}}


def test_nothing_is_drawn_after_the_end(screen: Screen) -> None:
    with StreamedView("waiting") as view:
        view.write("Hello")
        view.finish({"text/markdown": "Hello", "text/plain": "Hello"}, {})
        count = len(screen.messages)
        view.write(" again")
    assert len(screen.messages) == count


def test_replaced_text_starts_over(screen: Screen) -> None:
    with StreamedView("waiting") as view:
        view.write("Wrong. " * 3)
        view.replace("Right.")
        assert screen.text == "Right."


def test_a_line_answer_is_one_output_from_the_beginning_to_the_end(
    screen: Screen,
) -> None:
    with SingleView("waiting") as view:
        view.write("Hello")
        view.replace("Hi")
        view.write(" there")
        assert screen.text == "Hi there"
        view.finish({"text/markdown": "Hi there!", "text/plain": "Hi there!"}, {})
    assert [o["data"]["text/plain"] for o in screen.outputs] == ["Hi there!"]


def test_a_view_that_is_cleared_shows_nothing(screen: Screen) -> None:
    with SingleView("waiting") as view:
        view.wait()
        view.clear()
    assert screen.text.strip() == ""


def test_where_other_outputs_are_the_end_takes_the_place_of_the_first(
    screen: Screen,
) -> None:
    with StreamedView("waiting", lambda: False) as view:
        for start in range(0, len(PROSE), 211):
            view.write(PROSE[start : start + 211])
        assert soon(lambda: len(screen.outputs) > 3)
        view.finish({"text/markdown": "the end", "text/plain": "the end"}, {})
    first, *others = [o["data"]["text/markdown"] for o in screen.outputs]
    assert first == "the end"
    assert set(others) == {" "}


def test_without_streaming_only_the_end_is_shown(screen: Screen) -> None:
    with AnswerView() as view:
        view.write("Hello")
        view.replace("Hi")
        assert screen.messages == []
        view.finish({"text/markdown": "Hi", "text/plain": "Hi"}, {})
    assert len(screen.messages) == 1


def test_a_terminal_prints_each_text_once(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalView(live=True) as view:
        view.write("Hello")
        view.write(" there")
        view.finish(
            {"text/markdown": "ignored", "text/plain": "Hello there\n\n[llama-13b]"}, {}
        )
    assert capsys.readouterr().out == "Hello there\n\n[llama-13b]\n"


def test_a_terminal_prints_replaced_text_anew_only_if_it_differs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with TerminalView(live=True) as view:
        view.write("Hello")
        view.replace("Hello there")
        view.replace("Good day")
        view.finish({"text/markdown": "ignored", "text/plain": "Good day\n\n[m]"}, {})
    assert capsys.readouterr().out == "Hello there\nGood day\n\n[m]\n"


def test_a_terminal_is_not_steered_by_the_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with TerminalView(live=True) as view:
        view.write("a\x1b[2Jb\x07\r")
        view.finish({"text/markdown": "", "text/plain": "a\x1b[2Jb\x07\r\n\n[m]"}, {})
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "\r" not in out


def test_a_terminal_without_streaming_prints_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with TerminalView(live=False) as view:
        view.write("Hello")
        assert capsys.readouterr().out == ""
        view.finish({"text/markdown": "", "text/plain": "Hello\n\n[m]"}, {})
    assert capsys.readouterr().out == "Hello\n\n[m]\n"


def test_a_shell_without_a_kernel_is_a_terminal() -> None:
    view = make_view(None, waiting="", owns_cell=True)
    assert isinstance(view, TerminalView)


@pytest.mark.parametrize("view_class", [StreamedView, SingleView])
def test_a_notice_takes_the_place_of_the_sign_of_life(
    screen: Screen, view_class: type[StreamedView | SingleView]
) -> None:
    with view_class("llama-13b …") as view:
        view.wait()
        view.notice("loading *llama-13b*, 7.9 GB")
        assert screen.text == "<sub>loading \\*llama-13b\\*, 7.9 GB</sub>"
        view.notice("")
        assert screen.text == "<sub>llama-13b …</sub>"
        view.notice("waiting")
        view.write("Hello")
        assert screen.text == "Hello"
        view.notice("late")
        assert screen.text == "Hello"


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True

    @property
    def line(self) -> str:
        """What stands on the last line, as a terminal draws it."""
        drawn = ""
        for piece in self.getvalue().rpartition("\n")[2].split("\r"):
            drawn = piece + drawn[len(piece) :]
        return drawn.rstrip()


def test_a_terminal_takes_a_notice_back(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Tty()
    monkeypatch.setattr("sys.stdout", terminal)
    with TerminalView(live=True) as view:
        view.notice("loading llama-13b,\x1b[2J 7.9 GB" + "!" * 100)
        assert terminal.line.startswith("loading llama-13b,[2J 7.9 GB!")
        assert len(terminal.line) < 80
        view.notice("waiting")
        assert terminal.line == "waiting"
        view.write("Hello")
        assert terminal.line == ""
        view.notice("late")
        assert terminal.line == ""
    for ended in (TerminalView.clear, lambda view: view.finish({"text/plain": ""}, {})):
        terminal.write("\n")
        with TerminalView(live=True) as view:
            view.notice("waiting")
            ended(view)
        assert terminal.line == ""


def test_a_file_gets_no_notices(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalView(live=True) as view:
        view.notice("waiting")
        view.write("Hello")
    assert capsys.readouterr().out == "Hello"
    with AnswerView() as final:
        final.notice("waiting")
