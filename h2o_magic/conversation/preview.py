"""What would be sent, before it is: as values, as Markdown and as plain text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from h2o_magic.backends.base import ChatRequest
from h2o_magic.chat.context import estimate
from h2o_magic.chat.images import Image
from h2o_magic.chat.messages import Message
from h2o_magic.config.units import counted
from h2o_magic.conversation.prepare import Prepared
from h2o_magic.errors import BackendError
from h2o_magic.rendering.excess import cut_fences
from h2o_magic.rendering.fences import fenced
from h2o_magic.rendering.literal import (
    literal,
    one_line,
    phrase,
    printable,
    without_marks,
)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a question would send.

    `server` is the address it would go to, empty if that is not known. `body` is what
    the request would hold beside the messages, in the server's own names if they are
    known. `tokens` is how many tokens the messages have, by the server's count if
    `counted`, else estimated; `sent` of `earlier` turns before it would go along.
    `notes` say what is not sent as it was typed. `replay` says whether a stored answer
    would be given; it is empty where none are used.
    """

    model: str
    messages: tuple[Message, ...]
    tokens: int
    counted: bool
    server: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    sent: int = 0
    earlier: int = 0
    notes: tuple[str, ...] = ()
    replay: str = ""


def preview(prepared: Prepared) -> Preview:
    """Return what a question would send; raises a ParameterError as asking would."""
    request, backend = prepared.request, prepared.backend
    make_body = getattr(backend, "body", None)
    count = getattr(backend, "count_tokens", None)
    tokens: int | None = None
    body: Mapping[str, Any] = {}
    server = replay = ""
    if (outlook := getattr(backend, "outlook", None)) is not None:
        replay = outlook(request)
    if (has := getattr(backend, "has", None)) is not None and has(request):
        make_body = count = None  # the server need not be there
    with suppress(BackendError):  # asking is what shows that the server is not there
        body = (make_body(request) if make_body else None) or {}
        server = backend.url if body else ""
        if count is not None:
            tokens = count(request.model, request.messages)
    return Preview(
        request.model,
        request.messages,
        estimate(request.messages) if tokens is None else tokens,
        tokens is not None,
        server,
        _without_messages(body or _wanted(request), request.messages[-1].content),
        prepared.sent,
        prepared.earlier,
        prepared.notes,
        replay,
    )


def _wanted(request: ChatRequest) -> dict[str, Any]:
    """Return what is asked of a backend that does not say what it sends."""
    schema = {} if request.schema is None else {"schema": request.schema}
    return {**request.parameters, **schema}


def _without_messages(body: Mapping[str, Any], question: str) -> dict[str, Any]:
    """Return what a body holds beside the messages; gpt-gm has them as one text."""
    return {
        name: value
        for name, value in body.items()
        if name != "messages" and (name, value) != ("inputs", question)
    }


def preview_markdown(preview: Preview) -> str:
    """Return a preview as Markdown: each message as it stands, then the rest."""
    parts = [
        "\n\n".join(
            [
                f"**{m.role}**",
                fenced(cut_fences(m.content), "text"),
                *map(phrase, _pictures(m)),
            ]
        )
        for m in preview.messages
    ]
    if preview.body:
        body = fenced(cut_fences(_body(preview)), "json")
        parts.append(f"**{phrase(_title(preview))}**\n\n{body}")
    about = " · ".join(_about(preview, name=literal, words=phrase))
    return "\n\n".join([*parts, f"<sub>{about}</sub>"])


def preview_plain(preview: Preview) -> str:
    parts = [
        "\n\n".join([f"{m.role}:\n{m.content}", *_pictures(m)])
        for m in preview.messages
    ]
    if preview.body:
        parts.append(f"{without_marks(_title(preview))}:\n{_body(preview)}")
    about = " · ".join(_about(preview, name=one_line, words=without_marks))
    return printable("\n\n".join([*parts, f"[{about}]"]))


def _pictures(message: Message) -> list[str]:
    return [_picture(image) for image in message.images]


def _picture(image: Image) -> str:
    size = f"{image.width:,} x {image.height:,} pixels, {len(image.data):,} bytes"
    return f"`{image.name}`: {image.media_type}, {size}"


def _title(preview: Preview) -> str:
    where = f", to `{preview.server}`" if preview.server else ""
    return f"the rest of the request{where}"


def _body(preview: Preview) -> str:
    return json.dumps(dict(preview.body), ensure_ascii=False, indent=2)


def _about(
    preview: Preview, *, name: Callable[[str], str], words: Callable[[str], str]
) -> list[str]:
    how = "counted by the server" if preview.counted else "an estimate"
    phrases = [
        "nothing was sent",
        name(preview.model),
        f"{counted(preview.tokens, 'token')}, {how}",
    ]
    if preview.sent < preview.earlier:
        earlier = counted(preview.earlier, "turn")
        phrases.append(f"{preview.sent:,} of {earlier} would be sent")
    replay = [name(preview.replay)] if preview.replay else []
    return [*phrases, *map(words, preview.notes), *replay]
