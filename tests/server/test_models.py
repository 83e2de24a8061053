"""Models in memory: as many as the budget holds, and how much each may take."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from h2o_magic.errors import ConfigurationError
from h2o_magic.server.engine_process import Engine
from h2o_magic.server.models import Load, Models
from h2o_magic.weights.files import Weights
from h2o_magic.weights.memory import MemoryPlan, memory_needed, plan_memory
from tests.server.engines import Script, real_models
from tests.server.tiny_gguf import write_llama

NAMES = ("a", "b", "c", "demo")
PLENTY = 2**40


async def use(
    models: Models, weights: Weights, tell: Callable[[str], None] = lambda _: None
) -> None:
    async with models.use(weights, tell=tell):
        pass


def need(weights: Weights) -> int:
    """Return the memory that a model takes with two slots."""
    return memory_needed(weights.path, plan_memory(weights.path, 2, PLENTY))


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to hold")


async def no_answer(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPNotFound


def models_of(load: Load | None = None, *, memory: int | None = None) -> Models:
    """Return models with two slots, and engines without weights unless given."""
    return Models(2, load or Script(no_answer).load(2), memory=memory)


class Held:
    """Loads models only when it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.loads: list[Path] = []

    async def load(self, weights: Weights, plan: MemoryPlan) -> Engine:
        self.loads.append(weights.path)
        await self.open.wait()
        return await Script(no_answer).load()(weights, plan)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    return {name: write_llama(folder / f"{name}.gguf") for name in NAMES}


@pytest.fixture
def weights(paths: dict[str, Path]) -> dict[str, Weights]:
    return {name: Weights(name, name, p, name == "demo") for name, p in paths.items()}


def test_a_model_is_loaded_once(weights: dict[str, Weights]) -> None:
    async def run() -> None:
        models = models_of()
        async with models.use(weights["a"]) as first:
            pass
        async with models.use(weights["a"]) as second:
            assert first is second
        assert models.loaded == ["a"]
        await models.close()
        assert models.loaded == []

    asyncio.run(run())


def test_a_file_that_was_exchanged_answers_from_then_on(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf")
    wanted = Weights("m", "m", path)

    async def first_tokens(engine: Engine) -> Any:
        asked = {"prompt": "he", "n_predict": 9, "temperature": 0}
        return (await engine.call("POST", "/completion", asked))["content"]

    async def run() -> None:
        models = real_models(2)
        async with models.use(wanted) as first, models.use(wanted) as same:
            assert first is same
            written = await first_tokens(first)
            # As long as before, and with its time: only the file is another one.
            other = write_llama(tmp_path / "other.gguf", seed=1)
            times = path.stat().st_atime_ns, path.stat().st_mtime_ns
            os.utime(other, ns=times)
            other.replace(path)
            async with models.use(wanted) as second:
                assert second is not first
                assert await first_tokens(second) != written
                assert models.memory_taken == 2 * need(wanted)
                assert models.loaded == ["m"]
            assert not await models.unload(path)
            # Who still uses the old one keeps it.
            assert await first_tokens(first) == written
        write_llama(path, layers=2)
        async with models.use(wanted):
            assert models.memory_taken == need(wanted)
        assert await models.unload(path)
        assert models.memory_taken == 0
        await models.close()

    asyncio.run(run())


def test_models_that_fit_together_stay(weights: dict[str, Weights]) -> None:
    async def run() -> None:
        models = models_of(memory=2 * need(weights["a"]))
        for name in ("a", "demo", "b"):
            async with models.use(weights[name]):
                pass
        assert models.loaded == ["a", "b", "demo"]
        assert models.memory_taken == 2 * need(weights["a"])
        await models.close()
        assert models.memory_taken == 0

    asyncio.run(run())


def test_who_was_not_used_for_longest_makes_room_and_demos_stay(
    weights: dict[str, Weights],
) -> None:
    async def run() -> None:
        models = models_of(memory=2 * need(weights["a"]))
        for name in ("a", "b", "demo", "a", "c"):
            async with models.use(weights[name]):
                pass
        assert models.loaded == ["a", "c", "demo"]
        await models.close()

    asyncio.run(run())


def test_one_in_use_is_not_taken_away(
    weights: dict[str, Weights], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h2o_magic.server.models.TINY_FILE", 0)
    said: list[str] = []

    async def run() -> None:
        models = models_of(memory=need(weights["a"]))
        async with models.use(weights["a"]):
            other = asyncio.ensure_future(use(models, weights["b"], said.append))
            await until(lambda: bool(said))
            assert models.loaded == ["a"]
            # Demo weights do not wait with it.
            await use(models, weights["demo"])
        await other
        assert models.loaded == ["b", "demo"]
        await models.close()

    asyncio.run(run())
    waiting, loading, taken_back = said
    assert waiting == "Waiting for memory used by a"
    assert loading.startswith("Loading b, ")
    assert taken_back == ""


def test_two_that_do_not_fit_are_never_held_together(
    weights: dict[str, Weights],
) -> None:
    """However many ask for them at once, and each gets what it asked for."""
    held: set[Path] = set()
    most: list[int] = []

    async def load(weights: Weights, plan: MemoryPlan) -> Engine:
        held.add(weights.path)
        most.append(len(held))
        engine = await Script(no_answer).load()(weights, plan)
        close = engine.close

        async def counted() -> None:
            await close()
            held.discard(weights.path)

        engine.close = counted  # type: ignore[method-assign]
        return engine

    async def ask(models: Models, wanted: Weights) -> None:
        async with models.use(wanted) as engine:
            assert engine.name == wanted.model
            await asyncio.sleep(0)

    async def run() -> None:
        models = models_of(load, memory=need(weights["a"]))
        asked = [weights["ab"[number % 2]] for number in range(12)]
        await asyncio.gather(*(ask(models, wanted) for wanted in asked))
        await models.close()

    asyncio.run(run())
    assert set(most) == {1}


def test_who_waits_for_room_is_not_passed_by(weights: dict[str, Weights]) -> None:
    order: list[str] = []

    async def ask(models: Models, name: str) -> None:
        async with models.use(weights[name]):
            order.append(name)

    async def run() -> None:
        models = models_of(memory=need(weights["a"]))
        async with models.use(weights["a"]):
            first = asyncio.ensure_future(ask(models, "b"))
            await until(lambda: models._crowded)
            second = asyncio.ensure_future(ask(models, "a"))
            await asyncio.sleep(0.01)
            assert order == []
        await asyncio.gather(first, second)
        await models.close()

    asyncio.run(run())
    assert order == ["b", "a"]


def test_a_model_that_can_never_fit_is_refused_with_the_figures(
    weights: dict[str, Weights],
) -> None:
    async def run() -> None:
        models = models_of(memory=400_000)
        with pytest.raises(ConfigurationError) as caught:
            await use(models, weights["a"])
        # The file, and the shortest context of use: 1,024 tokens of 256 bytes.
        size = weights["a"].size + 1024 * 256
        assert str(caught.value) == (
            f"a.gguf can never fit: it needs {size / 1e3:.0f} KB of memory for "
            "weights and context, and models may use 400 KB: choose a smaller one, or "
            "raise the limit with `h2o-magic serve --memory`"
        )
        await use(models, weights["demo"])
        await models.close()

    asyncio.run(run())


def test_at_the_end_what_is_being_loaded_is_given_up_and_nothing_more_is_loaded(
    weights: dict[str, Weights],
) -> None:
    async def run() -> None:
        held = Held()
        models = models_of(held.load)
        asked = [asyncio.ensure_future(use(models, weights[name])) for name in "ab"]
        await until(lambda: held.loads == [weights["a"].path])
        await models.close()
        for request in asked:
            with pytest.raises(ConfigurationError, match="the server is shutting down"):
                await request
        assert held.loads == [weights["a"].path]
        assert models.loaded == []

    asyncio.run(run())


def test_who_waits_for_memory_at_the_end_gets_nothing_loaded(
    weights: dict[str, Weights],
) -> None:
    async def run() -> None:
        models = models_of(memory=need(weights["a"]))
        async with models.use(weights["a"]):
            waiting = asyncio.ensure_future(use(models, weights["b"]))
            await until(lambda: models._crowded)
            closing = asyncio.ensure_future(models.close())
            await asyncio.sleep(0.01)
        with pytest.raises(ConfigurationError, match="the server is shutting down"):
            await waiting
        await closing
        assert models.loaded == []

    asyncio.run(run())


def test_one_in_use_cannot_be_unloaded(weights: dict[str, Weights]) -> None:
    async def run() -> None:
        models = models_of()
        path = weights["a"].path
        assert await models.unload(path)
        async with models.use(weights["a"]):
            assert not await models.unload(path)
        assert await models.unload(path)
        assert models.loaded == []

    asyncio.run(run())


def test_what_was_asked_for_under_two_names_is_one(weights: dict[str, Weights]) -> None:
    async def run() -> None:
        models = models_of()
        other_name = Weights("z", "z", weights["demo"].path, demo=True)
        async with models.use(weights["demo"]), models.use(other_name):
            assert models.loaded == ["demo", "z"]
        await models.close()

    asyncio.run(run())


def test_who_leaves_while_it_loads_leaves_it_loaded(
    weights: dict[str, Weights],
) -> None:
    async def run() -> None:
        held = Held()
        models = models_of(held.load, memory=need(weights["a"]))
        first = asyncio.ensure_future(use(models, weights["a"]))
        await until(lambda: bool(held.loads))
        first.cancel()
        second = asyncio.ensure_future(use(models, weights["a"]))
        await asyncio.sleep(0.02)
        held.open.set()
        await second
        assert held.loads == [weights["a"].path]
        # Nobody uses it any more, so another one can take its place.
        async with models.use(weights["b"]):
            assert models.loaded == ["b"]
        await models.close()

    asyncio.run(run())


def test_who_leaves_while_it_fails_to_load_harms_nobody(
    weights: dict[str, Weights],
) -> None:
    async def run() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def load(_weights: Weights, _plan: MemoryPlan) -> Engine:
            begun.set()
            await go_on.wait()
            raise ConfigurationError("broken")

        models = models_of(load)
        first = asyncio.ensure_future(use(models, weights["a"]))
        await begun.wait()
        first.cancel()
        go_on.set()
        with pytest.raises(ConfigurationError, match="broken"):
            await use(models, weights["a"])

    asyncio.run(run())


def test_demo_weights_wait_for_no_other_model_to_be_loaded(
    weights: dict[str, Weights],
) -> None:
    async def run() -> None:
        held = Held()
        free = Script(no_answer).load()

        async def load(of: Weights, plan: MemoryPlan) -> Engine:
            return await (free if of.demo else held.load)(of, plan)

        models = models_of(load)
        first = asyncio.ensure_future(use(models, weights["a"]))
        await until(lambda: bool(held.loads))
        await use(models, weights["demo"])
        # What comes to be loaded is still known as such.
        assert not await models.unload(weights["a"].path)
        held.open.set()
        await first
        await models.close()

    asyncio.run(run())


def test_one_that_cannot_be_loaded_is_an_error_each_time(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"broken")

    async def run() -> None:
        models = real_models()
        for _ in range(2):
            with pytest.raises(ConfigurationError):
                async with models.use(Weights("x", "x", path)):
                    pass
        assert models.loaded == []

    asyncio.run(run())


def test_a_small_model_gets_a_whole_context_for_each_slot(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf", context=2048)
    cache = 8192 * 256
    assert plan_memory(path, 4, PLENTY) == MemoryPlan(4, 2048, 8192, 1, cache)


def test_a_long_context_is_not_set_up_whole(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf", context=10**6)
    cache = 16384 * 256
    assert plan_memory(path, 2, PLENTY) == MemoryPlan(2, 8192, 16384, 1, cache)


def test_the_slots_of_a_big_model_share_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_llama(tmp_path / "m.gguf", context=1000)
    # A token takes 1 layer x 64 wide x keys and values x 2 bytes = 256 bytes.
    monkeypatch.setattr("h2o_magic.weights.memory._CACHE_MEMORY", 600_000)
    monkeypatch.setattr("h2o_magic.weights.memory.TINY_FILE", 0)
    assert plan_memory(path, 4, PLENTY) == MemoryPlan(4, 1000, 2000, None, 2000 * 256)
    monkeypatch.setattr("h2o_magic.weights.memory._CACHE_MEMORY", 1)
    assert plan_memory(path, 4, PLENTY).capacity == 1000


def test_where_memory_is_short_slots_share_and_then_the_context_is_shorter(
    tmp_path: Path,
) -> None:
    path = write_llama(tmp_path / "m.gguf", context=4096)
    size = path.stat().st_size
    assert plan_memory(path, 4, size + 2 * 4096 * 256) == MemoryPlan(4, 4096, 8192, 1)
    assert plan_memory(path, 4, size + 3000 * 256) == MemoryPlan(4, 3000, 3000, 1)
    assert plan_memory(path, 4, size + 1024 * 256) == MemoryPlan(4, 1024, 1024, 1)
    with pytest.raises(ConfigurationError, match="can never fit"):
        plan_memory(path, 4, size + 1023 * 256)


def test_earlier_prompts_are_kept_where_the_longest_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_llama(tmp_path / "m.gguf", context=4096)
    context, size = 4096 * 256, path.stat().st_size
    assert plan_memory(path, 1, size + 2 * context).prompt_cache == context
    assert plan_memory(path, 1, size + 2 * context - 1).prompt_cache == 0
    monkeypatch.setattr("h2o_magic.weights.memory._PROMPT_CACHE", context - 1)
    assert plan_memory(path, 1, PLENTY).prompt_cache == 0


def test_what_a_room_takes_is_within_the_memory_it_was_made_for(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf", context=4096)
    least = path.stat().st_size + 1024 * 256
    for memory in range(least, least + 6_000_000, 99_991):
        assert memory_needed(path, plan_memory(path, 4, memory)) <= memory
