import importlib.metadata

import pytest

import h2o_magic


def test_the_public_names_are_these() -> None:
    assert h2o_magic.__all__ == [
        "connect",
        "create_completion",
        "load_ipython_extension",
        "map",
        "panel",
        "session",
        "unload_ipython_extension",
    ]


def test_the_public_names_are_sorted() -> None:
    assert h2o_magic.__all__ == sorted(h2o_magic.__all__)


@pytest.mark.parametrize("name", h2o_magic.__all__)
def test_a_public_name_can_be_had_and_explains_itself(name: str) -> None:
    value = getattr(h2o_magic, name)
    assert callable(value)
    assert value.__doc__


def test_a_star_import_brings_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from h2o_magic import *", names)
    assert set(h2o_magic.__all__) <= set(names)


def test_the_version_is_the_distributions() -> None:
    assert h2o_magic.__version__ == importlib.metadata.version("h2o-magic")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'h2o_magic' has no attribute 'x'"):
        h2o_magic.x  # noqa: B018
