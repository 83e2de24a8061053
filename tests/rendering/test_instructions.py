"""A model is told what its answer is to be, and which variables there are for it."""

from __future__ import annotations

import pytest

from h2o_magic.rendering.instructions import instruction


def test_code_is_told_the_variables_that_it_can_use_each_once() -> None:
    told = instruction("code", names=["df", "model.rate", "df"])
    assert told.startswith(instruction("code"))
    assert told.count("`df`") == told.count("`model.rate`") == 1
    assert "exist in the notebook" in told
    assert "do not define, load or make up" in told


@pytest.mark.parametrize("form", ["markdown", "text", "json", "table", "html", "math"])
def test_what_is_no_code_needs_no_names(form: str) -> None:
    assert instruction(form, names=["df"]) == instruction(form)


def test_without_names_nothing_is_said_of_variables() -> None:
    assert "notebook" not in instruction("code")


def test_a_schema_comes_after_the_names() -> None:
    told = instruction("code", {"type": "string"}, ["df"])
    assert told.index("`df`") < told.index('{"type": "string"}')
