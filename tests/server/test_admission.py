"""Slots and memory are given out in order of arrival."""

from __future__ import annotations

import asyncio

from h2o_magic.server.engine import Admission


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_slots_are_limited() -> None:
    async def run() -> None:
        gate = Admission(2, 100)
        await gate.enter(1)
        await gate.enter(1)
        third = asyncio.ensure_future(gate.enter(1))
        await settle()
        assert (gate.taken, third.done()) == (2, False)
        gate.leave(1)
        await third
        assert gate.taken == 2

    asyncio.run(run())


def test_memory_is_limited() -> None:
    async def run() -> None:
        gate = Admission(4, 100)
        await gate.enter(60)
        waiting = asyncio.ensure_future(gate.enter(60))
        await settle()
        assert not waiting.done()
        gate.leave(60)
        await waiting

    asyncio.run(run())


def test_a_small_one_does_not_overtake_a_big_one() -> None:
    async def run() -> None:
        gate = Admission(4, 100)
        await gate.enter(60)
        big = asyncio.ensure_future(gate.enter(60))
        await settle()
        small = asyncio.ensure_future(gate.enter(1))
        await settle()
        assert not small.done()
        gate.leave(60)
        await big
        await small

    asyncio.run(run())


def test_who_waits_can_leave_the_line() -> None:
    async def run() -> None:
        gate = Admission(1, 10)
        await gate.enter(1)
        first, second = (asyncio.ensure_future(gate.enter(1)) for _ in range(2))
        await settle()
        first.cancel()
        await settle()
        gate.leave(1)
        await second
        assert gate.taken == 1

    asyncio.run(run())
