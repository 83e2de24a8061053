"""The pure parts: updates to events, messages to ids, a token to what is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from h2o_magic.backends.chatui.messages import (
    Asked,
    answer_id,
    created_root,
    stored_tree,
)
from h2o_magic.backends.chatui.reader import AnswerReader
from h2o_magic.backends.chatui.stream import Interpreter
from h2o_magic.backends.chatui.token import Credential
from h2o_magic.errors import (
    ConfigurationError,
    GenerationError,
    IncompleteAnswerError,
    ProtocolError,
    RateLimitedError,
    StatusError,
)
from h2o_magic.events import (
    Event,
    Finished,
    ReasoningDelta,
    Replaced,
    Source,
    TextDelta,
)
from tests.backends import scripted
from tests.backends.chatui_server import ALIVE, FINISHED, STARTED, failed, final, token
from tests.backends.test_chatui_recordings import ANSWER, FOLDER, GENERATION, ROOT


def read(*updates: Any) -> list[Event]:
    reader = AnswerReader(Interpreter())
    body = b"".join(json.dumps(u).encode() + b"\n" for u in updates)
    return [*reader.feed(body), *reader.flush(), reader.end()]


# --- tokens and the final text


def test_only_the_padding_at_a_tokens_end_is_cut_off() -> None:
    assert read(token("a\0b "), token("c"), final("a\0b c")) == [
        TextDelta("a\0b"),
        TextDelta(" c"),
        Finished("a\0b c"),
    ]


def test_blanks_are_shown_when_more_text_comes() -> None:
    assert read(token(" a"), token(" \n"), token(""), token("\n"), final(" a")) == [
        TextDelta(" a"),
        Finished(" a"),
    ]
    assert read(token("a\n"), final("a\n", interrupted=True)) == [
        TextDelta("a"),
        TextDelta("\n"),
        Finished("a\n", "stopped"),
    ]


def test_a_character_in_two_tokens_is_one() -> None:
    halves = read(token("a\ud83d"), token("\udc4b"), final("a\ud83d\udc4b"))
    assert halves == [TextDelta("a"), TextDelta("👋"), Finished("a👋")]
    assert read(token("\ud83d"), final("\ud83d"))[-1] == Finished("\ufffd")


@pytest.mark.parametrize(
    ("shown", "record", "event"),
    [
        ("ab", "abc", TextDelta("c")),
        ("abab", "ab", Replaced("ab")),
        ("ab", "x", Replaced("x")),
        ("ab", "", Replaced("")),
        (" ab", "ab", Replaced("ab")),
    ],
)
def test_the_final_text_replaces_what_differs(
    shown: str, record: str, event: Event
) -> None:
    assert read(token(shown), final(record))[1:] == [event, Finished(record)]


def test_an_answer_without_tokens_is_its_final_text() -> None:
    assert read(STARTED, final("all")) == [TextDelta("all"), Finished("all")]
    assert read(STARTED, final("")) == [Finished("")]


@pytest.mark.parametrize(
    ("record", "whole"),
    [
        ("found it", "I look.\n\nfound it"),
        ("\n\nfound it", "I look.\n\nfound it"),
        ("I look. Found.", "I look. Found."),
        ("look.", "I look."),
        ("", "I look."),
    ],
)
def test_after_tools_the_final_text_is_merged(record: str, whole: str) -> None:
    tool = {"type": "tool", "subtype": "call", "uuid": "1"}
    assert read(token("I look."), tool, final(record))[-1] == Finished(whole)
    assert read(tool, final("x"))[-1] == Finished("x")


def test_reasoning_of_its_own_kind_is_kept_apart() -> None:
    thought = {"type": "reasoning", "subtype": "stream", "token": "Hm\0\0"}
    said = {"type": "reasoning", "subtype": "status", "status": "thinking"}
    empty = {"type": "reasoning", "subtype": "stream", "token": "\0"}
    assert read(thought, said, empty, final("a")) == [
        ReasoningDelta("Hm"),
        TextDelta("a"),
        Finished("a"),
    ]


def test_the_router_says_what_really_answers() -> None:
    routed = {"type": "routerMetadata", "route": "code", "model": "big/one"}
    assert read(routed, final("a"))[0] == Source("big/one")


@pytest.mark.parametrize(
    "update",
    [
        {"type": "title", "title": "T"},
        {"type": "status", "status": "title", "message": "T"},
        {"type": "status", "status": "pending"},
        {"type": "webSearch", "messageType": "error", "message": "no"},
        {"type": "agent", "agent": "x"},
        {"type": "file", "name": "a", "sha": "1", "mime": "image/png"},
        {"type": "elicitation"},
        {"type": "of 2030", "error": "none"},
        {"type": "stream"},
        {"type": "stream", "token": 3},
        {"type": "finalAnswer", "text": None},
        {"type": 3},
        {},
        ALIVE,
    ],
)
def test_other_updates_mean_nothing(update: dict[str, Any]) -> None:
    events = read(STARTED, token("a"), update, final("a"), update, FINISHED)
    assert events == [TextDelta("a"), Finished("a")]


def test_life_signs_are_no_progress() -> None:
    interpreter = Interpreter()
    for update in (STARTED, ALIVE, {"type": "title", "title": "T"}, {"type": 3}, {}):
        list(interpreter.feed(update))
    assert interpreter.progress == 0
    list(interpreter.feed(token("")))
    list(interpreter.feed({"type": "tool", "subtype": "eta"}))
    assert interpreter.progress == 2


# --- errors


@pytest.mark.parametrize("before", [[], [final("")], [final("ab")]])
def test_an_error_decides_whatever_stands_around_it(before: list[Any]) -> None:
    with pytest.raises(GenerationError, match="boom") as caught:
        read(token("a"), *before, failed("boom"), final("late"))
    assert caught.value.partial == (before[0]["text"] if before else "a")


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (401, StatusError, "boom: the model behind this chat-ui refuses"),
        (403, StatusError, "boom: the model behind this chat-ui refuses"),
        (429, RateLimitedError, "boom: the model behind this chat-ui is overloaded"),
        (500, GenerationError, "boom (status 500)"),
        ("500", GenerationError, "boom"),
        (None, GenerationError, "boom"),
    ],
)
def test_the_status_in_an_error_makes_its_kind(
    status: Any, kind: type[StatusError | GenerationError], told: str
) -> None:
    with pytest.raises(kind) as caught:
        read(token("a"), failed("boom", statusCode=status))
    assert type(caught.value) is kind
    assert str(caught.value).startswith(told)
    assert caught.value.partial == "a"
    if isinstance(caught.value, StatusError):
        assert caught.value.status == status


def test_an_error_without_words_is_one() -> None:
    with pytest.raises(GenerationError, match="without words"):
        read({"type": "status", "status": "error"})


@pytest.mark.parametrize("document", [{"error": "no"}, {"message": "no"}])
def test_a_document_instead_of_updates_is_an_error(document: dict[str, str]) -> None:
    with pytest.raises(GenerationError, match="no"):
        read(document)


def test_a_stream_of_life_signs_alone_is_incomplete() -> None:
    with pytest.raises(IncompleteAnswerError):
        read(STARTED, ALIVE, FINISHED)


# --- ids


def recorded(case: str) -> Any:
    return json.loads(scripted.recorded_body(case, FOLDER))


def test_the_root_of_a_new_conversation_is_in_the_answer() -> None:
    assert created_root(recorded("conversation-create")) == ROOT


@pytest.mark.parametrize(
    "answer", [{}, [], {"conversation": "{"}, {"conversation": "{}"}, None]
)
def test_an_answer_without_a_root_is_no_error(answer: Any) -> None:
    assert created_root(answer) is None


def test_an_answer_is_found_by_its_generation() -> None:
    tree = stored_tree(recorded("api-v2-conversation-two-turns"))
    assert tree.root == ROOT
    assert answer_id(tree, Asked("?", "?", GENERATION)) == ANSWER
    # The newest servers keep the generation, so another one is another answer.
    asked = Asked(ROOT, "What is a Jupyter magic?", "another")
    assert answer_id(tree, asked) is None


def test_an_answer_is_found_in_a_plain_list_by_its_question() -> None:
    tree = stored_tree(recorded("api-conversation"))
    slow, blank = "ce476648-ef32-40f0-b874-1029bb9c3d3e", "c2173ef9-1d78-4d69-a34d-"
    assert answer_id(tree, Asked(tree.root, "Tell slowly", "x")) == slow
    assert str(answer_id(tree, Asked(tree.root, " ", "x"))).startswith(blank)
    assert answer_id(tree, Asked(tree.root, "Never asked", "x")) is None


def test_without_generations_the_newest_answer_under_the_parent_counts() -> None:
    def message(name: str, role: str, content: str, *above: str) -> dict[str, Any]:
        return {"id": name, "from": role, "content": content, "ancestors": [*above]}

    document = {
        "messages": [
            message("r", "system", ""),
            message("q1", "user", "Q\nQ", "r"),
            message("a1", "assistant", "A", "r", "q1"),
            message("q2", "user", "Q\nQ", "r", "q1", "a1"),
            message("a2", "assistant", "A", "r", "q1", "a1", "q2"),
            message("q3", "user", "Q\nQ", "r"),
            message("a3", "assistant", "A", "r", "q3"),
            message("lost", "assistant", "A", "r", "nowhere"),
        ]
    }
    tree = stored_tree(document)
    assert tree.root == "r"
    assert answer_id(tree, Asked("r", "Q\r\nQ ", "x")) == "a3"
    assert answer_id(tree, Asked("a1", "Q\r\nQ", "x")) == "a2"
    assert answer_id(tree, Asked("a2", "Q\r\nQ", "x")) is None


@pytest.mark.parametrize(
    "document", [None, [], {}, {"json": []}, {"messages": [{"id": 3}, "x"]}]
)
def test_a_conversation_without_messages_is_an_error(document: Any) -> None:
    with pytest.raises(ProtocolError, match="root message"):
        stored_tree(document)


# --- the token


def test_a_credential_shows_nothing_of_itself() -> None:
    for token_ in ("hf-chat=secret", "secret"):
        credential = Credential.of(token_)
        assert credential.given
        assert "secret" not in f"{credential!r}{credential}"
    assert not Credential.of(None).given


@pytest.mark.parametrize("bad", ["", "a b", "a\r\nb", "hf-chat=é"])
def test_a_token_that_no_header_can_hold_is_refused(bad: str) -> None:
    with pytest.raises(ConfigurationError, match="the token must be"):
        Credential.of(bad)
