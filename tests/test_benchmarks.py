"""The benchmarks run, count right, and hold figures to their bars."""

from __future__ import annotations

import asyncio
import json

from benchmarks.apparatus.watching import Watched
from benchmarks.bars import Bar, table
from benchmarks.server import beside_engine, many_streams


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


def test_of_what_a_page_shows_only_what_came_in_the_time_counts() -> None:
    frames = [(9.0, 0), (10.5, 20), (11.0, 15), (11.5, 30), (12.2, 40), (13.0, 40)]
    tasks = [(9.5, 300.0), (11.0, 60.0), (11.5, 80.0), (12.1, 200.0)]
    seen = Watched(frames, tasks, most=3)
    assert seen.letters == 40
    assert seen.whole == 12.2
    assert seen.updates(10.0, 12.0) == 1.0
    assert seen.longest_task(10.0, 12.0) == 80.0
    assert seen.longest_task(14.0, 15.0) == 0


def test_many_streams_are_all_whole_and_their_gaps_measured() -> None:
    bars = asyncio.run(many_streams.measure(10, rate=200, tokens=30))
    figures = {bar.name: bar.value for bar in bars}
    assert figures["streams with an error"] == 0
    # Nothing can be written faster than the engine writes; reads may be late.
    assert figures["gap between tokens, median"] > 0


def test_both_servers_are_measured_on_the_same_work() -> None:
    bars = asyncio.run(beside_engine.measure(1))
    assert [bar.unit for bar in bars] == ["ratio", "ratio", "ms"]
    assert all(bar.value > 0 for bar in bars[:2])
