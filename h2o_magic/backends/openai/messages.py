"""Messages as an OpenAI-compatible server takes them: text, and images as data URIs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from h2o_magic.chat.images import data_uri
from h2o_magic.chat.messages import Message


def message_items(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return messages as in the API; those without images have a text as content.

    An image whose bytes were erased since is left out.
    """
    return [{"role": m.role, "content": _content(m)} for m in messages]


def _content(message: Message) -> str | list[dict[str, Any]]:
    addresses = [data_uri(image.data) for image in message.images if image.data]
    if not addresses:
        return message.content
    images = [{"type": "image_url", "image_url": {"url": url}} for url in addresses]
    return [{"type": "text", "text": message.content}, *images]
