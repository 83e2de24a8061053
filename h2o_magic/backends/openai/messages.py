"""Messages as an OpenAI-compatible server takes them: text, and images as data URIs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from h2o_magic.chat.images import Image
from h2o_magic.chat.messages import Message


def message_items(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return messages as in the API; those without images have a text as content.

    An image whose bytes were erased since is left out.
    """
    return [{"role": m.role, "content": _content(m)} for m in messages]


def _content(message: Message) -> str | list[dict[str, Any]]:
    images = [_part(image) for image in message.images if image.data]
    return (
        [{"type": "text", "text": message.content}, *images]
        if images
        else (message.content)
    )


def _part(image: Image) -> dict[str, Any]:
    address = f"data:{image.media_type};base64,{b64encode(image.data).decode()}"
    return {"type": "image_url", "image_url": {"url": address}}
