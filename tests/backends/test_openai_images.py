"""Images in questions to OpenAI-compatible servers, over real sockets."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from contextlib import closing
from typing import Any

import openai
import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.gptgm.backend import GptGmBackend
from h2o_magic.backends.openai.too_long import without_oldest
from h2o_magic.chat.images import Image
from h2o_magic.chat.messages import Message, assistant, system, user
from h2o_magic.config.parameters import checked
from h2o_magic.errors import BackendError, ParameterError
from tests.backends.scripted import GptGmScript, ScriptedServer, document, serving
from tests.backends.test_openai_backend import OpenAIScript, asked, backend_of, refusal


def image(name: str, data: bytes, media_type: str = "image/png") -> Image:
    hash_ = hashlib.sha256(data).hexdigest()
    return Image(name, media_type, 750, 200, hash_, b"small", data)


FIG = image("fig", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
PHOTO = image("photo.jpg", b"\xff\xd8\xff" + b"PHOTO", "image/jpeg")
TALK = (
    system("Be brief."),
    user("What is this?", (PHOTO,)),
    assistant("A cat."),
    user("And these? “漢字” 🙂", (FIG, PHOTO)),
)


def request(*messages: Message, **parameters: Any) -> ChatRequest:
    return ChatRequest("m", messages, checked(parameters))


def uri(picture: Image) -> str:
    return f"data:{picture.media_type};base64,{b64encode(picture.data).decode()}"


def openai_message(message: Message) -> dict[str, Any]:
    """A message as a user of the official client writes it."""
    if not message.images:
        return {"role": message.role, "content": message.content}
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.content}]
    for picture in message.images:
        parts.append({"type": "image_url", "image_url": {"url": uri(picture)}})
    return {"role": message.role, "content": parts}


def official(server: ScriptedServer, messages: tuple[Message, ...]) -> dict[str, Any]:
    """Ask with the official client; return the body that came."""
    told: Any = [openai_message(message) for message in messages]
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        usage: Any = {"include_usage": True}
        stream = client.chat.completions.create(
            model="m", messages=told, stream=True, stream_options=usage, temperature=0.5
        )
        list(stream)
    return asked(server)[-1]


@pytest.mark.parametrize("messages", [TALK, TALK[-1:], (user("Hi"),)])
def test_the_body_is_what_the_official_client_sends(
    messages: tuple[Message, ...],
) -> None:
    with backend_of(OpenAIScript()) as (backend, server):
        list(backend.stream(request(*messages, temperature=0.5)))
        (ours,) = asked(server)
        theirs = official(server, messages)
    assert ours == theirs


def test_an_image_whose_bytes_are_gone_is_left_out() -> None:
    gone = Image("fig", "image/png", 3, 2, FIG.hash)
    with backend_of(OpenAIScript()) as (backend, server):
        list(backend.stream(request(user("Hi", (gone,)))))
        assert asked(server)[0]["messages"] == [{"role": "user", "content": "Hi"}]


def test_only_vllm_counts_the_tokens_of_images() -> None:
    script = OpenAIScript(owner="vllm")
    script.others["/tokenize"] = document({"count": 321})
    with backend_of(script) as (backend, server):
        assert backend.count_tokens("m", TALK) == 321
        sent = server.requests[-1].json["messages"]
        assert sent == [openai_message(message) for message in TALK]
    for owner in ("llamacpp", "h2o_magic"):
        with backend_of(OpenAIScript(owner=owner)) as (backend, server):
            assert backend.count_tokens("m", TALK) is None
            assert [r.path for r in server.requests] == ["/v1/models"]


def test_an_image_counts_for_its_tokens_not_for_its_bytes() -> None:
    large = image("large", bytes(1_000_000))
    said = (user("Look", (large,)), assistant("Yes."), user("x" * 6000))
    messages = (*said, assistant("Yes."), user("And now?"))
    items = [openai_message(message) for message in messages]
    # Half of it is too much: the image is a third, the long text is the rest.
    words = "the context length is 4000 tokens, got 8000 tokens"
    assert without_oldest(items, words, 1) == ([items[-1]], 2)


@pytest.mark.parametrize(
    "words",
    [
        "cannot read {uri}",
        '[{{"type": "value_error", "input": {{"url": "{uri}"}}}}]',
    ],
)
def test_an_error_never_shows_an_images_bytes(words: str) -> None:
    script = OpenAIScript(refusal(words.format(uri=uri(PHOTO))))
    with backend_of(script) as (backend, _), pytest.raises(BackendError) as raised:
        list(backend.stream(request(*TALK)))
    assert "data:image/jpeg;base64,…" in str(raised.value)
    assert b64encode(PHOTO.data).decode() not in str(raised.value)


def test_values_with_images_show_no_bytes() -> None:
    shown = repr(request(*TALK))
    assert "photo.jpg" in shown
    assert not re.search("PHOTO|small|base64", shown)


def test_gpt_gm_has_no_images_and_sends_nothing() -> None:
    with serving(GptGmScript()) as server, closing(GptGmBackend(server.url)) as backend:
        for ask in (backend.body, backend.stream):
            with pytest.raises(ParameterError, match="images cannot be sent to") as one:
                ask(request(*TALK))
            assert "\n" not in str(one.value)
        assert server.requests == []
        list(backend.stream(request(*TALK[:3], user("And now?"))))
        created = next(r for r in server.requests if r.path == "/conversation")
        assert created.json["messages"][1] == {
            "role": "user",
            "content": "What is this?",
        }
