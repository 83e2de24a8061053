from __future__ import annotations

from datetime import datetime, timezone

import pytest

from h2o_magic.error_text import error_text, reason_of, retry_after, words_of
from tests.backends.scripted import recorded_body

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "a"}', "a"),
        (b'{"error": ["a", "b"]}', "a; b"),
        (b'{"error": "a", "error_type": "validation"}', "a"),
        (b'{"error": {"message": "a", "code": 1}}', "a"),
        (b'{"type": "error", "error": {"message": "a"}}', "a"),
        (b'{"message": "a"}', "a"),
        (b'{"error": "a", "message": "b"}', "a"),
        (b'{"message": "Internal Error", "reason": "a"}', "a"),
        (b'{"message": "a", "reason": " "}', "a"),
        (b'{"message": "a", "reason": 7}', "a"),
        (b'{"type": "error", "error": {"message": "b"}, "reason": "a"}', "a"),
        (b'{"error": "b", "reason": "a"}', "a"),
        (b'[{"error": "a"}]', "a"),
        (b'{"detail": "a"}', "a"),
        (b'{"detail": {"error": {"message": "a"}}}', "a"),
        (b'{"detail": {"error": {"message": "", "code": "a_b"}}}', "a_b"),
        (b'{"error": {"message": null, "code": 5, "type": "a"}}', "a"),
        (b'{"error": {"message": ""}, "message": "a"}', "a"),
        (b'{"error": "", "detail": "a"}', "a"),
        (b'{"detail": ["a", 5, {"msg": "b", "loc": ["body", 0]}]}', "a; body.0: b"),
        (b'{"detail": [{"msg": "b"}, {"loc": ["body"]}]}', "b"),
        (b'{"detail": []}', '{"detail": []}'),
        (b'{"object": "error", "message": "a", "code": 40301}', "a"),
        (b"\xef\xbb\xbf plain\r\n  text ", "plain text"),
        (b"<html><title>Not&nbsp;here &amp; now</title><h1>x</h1>", "Not here & now"),
        (b"<html><title> </title><body><h1 a=b>Big <b>x</b></h1>", "Big x"),
        (b"<p>nothing", "an HTML page without a title"),
        (b"", ""),
        (b'{"else": 1}', '{"else": 1}'),
        (b"null", "null"),
        (b'{"error": "a\x1b[31mred\\u001b"}', '{"error": "a [31mred\\u001b"}'),
        (b'{"error": "a\\u001b[31mred"}', "a [31mred"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_the_words_of_each_shape_of_error_body(body: bytes, words: str) -> None:
    assert error_text(body) == words


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"message": "Internal Error", "reason": "a\\nb"}', "a b"),
        (b'{"message": "Internal Error"}', ""),
        (b'{"reason": 7}', ""),
        (b"<html><title>reason</title>", ""),
        (b"reason", ""),
        (b"", ""),
    ],
)
def test_a_reason_is_told_from_other_words(body: bytes, reason: str) -> None:
    assert reason_of(body) == reason
    assert len(reason_of(b'{"reason": "%s"}' % (b"x" * 999))) == 500


def test_a_long_text_is_shortened() -> None:
    assert error_text(b"x" * 10_000) == "x" * 499 + "…"
    assert error_text(b"x" * 30, limit=10) == "x" * 9 + "…"


def test_deep_nesting_does_no_harm() -> None:
    assert error_text(b"[" * 100_000).startswith("[[[")


def test_only_the_title_of_a_recorded_page_is_shown() -> None:
    assert error_text(recorded_body("error-gateway-502-html")) == "502 Bad Gateway"
    assert error_text(recorded_body("generate-no-accept-error")) == "Internal Error"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("99999999", 3600.0),
        ("inf", 3600.0),
        ("nan", None),
        ("soon", None),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 12:00:30 -0000", 30.0),
        ("Mon, 22 Nov 2027 12:00:00 GMT", 3600.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_capped(
    value: str | None, seconds: float | None
) -> None:
    assert retry_after(value, now=NOW) == seconds


def test_the_field_that_an_error_is_about_is_named_once() -> None:
    error: dict[str, object] = {"message": "Not supported.", "param": "temperature"}
    assert words_of({"error": error}) == "Not supported. (`temperature`)"
    error["message"] = "temperature is not supported."
    assert words_of({"error": error}) == "temperature is not supported."
