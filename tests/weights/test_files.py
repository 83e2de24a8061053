"""Which weights answer for a model, and what the list of models says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from h2o_magic.config.models import DEMO_MODEL, MODELS, BuiltIn
from h2o_magic.weights.cache import cache, cache_lock
from h2o_magic.weights.files import (
    Weights,
    find_weights,
    known_weights,
    unknown_model,
)
from h2o_magic.weights.listing import list_models
from h2o_magic.weights.names import part_paths
from tests.server.tiny_gguf import write_llama

Cache = Callable[..., Path]


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """Puts a file into an otherwise empty cache, where huggingface_hub would."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))

    def put(repository: str, file: str, revision: str = "abc", **how: Any) -> Path:
        folder = f"models--{repository.replace('/', '--')}/snapshots/{revision}"
        path = tmp_path / folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_llama(path, **how)

    return put


#: The models that bring no weights with the package.
PULLED = [n for n, entry in MODELS.items() if not isinstance(entry.source, BuiltIn)]


def own_file(name: str) -> tuple[str, str]:
    """Return the repository of a model of the catalogue, and a file that is its own."""
    source = MODELS[name].source
    assert not isinstance(source, BuiltIn)
    return source.repository, source.pattern.replace("*", "some-Model.")


def found(name: str, memory: int | None = None) -> Weights:
    weights = find_weights(name, memory)
    assert weights is not None
    return weights


@pytest.mark.parametrize("name", PULLED)
def test_without_its_own_weights_a_model_has_those_of_the_demo(
    cached: Cache, name: str
) -> None:
    weights = find_weights(name)
    assert weights is not None
    assert (weights.demo, weights.is_stand_in) == (True, True)
    assert weights.label == "built-in demo weights"
    assert weights.path.name == f"demo-{MODELS[name].architecture}.gguf"
    assert weights.path.is_file()
    assert find_weights(MODELS[name].service_id) == weights


def test_the_demo_weights_have_a_name_of_their_own(cached: Cache) -> None:
    weights = found(DEMO_MODEL)
    assert (weights.demo, weights.is_stand_in) == (True, False)
    assert weights.path.name == "demo-llama.gguf"


@pytest.mark.parametrize("name", PULLED)
def test_its_own_weights_in_the_cache_answer(cached: Cache, name: str) -> None:
    repository, file = own_file(name)
    path = cached(repository, file.lower())
    weights = found(name)
    assert (weights.path, weights.demo) == (path, False)
    assert (weights.model, weights.listed_as, weights.stands_in_for) == (name, name, "")


@pytest.mark.parametrize(
    ("file", "label"),
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct Q4_1"),
        ("h2o-danube3-4b-chat-Q4_K_M.gguf", "h2o-danube3-4b-chat Q4_K_M"),
        ("some-model.q8_0.gguf", "some-model q8_0"),
        ("model-IQ2_XXS.gguf", "model IQ2_XXS"),
        ("model-UD-Q4_K_XL.gguf", "model-UD Q4_K_XL"),
        ("model_BF16.gguf", "model BF16"),
        ("below/model-F16.gguf", "model F16"),
        ("model-Q4_0-00001-of-00001.gguf", "model Q4_0"),
        ("Q4_0.gguf", "Q4_0"),
        ("Qwen3-8B.gguf", "Qwen3-8B"),
        ("Q4_0-model.gguf", "Q4_0-model"),
    ],
)
def test_weights_are_named_without_what_only_a_file_needs(
    cached: Cache, file: str, label: str
) -> None:
    path = cached("owner/repo", file)
    assert Weights("m", "m", path).label == label


def test_another_quantization_is_not_its_own(cached: Cache) -> None:
    repository, _ = own_file("llama-13b")
    cached(repository, "model.Q2_K.gguf")
    assert found("llama-13b").demo


def test_any_cached_repository_can_be_asked(cached: Cache) -> None:
    small = cached("owner/repo", "m.q4_0.gguf")
    best = cached("owner/repo", "folder/m.Q4_K_M.gguf")
    assert find_weights("owner/repo").path == best  # type: ignore[union-attr]
    assert find_weights("owner/repo:m.q4_0.gguf").path == small  # type: ignore[union-attr]
    assert find_weights("owner/repo:none.gguf") is None
    assert find_weights("owner/other") is None


def test_of_what_is_cached_the_smallest_model_answers(cached: Cache) -> None:
    cached("owner/repo", "mmproj-F16.gguf")
    assert find_weights("owner/repo") is None
    assert find_weights("owner/repo:mmproj-F16.gguf") is not None
    assert not any("mmproj" in weights.model for weights in known_weights())
    write_llama(cached("owner/repo", "a-BF16.gguf"), layers=3)
    small = cached("owner/repo", "m-Q5_K_M.gguf")
    assert find_weights("owner/repo").path == small  # type: ignore[union-attr]


def test_a_file_in_a_folder_has_the_name_with_the_folder(cached: Cache) -> None:
    paths = {name: cached("o/r", name) for name in ("a/m.gguf", "b/m.gguf", "b/n.gguf")}
    listed = {weights.model: weights.path for weights in known_weights()}
    for name, path in paths.items():
        assert listed[f"o/r:{name}"] == path
        assert find_weights(f"o/r:{name}").path == path  # type: ignore[union-attr]
    assert find_weights("o/r:n.gguf").path == paths["b/n.gguf"]  # type: ignore[union-attr]
    # It could be either.
    assert find_weights("o/r:m.gguf") is None


def test_a_file_can_be_asked_by_its_path(cached: Cache, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "mine.gguf")
    assert find_weights(str(path)).path == path  # type: ignore[union-attr]
    assert find_weights(str(tmp_path / "none.gguf")) is None
    assert find_weights("mine.gguf") is None
    assert find_weights("nothing") is None


def test_the_list_has_the_catalogue_and_what_else_is_cached(cached: Cache) -> None:
    cached(*own_file("danube3-500m"))
    cached("owner/repo", "m.gguf")
    cached("owner/repo", "m.gguf", revision="older")
    names = [weights.listed_as for weights in known_weights()]
    assert names == [*MODELS, "owner/repo:m.gguf"]
    assert all(find_weights(name) for name in names)


def test_the_list_says_what_answers(cached: Cache) -> None:
    path = cached("owner/repo", "m.gguf")
    *listed, last = list_models({"llama-13b"})
    (first,) = (model for model in listed if model["name"] == "llama-13b")
    assert first == {
        "id": "h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-13b",
        "name": "llama-13b",
        "displayName": "llama-13b",
        "weights": "built-in demo weights",
        "demo": True,
        "answered_by": None,
        "size": find_weights("llama-13b").path.stat().st_size,  # type: ignore[union-attr]
        "context_length": 1024,
        "license": "",
        "loaded": True,
        "parameters": {
            "temperature": 0.4,
            "repetition_penalty": 1.2,
            "max_new_tokens": 1024,
            "truncate": 2048,
            "do_sample": True,
            "return_full_text": False,
        },
        "sampling": first["sampling"],
        "system": "",
        "note": MODELS["llama-13b"].note,
    }
    assert (last["id"], last["weights"]) == ("owner/repo:m.gguf", "m")
    assert (last["demo"], last["loaded"]) == (False, False)
    assert (last["size"], last["context_length"]) == (path.stat().st_size, 4096)


def test_weights_that_are_split_are_one_model(cached: Cache) -> None:
    whole, _ = own_file("llama-13b")
    for name in ("m.Q4_K_M-00001-of-00002.gguf", "m.Q4_K_M-00002-of-00002.gguf"):
        path = cached(whole, name)
        cached("owner/repo", name)
    first = path.with_name("m.Q4_K_M-00001-of-00002.gguf")
    weights = find_weights("llama-13b")
    assert weights is not None
    assert (weights.path, weights.label) == (first, "m Q4_K_M")
    assert part_paths(weights.path) == (first, path)
    assert weights.size == first.stat().st_size + path.stat().st_size
    assert known_weights()[-1].model == "owner/repo:m.Q4_K_M.gguf"
    assert find_weights("owner/repo:m.Q4_K_M.gguf").size == weights.size  # type: ignore[union-attr]


def test_weights_of_which_a_part_is_missing_are_not_there(cached: Cache) -> None:
    cached("owner/repo", "m-00001-of-00002.gguf")
    assert find_weights("owner/repo") is None


def test_the_licence_that_a_file_names_is_listed(cached: Cache) -> None:
    write_llama(cached("owner/repo", "m.gguf"), licence="apache-2.0")
    assert list_models(())[-1]["license"] == "apache-2.0"


def test_a_damaged_file_in_the_cache_is_not_listed(cached: Cache) -> None:
    cached("owner/repo", "m.gguf").write_bytes(b"broken")
    cached(*own_file("llama-13b")).write_bytes(b"broken")
    listed = {model["name"]: model for model in list_models(())}
    assert list(listed) == list(MODELS)
    assert listed["llama-13b"]["context_length"] is None
    assert listed["llama-13b"]["sampling"] == {}


# A cache that cannot be read


@pytest.fixture(params=["link to itself", "name that is too long"])
def closed(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A place of the cache that not even root can read."""
    folder = tmp_path / "loop"
    folder.symlink_to(folder)
    if request.param != "link to itself":
        folder = tmp_path / ("x" * 300)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    return folder


def test_demo_weights_answer_where_the_cache_cannot_be_read(closed: Path) -> None:
    weights = found("llama-13b")
    assert (weights.demo, weights.size > 1_000_000) == (True, True)
    assert found("default").demo
    assert find_weights("owner/repo") is None
    assert all(model["size"] for model in list_models(()))


def test_a_model_that_is_not_found_blames_the_cache_that_cannot_be_read(
    closed: Path,
) -> None:
    said = unknown_model("owner/repo")
    assert f"{closed}" in said
    assert "cannot be read (" in said
    assert "set HF_HUB_CACHE to a folder that you can read" in said


def test_what_cannot_be_read_in_the_cache_hides_nothing_else(cached: Cache) -> None:
    path = cached("owner/good", "m.gguf")
    bad = path.parents[3] / "models--owner--bad"
    (bad / "snapshots").mkdir(parents=True)
    (bad / "snapshots" / "abc").symlink_to("abc")
    (path.parents[3] / "models--owner--loop").symlink_to("models--owner--loop")
    assert path in [weights.path for weights in known_weights()]
    assert found("owner/good").path == path
    assert find_weights("owner/bad") is find_weights("owner/loop") is None


def test_a_cache_in_an_unknown_home_is_no_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "~no-such-user/hub")
    monkeypatch.chdir(tmp_path)
    assert cache().is_absolute()
    assert found("default").demo
    with pytest.raises(NotADirectoryError):
        cache_lock("owner/repo", "content")
    assert not [*tmp_path.iterdir()]
