"""Models in memory: demos stay, of others there is one."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from h2o_magic.errors import ConfigurationError
from h2o_magic.server.engine import Engine, Room
from h2o_magic.server.models import Models, room_for
from h2o_magic.server.weights import Weights
from tests.server.tiny_gguf import write_llama


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    return {name: write_llama(folder / f"{name}.gguf") for name in ("a", "b", "demo")}


@pytest.fixture
def weights(paths: dict[str, Path]) -> dict[str, Weights]:
    return {name: Weights(name, name, p, name == "demo") for name, p in paths.items()}


def test_a_model_is_loaded_once(weights: dict[str, Weights]) -> None:
    async def run() -> None:
        models = Models(2)
        async with models.use(weights["a"]) as first:
            pass
        async with models.use(weights["a"]) as second:
            assert first is second
        assert models.loaded == ["a"]
        await models.close()
        assert models.loaded == []

    asyncio.run(run())


def test_another_big_one_takes_the_place_and_demos_stay(
    weights: dict[str, Weights],
) -> None:
    async def run() -> None:
        models = Models(2)
        for name in ("a", "demo", "b"):
            async with models.use(weights[name]):
                pass
        assert models.loaded == ["b", "demo"]
        await models.close()

    asyncio.run(run())


def test_one_in_use_is_not_taken_away(weights: dict[str, Weights]) -> None:
    async def use(models: Models, name: str) -> None:
        async with models.use(weights[name]):
            pass

    async def run() -> None:
        models = Models(2)
        async with models.use(weights["a"]):
            other = asyncio.ensure_future(use(models, "b"))
            await asyncio.sleep(0.05)
            assert models.loaded == ["a"]
            assert not other.done()
        await other
        assert models.loaded == ["b"]
        await models.close()

    asyncio.run(run())


def test_what_was_asked_for_under_two_names_is_one(weights: dict[str, Weights]) -> None:
    async def run() -> None:
        models = Models(2)
        other_name = Weights("z", "z", weights["demo"].path, demo=True)
        async with models.use(weights["demo"]), models.use(other_name):
            assert models.loaded == ["demo", "z"]
        await models.close()

    asyncio.run(run())


def test_who_leaves_while_it_loads_leaves_it_loaded(
    weights: dict[str, Weights],
) -> None:
    begin = threading.Event()
    loads: list[Path] = []

    def load(path: Path, room: Room) -> Engine:
        loads.append(path)
        begin.wait(10)
        return Engine(path, room)

    async def use(models: Models) -> None:
        async with models.use(weights["a"]):
            pass

    async def run() -> None:
        models = Models(2, load=load)
        first = asyncio.ensure_future(use(models))
        await asyncio.sleep(0.02)
        first.cancel()
        second = asyncio.ensure_future(use(models))
        await asyncio.sleep(0.02)
        begin.set()
        await second
        assert loads == [weights["a"].path]
        # Nobody uses it any more, so another one can take its place.
        async with models.use(weights["b"]):
            assert models.loaded == ["b"]
        await models.close()

    asyncio.run(run())


def test_who_leaves_while_it_fails_to_load_harms_nobody(
    weights: dict[str, Weights],
) -> None:
    begin = threading.Event()

    def load(_path: Path, _room: Room) -> Engine:
        begin.wait(10)
        raise ConfigurationError("broken")

    async def use(models: Models) -> None:
        async with models.use(weights["a"]):
            pass

    async def run() -> None:
        models = Models(2, load=load)
        first = asyncio.ensure_future(use(models))
        await asyncio.sleep(0.02)
        first.cancel()
        begin.set()
        with pytest.raises(ConfigurationError, match="broken"):
            await use(models)

    asyncio.run(run())


def test_one_that_cannot_be_loaded_is_an_error_each_time(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"broken")

    async def run() -> None:
        models = Models(2)
        for _ in range(2):
            with pytest.raises(ConfigurationError):
                async with models.use(Weights("x", "x", path)):
                    pass
        assert models.loaded == []

    asyncio.run(run())


def test_a_small_model_gets_a_whole_context_for_each_slot(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf", context=2048)
    assert room_for(path, 4) == Room(4, 2048, 8192, threads=1)


def test_a_long_context_is_not_set_up_whole(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf", context=10**6)
    assert room_for(path, 2) == Room(2, 8192, 16384, threads=1)


def test_the_slots_of_a_big_model_share_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_llama(tmp_path / "m.gguf", context=1000)
    # A token takes 1 layer x 64 wide x keys and values x 2 bytes = 256 bytes.
    monkeypatch.setattr("h2o_magic.server.models._CACHE_MEMORY", 600_000)
    monkeypatch.setattr("h2o_magic.server.models._TINY_FILE", 0)
    assert room_for(path, 4) == Room(4, 1000, 2000, threads=None)
    monkeypatch.setattr("h2o_magic.server.models._CACHE_MEMORY", 1)
    assert room_for(path, 4).capacity == 1000
