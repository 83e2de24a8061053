"""The old service's recorded requests, sent to our server.

For each of the 147 recordings it is said here whether our server takes part. Where it
does, status, media type and the body's shape must be those of the recording, unless a
difference is on purpose and its reason stands in `DIFFERENT`. A stop is different, too:
a stopped stream ends properly here, where the old one was cut (test_stopping.py).
"""

from __future__ import annotations

import base64
import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.server.client import Client, Reply, turn
from tests.server.conftest import Serving

FOLDER = Path(__file__).parents[1] / "recordings" / "gpt-gm"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
ORIGIN = re.compile("https?://chat.example")

_PAGE = "a page, or the data of one, of the old web front end; ours is the notebook"
_SOCIAL = "sharing and voting belong to a public site, not to one user's own server"
_SEARCH = "there is no web search"
_TITLE = "titles are made by whoever lists conversations; ours lists none"
_OTHER_SETUP = "a deployment of another kind: login, path prefix, no origin, rate limit"
_ENGINE = "a state of the engine behind the old server that ours, in-process, has not"
_SCRIPTED = "what a scripted engine said to an ordinary request; see the stream tests"

#: Recordings that our server takes no part in, and why.
NOT_OFFERED = {
    "aug2023-data-json-root": _PAGE,
    "base-path-conversation-get": _OTHER_SETUP,
    "base-path-data-json": _OTHER_SETUP,
    "base-path-wrong-path": _OTHER_SETUP,
    "content-encoding-false": "a defect of the old server: a header that is not true",
    "conversation-from-share": _SOCIAL,
    "conversation-page-other-session": _PAGE,
    "conversations-delete-all": _PAGE,
    "conversations-delete-all-no-referer": _PAGE,
    "data-json-after-abandoned-turn": _PAGE,
    "data-json-conversation": _PAGE,
    "data-json-other-session": _PAGE,
    "data-json-root": _PAGE,
    "end-cut": _ENGINE,
    "end-without-final": _ENGINE,
    "error-engine-down": _ENGINE,
    "error-gateway-502-html": _ENGINE,
    "error-generation-424": "needs a failing engine: see test_failures.py",
    "error-generation-first-event": "needs a failing engine: see test_failures.py",
    "error-list-400": _ENGINE,
    "error-loading-503": _ENGINE,
    "error-midway": "needs a failing engine: see test_failures.py",
    "error-overloaded-429": "requests wait for a slot; none is turned away",
    "error-overloaded-in-stream": "requests wait for a slot; none is turned away",
    "generate-client-leaves": "needs a client that leaves: see test_stopping.py",
    "generate-web-search-id": _SEARCH,
    "message-prompt": "`return_full_text` shows the prompt",
    "no-disclaimer-create-without-terms": _OTHER_SETUP,
    "no-origin-http-referer": _OTHER_SETUP,
    "no-origin-https-referer": _OTHER_SETUP,
    "rate-limit-429": _OTHER_SETUP,
    "search-get": _SEARCH,
    "share": _SOCIAL,
    "share-again": _SOCIAL,
    "share-data-json": _SOCIAL,
    "stop-stream": "needs a second request meanwhile: see test_stopping.py",
    "stream-empty-answer": _SCRIPTED,
    "stream-keep-alive-comments": "needs 15 s of silence: see test_streaming.py",
    "summarize": _TITLE,
    "summarize-empty-conversation": _TITLE,
    "summarize-engine-down": _TITLE,
    "vote": _SOCIAL,
    "vote-bad": _SOCIAL,
    "vote-unknown-message": _SOCIAL,
    "vote-zero": _SOCIAL,
    "web-search-no-key": _SEARCH,
}


@dataclass(frozen=True)
class Difference:
    """How our answer differs from the recorded one on purpose, and why."""

    why: str
    status: int
    media: str
    #: Told the shapes of our body and of the recorded one.
    body: Callable[[Any, Any], bool]


def is_redirect(ours: Any, _recorded: Any) -> bool:
    return list(ours) == ["type", "status", "location"] and ours["type"] == "redirect"


_GREEDY = "a temperature of 0 takes the likeliest each time; the old engine refused it"

#: What is different on purpose.
DIFFERENT = {
    "aug2023-settings-bad-custom-prompts": Difference(
        "the field is of August 2023; ours is the protocol of June, which ignores it",
        200,
        "application/json",
        is_redirect,
    ),
    "aug2023-settings-share-yes": Difference(
        "nothing is shared with anybody, so no word for it is wrong",
        200,
        "application/json",
        is_redirect,
    ),
    "error-truncate-in-stream": Difference(
        "the input is fitted into the context; only a limit of 0 or less is an error",
        200,
        "text/event-stream",
        lambda ours, _: ours[0] == "answer",
    ),
    "error-validation-422": Difference(
        _GREEDY,
        200,
        "application/json",
        lambda ours, _: ours[0]["generated_text"] is str,
    ),
    "error-validation-in-stream": Difference(
        _GREEDY,
        200,
        "text/event-stream",
        lambda ours, _: ours[0] == "answer",
    ),
    "error-wrong-type-422-text": Difference(
        "the words are the same but for line and column in the JSON text",
        422,
        "text/plain",
        lambda ours, recorded: b"expected u32" in ours and recorded.startswith(ours),
    ),
    "no-such-route": Difference(
        "our server lists its models there",
        200,
        "application/json",
        lambda ours, _: isinstance(ours, list),
    ),
}

#: What a request needs before it can be sent, other than a session with a conversation.
FRESH_SESSION = {
    "aug2023-create-before-terms",
    "conversation-before-terms",
    "conversation-before-terms-text",
    "delete-before-terms",
    "generate-no-cookie",
    "get-root",
} | {name for name in NAMES if "settings" in name}
WITHOUT_TOKEN = {name for name in NAMES if name.startswith("login-required")}
DELETED = {"delete-again", "generate-after-delete"}
KNOWN_IDS = {"abcdefghijkl", "not-an-id", "64a000000000000000000000"}
GONE = {"generate-model-gone"}
OTHERS = {"generate-other-session"}


def load(name: str) -> dict[str, Any]:
    recording = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    assert isinstance(recording, dict)
    return recording


def recorded_reply(response: Mapping[str, Any]) -> Reply:
    body = b"".join(base64.b64decode(chunk) for _, chunk in response["chunks"])
    headers = {name.lower(): value for name, value in response["headers"]}
    return Reply(response["status"], headers, body)


def conversation_for(name: str, client: Client, tmp_path: Path, endless: str) -> str:
    """Make the conversation that a recording was made on."""
    if name in GONE:
        copy = tmp_path / "gone.gguf"
        copy.write_bytes(Path(endless).read_bytes())
        conversation = client.converse(str(copy))
        copy.unlink()
        return conversation
    conversation = client.converse()
    if name in DELETED:
        assert client.call("DELETE", f"/conversation/{conversation}").status == 200
    if name in OTHERS:
        client.cookie = None
        client
    return conversation


def send(name: str, client: Client, tmp_path: Path, endless: str) -> Reply:
    request = load(name)["request"]
    path = request["path"]
    if name in WITHOUT_TOKEN:
        client.headers["Authorization"] = ""
        path = path.removeprefix("/chat")
    found = re.match(r"/conversation/([^/?]+)", path)
    if name not in FRESH_SESSION | WITHOUT_TOKEN:
        client
        if found and found[1] not in KNOWN_IDS:
            ours = conversation_for(name, client, tmp_path, endless)
            path = path.replace(found[1], ours)
    # What the client adds of itself goes; what was recorded comes.
    headers: dict[str, str | None] = {"Accept": None}
    for key, value in request["headers"]:
        if key.lower() not in ("host", "cookie", "connection", "content-length"):
            headers[key] = ORIGIN.sub(client.url, value)
    if name == "settings-own-cookie-value":
        headers["Cookie"] = dict(request["headers"])["Cookie"]
    body = request["body"]
    if name == "body-too-large":
        body = json.dumps(turn("x" * 600_000, {}))
    return client.call(request["method"], path, body, headers)


def shape(value: Any) -> Any:
    """Return types in place of values, all through an object; texts of errors stay."""
    if isinstance(value, dict):
        return {
            key: inner if key in ("error", "message", "type") else shape(inner)
            for key, inner in value.items()
            if key != "reason"  # ours says more than `Internal Error`
        }
    return type(value)


def shape_of_body(reply: Reply) -> Any:
    if reply.media_type == "text/event-stream":
        return shape_of_stream(reply.events)
    if reply.media_type == "application/json":
        value = reply.json
        return [shape(v) for v in value] if isinstance(value, list) else shape(value)
    if reply.media_type == "text/html":
        return "a page" if b"<html" in reply.body else reply.body
    return reply.body


def shape_of_stream(events: list[dict[str, Any]]) -> Any:
    if "error" in events[-1]:
        return events
    for event in events:
        assert list(event) == ["token", "generated_text", "details"]
        assert list(event["token"]) == ["id", "text", "logprob", "special"]
    last = events.pop()
    assert all(event["generated_text"] is None for event in events)
    assert all(event["details"] is None for event in events)
    assert isinstance(last["generated_text"], str)
    # Ours says more in its details.
    details = set(last["details"] or ()) - {"input_length", "h2o_magic"}
    return "answer", details


@pytest.mark.parametrize("name", [n for n in NAMES if n not in NOT_OFFERED])
def test_recorded_requests_get_the_recorded_kind_of_answer(
    name: str, serving: Serving, tmp_path: Path, endless: str
) -> None:
    recorded = recorded_reply(load(name)["response"])
    reply = send(name, serving.client(), tmp_path, endless)
    bodies = shape_of_body(reply), shape_of_body(recorded)
    same = Difference("", recorded.status, recorded.media_type, operator.eq)
    wanted = DIFFERENT.get(name, same)
    assert (reply.status, reply.media_type) == (wanted.status, wanted.media)
    assert wanted.body(*bodies), bodies


@pytest.mark.parametrize("name", ["stop-get", "conversation-put"])
def test_the_verbs_that_are_allowed_are_named(name: str, serving: Serving) -> None:
    reply = send(name, serving.client(), Path(), "")
    assert "POST" in reply.headers["allow"]


@pytest.mark.parametrize("name", ["settings-ok-json", "settings-own-cookie-value"])
def test_the_cookie_is_set_where_the_recording_sets_it(
    name: str, serving: Serving, tmp_path: Path
) -> None:
    recorded = recorded_reply(load(name)["response"]).headers["set-cookie"]
    ours = send(name, serving.client(), tmp_path, "").headers["set-cookie"]
    assert ours.partition("=")[0] == recorded.partition("=")[0] == "hf-chat"
    if name == "settings-own-cookie-value":
        assert ours.partition(";")[0] == recorded.partition(";")[0]


def test_every_recording_is_spoken_for() -> None:
    assert len(NAMES) == 147
    assert set(NOT_OFFERED) | set(DIFFERENT) <= set(NAMES)
    assert not set(NOT_OFFERED) & set(DIFFERENT)
