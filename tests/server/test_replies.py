"""Which shape of answer a client wants."""

from __future__ import annotations

from typing import Literal

import pytest

from h2o_magic.server.replies import RouteError, preferred


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, "html"),
        ("", "html"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("application/*", "json"),
        ("APPLICATION/JSON", "json"),
        ("text/html", "html"),
        ("text/*", "html"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "html"),
        ("application/json, text/event-stream;q=0.9", "json"),
        ("text/html;q=0.5, application/json", "json"),
        ("text/html, application/json;q=0.5", "html"),
        ("text/html, application/json", "json"),
        ("text/html;q=zero, */*;q=0.1", "json"),
        ("text/event-stream", "json"),
    ],
)
def test_accept_decides(accept: str | None, wanted: Literal["json", "html"]) -> None:
    assert preferred(accept) == wanted


def test_a_page_says_the_reason_and_runs_no_script_of_it() -> None:
    error = RouteError("Internal Error", 500, reason="unknown <script>")
    page = error.response("text/html")
    assert page.status_code == 500
    assert b"unknown &lt;script&gt;" in page.body
