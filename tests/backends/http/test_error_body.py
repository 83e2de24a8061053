from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from h2o_magic.backends.http.error_body import error_message, error_text
from h2o_magic.backends.http.retry_wait import retry_wait
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
def test_the_error_message_each_shape_of_error_body(body: bytes, words: str) -> None:
    assert error_text(body) == words


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
    headers = {} if value is None else {"Retry-After": value}
    assert retry_wait(headers, now=NOW) == seconds


EPOCH = NOW.timestamp()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500"}, 1.5),  # OpenAI, Azure
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({"Retry-After": "3", "x-ratelimit-reset-tokens": "9s"}, 3.0),
        ({"x-ratelimit-reset-requests": "1s"}, 1.0),  # OpenAI
        ({"x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-tokens": "2m59.56s"}, 179.56),  # Groq
        ({"x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-reset-requests-day": "33011.382867"}, 3600.0),  # Cerebras
        ({"x-ratelimit-reset": "7"}, 7.0),  # Together
        ({"X-RateLimit-Reset": f"{EPOCH + 5:.0f}"}, 5.0),  # GitHub
        ({"X-RateLimit-Reset": f"{(EPOCH + 5) * 1000:.0f}"}, 5.0),  # OpenRouter
        ({"anthropic-ratelimit-requests-reset": "2026-11-22T12:00:08Z"}, 8.0),
        ({"x-ratelimit-reset-tokens": "0"}, None),  # Azure, not known
        ({"x-ratelimit-reset-tokens": "soon"}, None),
        ({"x-ratelimit-limit-tokens": "9"}, None),
    ],
)
def test_a_wait_is_read_wherever_servers_say_it(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_wait(headers, now=NOW) == pytest.approx(seconds)


def test_of_several_limits_those_that_are_used_up_count() -> None:
    headers = {
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-reset-tokens": "9s",
        "x-ratelimit-reset-days": "8h",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-remaining-days": "7",
    }
    assert retry_wait(headers) == 9.0
    assert retry_wait({**headers, "x-ratelimit-remaining-tokens": "1"}) == 2.0


def test_a_wait_may_stand_in_the_body() -> None:
    google = (
        b'[{"error": {"code": 429, "details": [5, {"@type": "x"}, '
        b'{"@type": "x/google.rpc.RetryInfo", "retryDelay": "34s"}]}}]'
    )
    assert retry_wait({}, google) == 34.0
    router = b'{"error": {"metadata": {"headers": {"X-RateLimit-Reset": "4"}}}}'
    assert retry_wait({}, router) == 4.0


def test_the_time_of_a_limit_is_no_wait_where_no_limit_is_met() -> None:
    headers = {"x-ratelimit-reset-tokens": "9s"}
    assert retry_wait(headers, limited=False) is None
    assert retry_wait({**headers, "Retry-After": "2"}, limited=False) == 2.0


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (
            {"raw": '{"error": {"message": "too hot"}}'},
            "Provider returned error: too hot",
        ),
        ({"raw": "ERROR"}, "…: ERROR"),
        ({"raw": {"detail": "gone"}}, "…: gone"),
        ({"reasons": ["hate", 5, "spam"]}, "…: hate, spam"),
        ({"raw": ""}, "…"),
        ({"raw": 5}, "…"),
        ("x", "…"),
    ],
)
def test_what_a_provider_behind_openrouter_says_is_told(
    metadata: object, words: str
) -> None:
    error = {"code": 400, "message": "Provider returned error", "metadata": metadata}
    said = "Provider returned error"
    assert error_message({"error": error}) == words.replace("…", said)


QUOTED = '{"error": {"message": "too hot", "type": "x"}}'


@pytest.mark.parametrize(
    ("document", "words"),
    [
        # LiteLLM
        (
            {"error": {"message": f"litellm.BadRequestError: AException - {QUOTED}"}},
            "litellm.BadRequestError: AException: too hot",
        ),
        (
            {"error": {"message": f"AnthropicException - b'{QUOTED}'"}},
            "AnthropicException: too hot",
        ),
        (
            {"message": f"VertexAIException - [{QUOTED}\n]. Received Model Group=m"},
            "VertexAIException: too hot Received Model Group=m",
        ),
        (
            {"message": "Error code: 400 - {'error': {'message': 'too hot'}}"},
            "Error code: 400: too hot",
        ),
        ({"error": QUOTED}, "too hot"),
        ({"message": QUOTED}, "too hot"),
        ({"error": {"error": "too hot"}}, "too hot"),
        ({"error": {"message": {"detail": "too hot"}}}, "too hot"),
        ({"error": {"message": ["too", "hot"]}}, "too; hot"),
        # OpenRouter within OpenRouter, and what it tried before
        (
            {
                "error": {
                    "message": "Provider returned error",
                    "metadata": {
                        "raw": json.dumps(
                            {
                                "error": {
                                    "message": "Provider returned error",
                                    "metadata": {"raw": "too hot"},
                                }
                            }
                        )
                    },
                }
            },
            "Provider returned error: too hot",
        ),
        (
            {
                "error": {
                    "message": "No provider",
                    "metadata": {"raw": "<html><title>502 Bad</title>"},
                }
            },
            "No provider: 502 Bad",
        ),
        (
            {
                "error": {
                    "message": "No provider",
                    "metadata": {"previous_errors": [{"code": 429, "message": "hot"}]},
                }
            },
            "No provider: hot",
        ),
        # Mistral, Bedrock, Azure, Google, Cloudflare, RFC 9457, OAuth, Apigee
        (
            {"message": {"detail": [{"loc": ["body", "x"], "msg": "too hot"}]}},
            "body.x: too hot",
        ),
        ({"Message": "too hot"}, "too hot"),
        ({"__type": "ValidationException", "message": "too hot"}, "too hot"),
        (
            {"error": {"message": "Failed.", "details": [{"message": "too hot"}]}},
            "Failed: too hot",
        ),
        (
            {"error": {"message": "hot", "details": [{"@type": "x", "message": "y"}]}},
            "hot",
        ),
        ({"success": False, "errors": [{"code": 7, "message": "too hot"}]}, "too hot"),
        ({"errors": ["too", "hot"]}, "too; hot"),
        ({"title": "Bad", "detail": "too hot", "status": 400}, "too hot"),
        ({"title": "too hot", "status": 400}, "too hot"),
        ({"error": "invalid_token", "error_description": "too hot"}, "too hot"),
        ({"fault": {"faultstring": "too hot", "detail": {"x": "y"}}}, "too hot"),
        ({"code": 40001, "msg": "too hot"}, "too hot"),
        # What is only quoted stays as it is
        ({"message": 'Bad schema {"type": "object"}'}, 'Bad schema {"type": "object"}'),
        ({"message": "Use {name} here."}, "Use {name} here."),
    ],
)
def test_an_error_is_found_in_whatever_is_around_it(
    document: dict[str, object], words: str
) -> None:
    assert error_message(document) == words


def test_an_error_in_xml_is_found() -> None:
    body = b"<?xml version='1.0'?><Error><Code>No</Code><Message>too hot</Message>"
    assert error_text(body) == "too hot"


def test_wrappers_without_end_do_no_harm() -> None:
    document: object = "too hot"
    for _ in range(300):
        document = {"error": document}
    assert error_message(document) == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ms-retry-after-ms": "8000"},
        {"x-retry-after": "8"},
        {"retry-after": "8s"},
        {"x-ratelimit-retry-after": "8"},
        {"ratelimit-reset": "8"},
        {"x-rate-limit-reset": "8"},
        {"x-ratelimit-reset-after": "8"},
        {"x-ratelimit-requests-reset": "8"},
        {"ratelimit": "limit=9, remaining=0, reset=8"},
        {"ratelimit": '"default";r=0;t=8'},
        {"x-ratelimit-reset-tokens": "8000000us"},
    ],
)
def test_a_wait_has_many_names(headers: dict[str, str]) -> None:
    assert retry_wait(headers, now=NOW) == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b'{"error": {"message": "Limit. Please try again in 1.5s. See"}}', 1.5),
        (b'{"error": {"message": "Limit. Please try again in 20ms."}}', 0.02),
        (b'{"error": {"message": "Limit. Please try again in 1m2.5s."}}', 62.5),
        (b'{"message": "Please retry after 26 seconds."}', 26.0),
        (b'{"message": "Please retry in 2 minutes."}', 120.0),
        (b'{"message": "slow", "retry_after": 3}', 3.0),
        (b'{"error": {"message": "slow", "retry_after_ms": 300}}', 0.3),
        (b'{"message": "Please try again in a moment."}', None),
        (b'{"message": "slow", "retry_after": true}', None),
    ],
)
def test_a_wait_in_words_counts(body: bytes, seconds: float | None) -> None:
    assert retry_wait({}, body) == pytest.approx(seconds)


def test_an_account_without_quota_is_told_by_its_code() -> None:
    error = {"message": "You exceeded your quota.", "code": "insufficient_quota"}
    words = "You exceeded your quota. (insufficient_quota)"
    assert error_message({"error": error}) == words
    assert (
        error_message({"error": {"type": "insufficient_quota"}}) == "insufficient_quota"
    )


def test_the_field_that_an_error_is_about_is_named_once() -> None:
    error: dict[str, object] = {"message": "Not supported.", "param": "temperature"}
    assert error_message({"error": error}) == "Not supported. (`temperature`)"
    error["message"] = "temperature is not supported."
    assert error_message({"error": error}) == "temperature is not supported."


@pytest.mark.parametrize("piece", [b"<title ", b"<h1>", b"<"])
def test_a_page_of_open_tags_has_no_title(piece: bytes) -> None:
    page = b"<title>" + piece * (65536 // len(piece))
    assert error_text(page) == "an HTML page without a title"


def test_a_date_beyond_all_numbers_is_no_wait() -> None:
    date = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"
    assert retry_wait({"Retry-After": date}) is None
