"""The old service's recorded requests, sent to our server.

Those that `create_completion` or another client of the old service needs get what was
recorded: the same status, media type and shape. Those that cannot be answered are
refused with a status of their own and a reason in JSON. The other recordings are of the
old web front end, of other setups of it, and of scripted engines; our server takes no
part in them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.server.client import Client, Reply, turn
from tests.server.conftest import Serving

FOLDER = Path(__file__).parents[1] / "recordings" / "gpt-gm"

ANSWERED = [
    "aug2023-conversation-create",
    "aug2023-generate",
    "aug2023-settings-custom-prompt",
    "aug2023-settings-original-client",
    "aug2023-settings-share-false",
    "conversation-create",
    "delete",
    "delete-with-json-body",
    "dev-mode-conversation-create",
    "dev-mode-generate",
    "dev-mode-settings",
    "generate-first-turn",
    "generate-minimal",
    "generate-no-accept",
    "generate-second-turn",
    "generate-while-abandoned-turn-runs",
    "no-disclaimer-create-without-terms",
    "retry-first-turn",
    "retry-second-turn",
    "retry-unknown-id",
    "settings-ok-accept-any",
    "settings-ok-json",
    "settings-ok-multipart",
    "settings-ok-no-accept",
    "settings-ok-original-client",
    "settings-own-cookie-value",
    "stop-generating",
    "stop-generating-again",
    "stop-generating-with-json-type",
    "stop-stream-again",
    "stream-absent",
    "stream-details",
    "stream-emoji-empty-tokens",
    "stream-false",
    "stream-full-text",
    "stream-length-last-token-text",
    "stream-llama-eos",
    "stream-one-write",
    "stream-split-bytes",
    "stream-stop-sequence",
    "stream-tricky-text",
]
#: With the status of our refusal; the old service mostly said 500.
REFUSED = {
    "aug2023-bad-model": 422,
    "body-too-large": 413,
    "conversation-bad-json": 422,
    "conversation-bad-model": 422,
    "conversation-bad-model-no-accept": 422,
    "conversation-no-model": 422,
    "conversation-put": 405,
    "delete-again": 404,
    "error-wrong-type-422-text": 422,
    "generate-after-delete": 404,
    "generate-bool-inputs": 422,
    "generate-empty-inputs": 422,
    "generate-malformed-id": 404,
    "generate-model-gone": 410,
    "generate-no-inputs": 422,
    "generate-unknown-conversation": 404,
    "login-required-401": 401,
    "login-required-settings-401": 401,
    "stop-get": 405,
    "stop-unknown": 404,
}
DELETED = {"delete-again", "generate-after-delete"}
KNOWN_IDS = {"not-an-id", "64a000000000000000000000"}


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
    if name == "generate-model-gone":
        copy = tmp_path / "gone.gguf"
        copy.write_bytes(Path(endless).read_bytes())
        conversation = client.converse(str(copy))
        copy.unlink()
        return conversation
    conversation = client.converse()
    if name in DELETED:
        assert client.call("DELETE", f"/conversation/{conversation}").status == 200
    return conversation


def send(name: str, client: Client, tmp_path: Path, endless: str) -> Reply:
    request = load(name)["request"]
    path = request["path"].removeprefix("/chat")
    found = re.match(r"/conversation/([^/?]+)", path)
    if found and found[1] not in KNOWN_IDS:
        ours = conversation_for(name, client, tmp_path, endless)
        path = path.replace(found[1], ours)
    # What the client adds of itself goes; what was recorded comes.
    headers: dict[str, str | None] = {"Accept": None}
    if name.startswith("login-required"):
        headers["Authorization"] = None
    for key, value in request["headers"]:
        if key.lower() not in ("host", "connection", "content-length"):
            headers[key] = value
    body = request["body"]
    if name == "body-too-large":
        body = json.dumps(turn("x" * (16 * 2**20), {}))
    return client.call(request["method"], path, body, headers)


def shape_of_body(reply: Reply) -> Any:
    """Return types in place of values."""
    if reply.media_type == "text/event-stream":
        return shape_of_stream(reply.events)
    if reply.media_type != "application/json":
        return reply.body
    value = reply.json[0] if isinstance(reply.json, list) else reply.json
    return {key: type(inner) for key, inner in value.items()}


def shape_of_stream(events: list[dict[str, Any]]) -> set[str]:
    for event in events:
        assert list(event) == ["token", "generated_text", "details"]
        assert list(event["token"]) == ["id", "text", "logprob", "special"]
    last = events.pop()
    assert all(event["generated_text"] is None for event in events)
    assert all(event["details"] is None for event in events)
    assert isinstance(last["generated_text"], str)
    # Ours says more in its details.
    return set(last["details"] or ()) - {"input_length", "h2o_magic"}


@pytest.mark.parametrize("name", ANSWERED)
def test_recorded_requests_get_the_recorded_kind_of_answer(
    name: str, serving: Serving, tmp_path: Path, endless: str
) -> None:
    recorded = recorded_reply(load(name)["response"])
    reply = send(name, serving.client(), tmp_path, endless)
    assert (reply.status, reply.media_type) == (recorded.status, recorded.media_type)
    if name != "stop-stream-again":  # the old one was cut, ours ends properly
        assert shape_of_body(reply) == shape_of_body(recorded)


@pytest.mark.parametrize("name", REFUSED)
def test_recorded_requests_that_cannot_be_answered_are_told_why(
    name: str, serving: Serving, tmp_path: Path, endless: str
) -> None:
    reply = send(name, serving.client(), tmp_path, endless)
    assert (reply.status, reply.media_type) == (REFUSED[name], "application/json")
    assert set(reply.json) == {"error", "error_type"}
