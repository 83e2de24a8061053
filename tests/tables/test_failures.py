"""What a server's errors mean for a row."""

from __future__ import annotations

import pytest

from h2o_magic.errors import GenerationError
from h2o_magic.tables.running.outcome import failure_of


@pytest.mark.parametrize(
    "kind", ["server_error", "internal_error", "overloaded", "503"]
)
def test_an_answer_that_the_server_could_not_end_is_asked_again(kind: str) -> None:
    assert failure_of(GenerationError("it died", error_type=kind)).kind == "lost"


@pytest.mark.parametrize("kind", ["", "validation", "invalid_request_error", "400"])
def test_an_answer_refused_within_the_stream_is_the_rows_own_error(kind: str) -> None:
    assert failure_of(GenerationError("no", error_type=kind)).kind == "row"
