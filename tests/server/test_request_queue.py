"""Clients are served in turn, and what does not fit waits without being overtaken."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.server.request_queue import OverloadedError, RequestQueue


class Asked:
    """A request that is in the queue, or has its place until it is told to end."""

    def __init__(
        self, queue: RequestQueue, client: str, slots: int = 1, tokens: int = 0
    ) -> None:
        self.client = client
        self._runs = False
        self._end = asyncio.Event()
        self._task = asyncio.ensure_future(self._hold(queue, slots, tokens))

    def runs(self) -> bool:
        return self._runs

    async def _hold(self, queue: RequestQueue, slots: int, tokens: int) -> None:
        async with queue.place(self.client, slots=slots, tokens=tokens):
            self._runs = True
            await self._end.wait()

    async def end(self) -> None:
        self._end.set()
        await self._task
        await settled()

    async def leave(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await settled()

    async def failure(self) -> BaseException | None:
        await asyncio.wait({self._task})
        return self._task.exception()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def order_of(waiting: list[Asked], first: Asked) -> list[str]:
    """End one after the other; return the clients in the order of their turns."""
    order, running = [], first
    left = list(waiting)
    while left:
        await running.end()
        (running,) = [asked for asked in left if asked.runs()]
        left.remove(running)
        order.append(running.client)
    await running.end()
    return order


def test_clients_are_served_in_turn_whoever_asked_first() -> None:
    async def test() -> None:
        queue = RequestQueue(1, 0, 64)
        first = Asked(queue, "a")
        await settled()
        waiting = [Asked(queue, client) for client in "aaabbc"]
        await settled()
        assert await order_of(waiting, first) == list("abcaba")
        assert (queue.running, queue.waiting) == (0, 0)

    run(test())


def test_many_requests_of_one_client_delay_another_by_one_turn_at_most() -> None:
    async def test() -> None:
        queue = RequestQueue(1, 0, 64)
        first = Asked(queue, "many")
        await settled()
        waiting = [Asked(queue, "many") for _ in range(64)]
        await settled()
        waiting += [Asked(queue, "one"), Asked(queue, "one")]
        await settled()
        order = await order_of(waiting, first)
        places = [place for place, client in enumerate(order) if client == "one"]
        assert places == [1, 3]

    run(test())


def test_one_client_with_many_gets_every_slot_that_nobody_else_wants() -> None:
    async def test() -> None:
        queue = RequestQueue(4, 0, 64)
        asked = [Asked(queue, "many") for _ in range(10)]
        await settled()
        assert [a.runs() for a in asked] == [True] * 4 + [False] * 6
        assert (queue.running, queue.waiting, queue.is_full) == (4, 6, True)
        other = Asked(queue, "one")
        await settled()
        await asked[0].end()
        await asked[1].end()
        assert other.runs()

    run(test())


def test_who_gives_up_waiting_gives_its_place_back() -> None:
    async def test() -> None:
        queue = RequestQueue(1, 0, 1)
        first = Asked(queue, "a")
        await settled()
        leaving = Asked(queue, "b")
        await settled()
        await leaving.leave()
        assert (queue.running, queue.waiting) == (1, 0)
        second = Asked(queue, "b")
        await settled()
        await first.end()
        assert second.runs()
        await second.end()
        assert (queue.running, queue.waiting, queue.is_full) == (0, 0, False)

    run(test())


def test_who_gives_up_in_the_moment_of_its_turn_blocks_nobody() -> None:
    async def test() -> None:
        queue = RequestQueue(1, 0, 8)
        first = Asked(queue, "a")
        await settled()
        leaving, next_one = Asked(queue, "b"), Asked(queue, "c")
        await settled()
        first._end.set()  # and it leaves before any of them goes on
        leaving._task.cancel()
        await settled()
        assert next_one.runs()
        await next_one.end()
        assert queue.running == 0

    run(test())


def test_who_needs_more_memory_than_is_free_is_not_overtaken() -> None:
    async def test() -> None:
        queue = RequestQueue(4, 100, 8)
        first = Asked(queue, "a", tokens=60)
        await settled()
        large, small = Asked(queue, "b", tokens=80), Asked(queue, "c", tokens=10)
        await settled()
        assert (large.runs(), small.runs()) == (False, False)
        await first.end()
        assert (large.runs(), small.runs()) == (True, True)

    run(test())


def test_the_next_in_turn_follows_when_a_large_one_gives_up() -> None:
    async def test() -> None:
        queue = RequestQueue(4, 100, 8)
        first = Asked(queue, "a", tokens=60)
        await settled()
        large, small = Asked(queue, "b", tokens=80), Asked(queue, "c", tokens=10)
        await settled()
        await large.leave()
        assert small.runs()
        await first.end()
        await small.end()

    run(test())


def test_who_needs_more_than_there_is_gets_everything_alone() -> None:
    async def test() -> None:
        queue = RequestQueue(2, 100, 8)
        first = Asked(queue, "a", tokens=1)
        await settled()
        huge = Asked(queue, "b", slots=9, tokens=1000)
        await settled()
        assert not huge.runs()
        await first.end()
        assert huge.runs()
        other = Asked(queue, "a", tokens=1)
        await settled()
        assert not other.runs()
        await huge.end()
        assert other.runs()

    run(test())


def test_several_slots_are_taken_and_given_back_together() -> None:
    async def test() -> None:
        queue = RequestQueue(4, 0, 8)
        three, two, one = (
            Asked(queue, client, slots=count)
            for client, count in (("a", 3), ("b", 2), ("c", 1))
        )
        await settled()
        assert (three.runs(), two.runs(), one.runs()) == (True, False, False)
        await three.end()
        assert (two.runs(), one.runs(), queue.running) == (True, True, 3)

    run(test())


def test_more_of_one_client_than_may_wait_are_refused_and_others_are_not() -> None:
    async def test() -> None:
        queue = RequestQueue(1, 0, 2)
        first = Asked(queue, "a")
        await settled()
        waiting = [Asked(queue, "a"), Asked(queue, "a")]
        refused = Asked(queue, "a")
        assert isinstance(await refused.failure(), OverloadedError)
        other = Asked(queue, "b")
        await settled()
        assert queue.waiting == 3
        await first.end()
        assert waiting[0].runs()
        assert not other.runs()
        again = Asked(queue, "a")
        await settled()
        assert queue.waiting == 3
        await waiting[0].end()
        assert other.runs()
        assert not again.runs()

    run(test())


def test_where_nobody_may_wait_a_free_slot_is_still_taken() -> None:
    async def test() -> None:
        queue = RequestQueue(1, 0, 0)
        first = Asked(queue, "a")
        await settled()
        assert first.runs()
        assert isinstance(await Asked(queue, "a").failure(), OverloadedError)
        assert isinstance(await Asked(queue, "b").failure(), OverloadedError)
        await first.end()
        last = Asked(queue, "b")
        await settled()
        assert last.runs()

    run(test())


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "end", "leave"]),
        st.sampled_from("abc"),
        st.integers(1, 3),
        st.integers(0, 60),
    ),
    max_size=60,
)


@given(_STEPS)
def test_whatever_happens_everything_is_given_back(
    steps: list[tuple[str, str, int, int]],
) -> None:
    async def test() -> None:
        queue, alive = RequestQueue(3, 100, 4), list[Asked]()
        for action, client, slots, tokens in steps:
            if action == "ask":
                alive.append(Asked(queue, client, slots, tokens))
                await settled()
                alive = [a for a in alive if a.runs() or not a._task.done()]
            elif action == "end" and (running := [a for a in alive if a.runs()]):
                alive.remove(running[slots % len(running)])
                await running[slots % len(running)].end()
            elif action == "leave" and alive:
                await alive.pop(tokens % len(alive)).leave()
            assert 0 <= queue.running <= queue.slots
            assert queue.waiting == sum(not a.runs() for a in alive)
            assert alive == [] or any(a.runs() for a in alive), "nobody can go on"
        while alive:
            running = [a for a in alive if a.runs()]
            alive.remove(running[0])
            await running[0].end()
        assert (queue.running, queue.waiting, queue.is_full) == (0, 0, False)
        whole = Asked(queue, "a", 3, 100)
        await settled()
        assert whole.runs()
        await whole.end()

    run(test())
