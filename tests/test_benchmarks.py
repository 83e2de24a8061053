"""The benchmarks run, count right, and hold figures to their bars."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import __main__
from benchmarks.apparatus.answers import SHAPES, answer
from benchmarks.apparatus.environments import InstallationError
from benchmarks.apparatus.growth import (
    Shown,
    letters_of,
    longest_pause,
    seen_apart,
    shown_of,
    taken_away,
)
from benchmarks.apparatus.kernel import IOPubMessage
from benchmarks.apparatus.link import Pace, slow_link
from benchmarks.apparatus.speaker import PATHS, speaking
from benchmarks.apparatus.watching import Shrunk, Watched
from benchmarks.apparatus.windows import most_within
from benchmarks.bars import Bar, table
from benchmarks.parts import (
    LEAST_ROUNDS,
    MOST_ROUNDS,
    Options,
    flood,
    loading,
    package,
    replay,
)
from benchmarks.parts.slow_link import behind
from benchmarks.server import beside_engine, many_streams
from h2o_magic.backends.detect import detect
from h2o_magic.backends.replay.folder import AnswerFolder
from h2o_magic.config.url import Endpoint


def test_a_figure_is_held_to_its_bar() -> None:
    assert Bar("x", 0.85, "ratio", least=0.85).met
    assert not Bar("x", 0.84, "ratio", least=0.85).met
    assert Bar("x", 3.0, "ms", most=3.0).met
    assert not Bar("x", 3.1, "ms", most=3.0).met
    assert Bar("x", 1e9, "ms").met


def test_the_table_names_what_was_missed() -> None:
    bars = [Bar("slow", 0.5, "ratio", least=0.85), Bar("fast", 1.0, "ms", most=3.0)]
    head, slow, fast = table([*bars]).splitlines()
    assert head.startswith("what")
    assert slow.split() == ["slow", "0.5", "ratio", ">=", "0.85", "MISSED"]
    assert fast.split() == ["fast", "1", "ms", "<=", "3", "met"]
    assert json.loads(json.dumps(bars[0].as_json()))["met"] is False


def test_what_was_not_measured_is_not_met_with_a_bar_or_without() -> None:
    peer = Bar("times faster", math.nan, "x", least=50, note="it cannot be installed")
    bare = Bar("time of a peer", math.nan, "ms")
    for bar in (peer, bare):
        assert not bar.met
        written = json.loads(json.dumps(bar.as_json()))
        assert (written["value"], written["met"]) == (None, False)
        assert "NOT MEASURED" in table([bar])
    assert ">= 50" in table([peer])
    assert "it cannot be installed" in table([peer])


@contextmanager
def _not_installed(*_: str) -> Iterator[None]:
    raise InstallationError("no such host")
    yield


def test_a_peer_that_cannot_be_installed_leaves_its_bar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for part in (flood, package):
        monkeypatch.setattr(part, "environment", _not_installed)
    (chatlab,) = flood._beside_chatlab("http://127.0.0.1:9", 5)
    assert (chatlab.met, chatlab.least) == (False, 20)
    added = package._added(Path("h2o_magic.whl"))
    assert (added.met, added.most) == (False, 9)
    for bar in (chatlab, added):
        assert "no such host" in bar.note


def test_of_peers_that_cannot_be_installed_each_has_its_row() -> None:
    own = {"h2o_magic's wheel": [loading._Load(10.0, 5), loading._Load(12.0, 5)]}
    peer = {"a peer": [loading._Load(500.0, 90), loading._Load(720.0, 90)]}
    *_, absent, ratio = loading._beside(own | peer, {"another": "no such host"})
    assert (absent.name, absent.met) == ("another: time", False)
    assert "no such host" in absent.note
    assert ratio.met
    assert ratio.samples == (50.0, 60.0)
    assert ratio.beside == {"h2o_magic's wheel": 0.011, "a peer": 0.61}
    *_, ratio = loading._beside(own, {"another": "no such host"})
    assert (ratio.met, ratio.least) == (False, 50)


def test_a_bar_that_is_always_to_be_kept_is_judged_by_the_worst_round() -> None:
    longest = Bar.worst("longest task", (40.0, 120.0, 60.0), "ms", most=100)
    updates = Bar.worst("updates", [9.0, 7.5, 8.0], "a second", least=8)
    middle = Bar.median("late", (each for each in (5.0, 1.0, 2.0)), "ms", most=2)
    assert [bar.value for bar in (longest, updates, middle)] == [120.0, 7.5, 2.0]
    assert [bar.met for bar in (longest, updates, middle)] == [False, False, True]


def test_the_figures_of_the_rounds_and_of_the_limit_are_written() -> None:
    beside = {"h2o_magic": 0.058, "bare": 0.119}
    bar = Bar.median("kernel time", [0.5, 0.4, 0.6], "x bare", beside=beside)
    written = json.loads(json.dumps(bar.as_json()))
    assert written["samples"] == [0.5, 0.4, 0.6]
    assert written["beside"] == beside
    assert table([bar]) == table([Bar("kernel time", 0.5, "x bare")])


def test_a_part_that_fails_leaves_its_figures_and_the_other_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(part: str, _: Options) -> Iterator[Bar]:
        yield Bar(f"a figure of {part}", 1.0, "ms", most=2.0)
        if part == "delay":
            raise RuntimeError("no server")

    path = tmp_path / "figures.json"
    monkeypatch.setattr(__main__, "run", run)
    monkeypatch.setattr(
        "sys.argv", ["benchmarks", "delay", "memory", "--json", str(path)]
    )
    assert __main__.main() == 1
    delay, memory = json.loads(path.read_text())["parts"]
    assert delay["failed"] == "RuntimeError: no server"
    assert [bar["name"] for bar in delay["bars"]] == ["a figure of delay"]
    assert (memory["failed"], memory["bars"][0]["met"]) == ("", True)
    assert "FAILED after 1 figures: RuntimeError: no server" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["benchmarks", "memory"])
    assert __main__.main() == 0


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = []
    monkeypatch.setattr(__main__, "run", lambda part, _: measured.append(part) or [])
    (tmp_path / "file").touch()
    for name in ("absent/figures.json", "file/figures.json", "."):
        path = tmp_path / name
        monkeypatch.setattr("sys.argv", ["benchmarks", "delay", "--json", str(path)])
        with pytest.raises(SystemExit, match="2"):
            __main__.main()
        assert f"argument --json: cannot write {path}: " in capsys.readouterr().err
    assert not measured
    path = tmp_path / "figures.json"
    monkeypatch.setattr("sys.argv", ["benchmarks", "no part", "--json", str(path)])
    with pytest.raises(SystemExit, match="2"):
        __main__.main()
    assert not path.exists()


def test_the_help_tells_of_each_part_that_has_rounds_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "--help"])
    with pytest.raises(SystemExit, match="0"):
        __main__.main()
    told = " ".join(capsys.readouterr().out.split())
    assert "default 7" in told
    for part, count in (LEAST_ROUNDS | MOST_ROUNDS).items():
        assert f"{count} in {part}" in told


def test_of_what_a_page_shows_only_what_came_in_the_time_counts() -> None:
    frames = [(9.0, 0), (10.5, 20), (11.0, 15), (11.5, 30), (12.2, 40), (13.0, 40)]
    tasks = [(9.5, 300.0), (11.0, 60.0), (11.5, 80.0), (12.1, 200.0)]
    seen = Watched(frames, tasks, most=3)
    assert seen.letters == 40
    assert seen.whole == 12.2
    assert seen.updates(10.0, 12.0) == 1.0
    assert seen.longest_task(10.0, 12.0) == 80.0
    assert seen.longest_task(14.0, 15.0) == 0


def test_text_that_goes_away_counts_but_not_what_stood_there_twice() -> None:
    twice = [(9.0, 90), (9.1, 20), (9.2, 40), (9.3, 25), (9.4, 30)]
    assert Watched(twice[1:], [], most=3).shrunk(9.0, 10.0) == Shrunk(0, 0)
    gone = [*twice, (9.5, 40), (9.6, 12), (9.7, 45), (9.8, 50), (9.9, 44)]
    seen = Watched(gone, [], most=3)
    assert seen.shrunk(9.25, 9.65) == Shrunk(frames=1, letters=18)
    assert seen.shrunk(9.25, 10.0) == Shrunk(frames=2, letters=18)


def test_the_worst_second_is_found_wherever_it_begins() -> None:
    came = [(0.0, 5), (0.75, 6), (1.5, 20), (1.625, 1), (1.75, 40), (9.0, 60)]
    assert most_within(came) == 61  # the last of it is a second behind the 6
    assert most_within((when, 1) for when, _ in came) == 3
    assert most_within(came, 2.0) == 72
    assert most_within(came[:2]) == 11
    assert most_within([]) == 0


def _draw(when: float, output: str, markdown: str, *, again: bool) -> IOPubMessage:
    content = {
        "data": {"text/markdown": markdown},
        "transient": {"display_id": output} if output else {},
    }
    kind = "update_display_data" if again else "display_data"
    return IOPubMessage(when, len(markdown), kind, content)


def _cleared(when: float) -> IOPubMessage:
    return IOPubMessage(when, 9, "clear_output", {"wait": True})


_SAID = """Look:

```python
first = 1
second = 2
```

| a | b |
|---|---|
| 1 | 2 |
"""


def test_of_an_answer_that_grows_in_several_outputs_each_letter_counts_once() -> None:
    messages = [
        _draw(0, "one", "<sub>waiting</sub>", again=False),
        _draw(1, "one", "Look:\n\n```python\nfirst = 1\n```\n", again=True),
        _draw(2, "two", "```python\nsec\n```\n", again=False),  # goes on in the block
        _draw(3, "one", "Look:\n\n```python\nfirst = 1\nsec\n```\n", again=True),
        _draw(4, "two", "```python\nond = 2\n```\n", again=True),
        _draw(5, "three", "| a | b |\n|---|---|\n", again=False),
        _draw(6, "four", "| a | b |\n|---|---|\n| 1 |", again=False),
        _cleared(7),
        _draw(8, "", f"{_SAID}\n<sub>a footer</sub>", again=False),
    ]
    lengths = [("Lookpythonfirst1", 1), ("sec", 2), ("ond2", 4), ("ab", 5), ("1", 6)]
    letters = 0
    for (text, when), shown in zip(
        [*lengths, ("2", 8)], shown_of(_SAID, messages), strict=True
    ):
        letters += len(text)
        assert shown == Shown(when, letters)


def test_an_answer_of_which_some_was_never_shown_is_not_measured() -> None:
    gap = [
        _draw(1, "one", "Look:\n", again=False),
        _draw(2, "two", "```python\nsecond = 2\n```\n", again=False),
    ]
    with pytest.raises(RuntimeError, match="10 of 27 letters"):
        shown_of(_SAID, gap)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_part_of_an_answer_stands_in_it_twice(shape: str) -> None:
    text = letters_of("".join(answer(shape, 8000)))
    parts = [text[start : start + 120] for start in range(len(text) - 120)]
    assert len(set(parts)) == len(parts)


def test_what_is_taken_away_counts_but_not_what_goes_to_another_output() -> None:
    said = "One two three four.\n"
    moved = [
        _draw(1, "one", "One two", again=False),
        _draw(2, "two", "three", again=False),
        _draw(3, "one", "One two three", again=True),  # it stands in both
        _draw(4, "two", "fo", again=True),
    ]
    assert taken_away(said, moved) == []
    cut = [
        *moved[:2],
        _draw(3, "two", "", again=True),
        _draw(4, "two", "th", again=True),
        _draw(5, "two", "three four.", again=True),
        _cleared(6),
        _draw(7, "", said, again=False),
    ]
    assert taken_away(said, cut) == [5, 3]


def test_what_comes_within_a_frame_is_seen_as_one_update() -> None:
    grown = [Shown(1.0, 5), Shown(1.001, 9), Shown(1.25, 10), Shown(1.5, 12)]
    assert seen_apart(grown) == [grown[0], *grown[2:]]
    assert longest_pause(grown[2:]) == 0.25
    assert longest_pause(grown[:1]) == 0


def test_the_stand_in_is_taken_for_each_dialect_where_it_speaks_it() -> None:
    with speaking() as speaker:
        found = {
            spoken: detect(Endpoint(speaker.url + path)).dialect
            for spoken, path in PATHS.items()
        }
    assert found == {"OpenAI": "openai", "gpt-gm": "gpt-gm"}


def test_what_is_sent_arrives_after_what_was_sent_before_it_at_the_links_rate() -> None:
    pace = Pace(delay=0.5, rate=1024)
    assert pace.arrival(10.0, 256) == 10.75  # a quarter to set out, a half on its way
    assert pace.arrival(10.0, 1024) == 11.75  # sets out behind the first
    assert pace.arrival(10.5, 512) == 12.25  # and so does what is sent meanwhile
    assert pace.arrival(10.5, 0) == 12.25  # an end passes nothing
    assert pace.arrival(20.0, 1024) == 21.5  # nothing is saved up while it rests


class _Repeat(socketserver.StreamRequestHandler):
    """Says twice, at the end, what it was told."""

    def handle(self) -> None:
        told = self.rfile.read()
        self.wfile.write(told + told)


@pytest.fixture
def repeater() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Repeat) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def _address(url: str) -> tuple[str, int]:
    return "127.0.0.1", int(url.rsplit(":", 1)[1])


def test_all_passes_a_link_both_ways_and_it_notes_what_came_when(repeater: str) -> None:
    told = bytes(range(256)) * 1000
    with slow_link(repeater, delay=0.001, rate=1e9) as link:
        with socket.create_connection(_address(link.url)) as client:
            client.sendall(told)
            client.shutdown(socket.SHUT_WR)
            with client.makefile("rb") as answer:
                assert answer.read() == told + told
        arrivals = link.arrivals(told[-1000:] + told)
        with pytest.raises(ValueError, match="has not come"):
            link.arrivals(told * 3)
        link.forget()
        with pytest.raises(ValueError, match="has not come"):
            link.arrivals(told)
    assert arrivals == sorted(arrivals)
    assert arrivals[-1][1] == len(told) + 1000
    assert len(arrivals) > len(told) // 1460  # in packets, not in one piece


def test_a_link_ends_with_its_connections(repeater: str) -> None:
    with slow_link(repeater, delay=60, rate=1) as link:
        client = socket.create_connection(_address(link.url))
        client.sendall(b"never arrives")
    with client:
        try:
            came = client.recv(1)
        except ConnectionResetError:
            came = b""
    assert came == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(_address(link.url))
    assert "slow-link" not in {thread.name for thread in threading.enumerate()}


def test_each_token_is_late_by_what_lies_between_its_last_byte_and_its_text() -> None:
    tokens = ["One ", "- ", "two ", "three"]
    parts = [b"12345678", b"1234", b"12345678", b"12345678", b"end"]
    # The third token's last byte comes with the second packet, the others' with theirs.
    arrivals = [(1.0, 10), (2.0, 20), (3.0, 31)]
    grown = [Shown(1.25, 3), Shown(3.5, 11)]
    assert behind(tokens, parts, arrivals, grown) == [250.0, 1500.0, 500.0]


def test_many_streams_are_all_whole_and_their_gaps_measured() -> None:
    bars = asyncio.run(many_streams.measure(10, rate=20, tokens=10))
    figures = {bar.name: bar.value for bar in bars}
    assert figures["streams with an error"] == 0
    # Nothing can be written faster than the engine writes; reads may be late.
    assert figures["gap between tokens, median"] > 0


def test_both_servers_are_measured_on_the_same_work() -> None:
    bars = asyncio.run(beside_engine.measure(1))
    assert [bar.unit for bar in bars] == ["ratio"] * 4 + ["ms"]
    assert all(bar.value > 0 for bar in bars[:3])


def test_a_folder_of_as_many_answers_as_asked_for_is_measured_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(replay, "_PEERS", 20)
    monkeypatch.setattr(replay, "_AT_ONCE", 50)
    monkeypatch.setattr(replay, "_COMPARED", 20)
    found: list[int] = []
    monkeypatch.setattr(
        replay,
        "_measured",
        lambda path, *how, measured=replay._measured: (
            found.append(len(list(AnswerFolder(path).keys()))) or measured(path, *how)
        ),
    )
    bars = list(replay.measure(Options(rounds=1, answers=50)))
    assert found == [20 + 1, 50 + 1]
    assert [bar.name for bar in bars if bar.name.startswith("50 answers: look-up")] == [
        "50 answers: look-up of a stored one",
        "50 answers: look-up of a missing one",
    ]
    assert all(bar.measured and bar.most for bar in bars)
    assert list(tmp_path.iterdir()) == []
