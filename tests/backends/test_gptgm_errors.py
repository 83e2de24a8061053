from __future__ import annotations

from typing import Any

import pytest

from h2o_magic.backends.error_advice import explaining_errors
from h2o_magic.backends.gptgm.ask import (
    GptGmQuestion,
    conversation_text,
    explain,
    first_turn_text,
)
from h2o_magic.backends.retry import DEFAULT_RETRY_POLICY, RetryPolicy
from h2o_magic.chat.messages import assistant, system, user
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    GenerationError,
    IncompleteAnswerError,
    ProtocolError,
    RateLimitedError,
    StatusError,
    TimedOutError,
)


def status(code: int, words: str = "") -> StatusError:
    return StatusError("x", status=code, server_message=words)


def limited(seconds: float | None, code: int = 429, words: str = "") -> StatusError:
    return RateLimitedError("x", status=code, server_message=words, retry_after=seconds)


ONCE = [
    status(405, "You need to accept the welcome modal first"),
    status(424, "Request failed during generation: x"),
    GenerationError("x", error_type="generation"),
]
NEVER = [
    status(400),
    status(401),
    status(403),
    status(404, "Not found"),
    status(404, "Conversation not found"),
    status(405, "GET method not allowed"),
    status(410),
    status(413),
    status(422),
    status(500, "Internal Error"),
    limited(None, words="You are sending too many messages. Try again later."),
    limited(None, words="Exceeded number of messages before login"),
    GenerationError("x", error_type="validation"),
    GenerationError("x", error_type="incomplete_generation"),
    ConnectionFailedError("x"),
    TimedOutError("x"),
    ProtocolError("x"),
    IncompleteAnswerError("x"),
]
BUSY = [
    status(502),
    status(503),
    status(504),
    limited(None, words="Model is overloaded"),
    GenerationError("x", error_type="overloaded"),
]


def asking(retry: RetryPolicy = DEFAULT_RETRY_POLICY) -> GptGmQuestion:
    return GptGmQuestion("m", (user("Q"),), {}, {}, retry=retry)


def ids(error: BackendError) -> str:
    return f"{type(error).__name__}-{getattr(error, 'status', '')}"


@pytest.mark.parametrize("error", ONCE, ids=ids)
def test_what_can_be_repaired_is_repaired_once_and_at_once(error: BackendError) -> None:
    question = asking()
    assert [question.retry_after(error), question.retry_after(error)] == [0.0, None]


@pytest.mark.parametrize("error", NEVER, ids=ids)
def test_what_cannot_be_repaired_is_reported(error: BackendError) -> None:
    assert asking().retry_after(error) is None


@pytest.mark.parametrize("error", BUSY, ids=ids)
def test_a_busy_server_is_asked_after_growing_waits(error: BackendError) -> None:
    question = asking(RetryPolicy(tries=4, wait=1))
    assert [question.retry_after(error) for _ in range(4)] == [1, 2, 4, None]
    assert asking(RetryPolicy(tries=1)).retry_after(error) is None


def test_a_different_failure_has_its_own_repair() -> None:
    question = asking()
    assert [question.retry_after(error) for error in ONCE[:2]] == [0, 0]


@pytest.mark.parametrize("code", [429, 503])
def test_the_servers_own_wait_is_kept_up_to_a_limit(code: int) -> None:
    retry = RetryPolicy(tries=9, wait=1, longest_wait=20)
    assert asking(retry).retry_after(limited(7, code)) == 7
    assert asking(retry).retry_after(limited(21, code)) is None


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (status(401), "%h2o connect http://h --key-env VAR"),
        (status(403, "Invalid referer for POST request"), "another address"),
        (
            status(404, "Not found"),
            "no gpt-gm server found at http://h; check the address",
        ),
        (status(404, "Conversation not found"), "does not keep its conversations"),
        (status(405, "accept the welcome modal first"), "does not keep its sessions"),
        (status(410), "no longer has the model 'm'; choose another"),
        (status(413), "shorten it"),
        (limited(None), "ask again in 60 s"),
        (limited(7.4), "ask again in 7 s"),
        (limited(None, words="Exceeded ... before login"), "limit for guests"),
        (status(502), "in a minute"),
        (status(503), "loading the model"),
        (status(500), "its log may say why"),
        (status(204), "status 200: check that http://h is the gpt-gm server itself"),
        (status(302), "connect to the target of the redirect if you trust it"),
        (status(418), "check that the gpt-gm server is at http://h"),
        (ConnectionFailedError("x"), "check that a server runs"),
        (TimedOutError("x"), "ask again"),
    ],
)
def test_an_error_says_what_to_do(error: BackendError, advice: str) -> None:
    message = explain(error, url="http://h", model="m")
    said = getattr(error, "server_message", "") or "x"
    assert message.startswith(f"{said}: ")
    assert advice in message


def test_an_unknown_failure_is_blamed_on_the_model_only_where_it_was_named() -> None:
    failed = status(500, "Internal Error")
    blamed = explain(failed, url="http://h", model="m", names_model=True)
    assert blamed.startswith("x: it may not have the model 'm'; ")
    assert explain(failed, url="http://h", model="m") == "x"
    other = status(500, "duplicate key")
    assert explain(other, url="http://h", model="m", names_model=True) == "x"


def test_the_words_of_the_server_begin_the_message_where_they_are_understood() -> None:
    refused = status(422, "Input validation error: y")
    assert explain(refused, url="http://h", model="m") == "Input validation error: y"
    login = status(401, "You have to be logged in.")
    assert explain(login, url="http://h", model="m").startswith(
        "You have to be logged in: the"
    )


def test_an_error_of_unknown_meaning_is_left_as_it_is() -> None:
    for error in (status(418, "y"), status(500, "y"), ProtocolError("x")):
        assert explain(error, url="http://h", model="m") == "x"


@pytest.mark.parametrize(
    "values",
    [
        {"tries": 0},
        {"tries": "3"},
        {"tries": True},
        {"wait": -1},
        {"wait": "1"},
        {"wait": True},
        {"longest_wait": float("inf")},
        {"longest_wait": None},
    ],
)
def test_a_retry_policy_has_numbers(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        RetryPolicy(**values)


def test_advice_keeps_what_is_known_about_the_error() -> None:
    late = StatusError("x", status=500, server_message="y", partial="text")
    with pytest.raises(StatusError) as caught, explaining_errors(lambda _: "advice"):
        raise late
    assert caught.value is late
    assert str(late) == "advice"
    assert (late.status, late.server_message, late.partial) == (500, "y", "text")


def test_all_messages_make_one_text() -> None:
    text = conversation_text([system("S"), user("Q"), assistant("A"), user("R")])
    assert text.endswith("\nsystem: S\nuser: Q\nassistant: A\nuser: R\nassistant:")


def test_a_single_question_is_sent_as_it_is() -> None:
    assert first_turn_text([user("Q")]) == "Q"
    assert first_turn_text([system("S"), user("Q")]) == "S\n\nQ"
    several = [user("Q"), assistant("A"), user("R")]
    assert first_turn_text(several) == conversation_text(several)
