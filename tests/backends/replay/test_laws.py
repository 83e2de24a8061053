"""An answer that is stored on its way keeps every law of backends."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.base import Backend
from h2o_magic.backends.replay.backend import ReplayBackend
from h2o_magic.backends.replay.folder import AnswerFolder
from h2o_magic.backends.replay.replayed import Replayed
from tests.backends import test_contract
from tests.backends.dialects import DIALECTS, Dialect

LAWS = {
    name.removeprefix("test_"): law
    for name, law in vars(test_contract).items()
    if name.startswith("test_") and [*inspect.signature(law).parameters] == ["dialect"]
}
#: Those about the way of an answer, which is another one around a backend.
ALWAYS = [name for name in LAWS if "answer" in name]


@pytest.fixture
def recording(tmp_path: Path) -> Callable[[Dialect], Dialect]:
    """Make a dialect whose backends store what they are asked."""

    def around(dialect: Dialect) -> Dialect:
        def make(*how: Any, **options: Any) -> Backend:
            inner = dialect.make(*how, **options)
            replayed = Replayed(AnswerFolder(tmp_path), "lab", "answers/")
            backend = ReplayBackend(lambda: inner, replayed, "refresh")
            backend.close = inner.close  # type: ignore[method-assign]
            return backend

        return replace(dialect, make=make)

    return around


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
@pytest.mark.parametrize(
    "name",
    [n if n in ALWAYS else pytest.param(n, marks=pytest.mark.nightly) for n in LAWS],
)
def test_an_answer_that_is_stored_keeps_the_law(
    recording: Callable[[Dialect], Dialect], dialect: Dialect, name: str
) -> None:
    LAWS[name](recording(dialect))


def test_there_are_laws() -> None:
    assert len(LAWS) > 20
    assert ALWAYS
