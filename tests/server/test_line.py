"""A bounded number of answers may wait; the places are given back."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from h2o_magic.server.line import Line, OverloadedError


def test_slots_and_queue_together_are_the_bound() -> None:
    line = Line(slots=2, queue=1)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(line.place("a"))
        assert line.under_way == 3
        with pytest.raises(OverloadedError), line.place("a"):
            pass
        assert line.under_way == 3
    assert line.under_way == 0
    with line.place("a"):
        assert line.under_way == 1


def test_each_model_has_its_slots_and_all_share_the_queue() -> None:
    line = Line(slots=1, queue=1)
    with line.place("a"), line.place("a"), line.place("b"):
        for model in ("a", "b"):
            with pytest.raises(OverloadedError), line.place(model):
                pass
        with line.place("c"):
            assert line.under_way == 4


def test_without_a_queue_only_the_slots_count() -> None:
    line = Line(slots=1, queue=0)
    with line.place("a"), pytest.raises(OverloadedError), line.place("a"):
        pass
    with line.place("a"):
        pass


def test_who_waits_for_the_end_is_told() -> None:
    async def run() -> None:
        line = Line(slots=1, queue=0)
        await line.until_empty()
        with line.place("a"):
            waiting = asyncio.ensure_future(line.until_empty())
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting

    asyncio.run(run())


def test_stopping_cancels_what_may_be_stopped() -> None:
    async def run() -> None:
        line = Line(slots=1, queue=0)

        async def answer() -> None:
            with line.stopping.stoppable():
                await asyncio.Event().wait()

        task = asyncio.ensure_future(answer())
        await asyncio.sleep(0)
        line.stopping.stop()
        with pytest.raises(asyncio.CancelledError):
            await task
        line.stopping.stop()

    asyncio.run(run())
