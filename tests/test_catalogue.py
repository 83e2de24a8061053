import pytest

from h2o_magic.catalogue import DEFAULT_MODEL, MODELS, CatalogueEntry, find_model

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


@pytest.mark.parametrize("entry", ENTRIES, ids=by_name)
def test_an_entry_says_where_its_weights_are_and_how_large(
    entry: CatalogueEntry,
) -> None:
    owner, _, repository = entry.repository.partition("/")
    assert owner
    assert repository
    assert entry.pattern.endswith(".gguf")
    assert entry.size > 10**8
