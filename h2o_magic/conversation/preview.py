"""What would be sent, before it is: as values, as Markdown and as plain text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from h2o_magic.chat.context import estimate
from h2o_magic.chat.messages import Message
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Value
from h2o_magic.config.units import counted
from h2o_magic.conversation.prepare import Prepared
from h2o_magic.errors import BackendError
from h2o_magic.rendering.fences import fenced
from h2o_magic.rendering.tables import literal, printable

_SCHEMA = "schema, the answer's grammar where the server has one"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a question would send.

    `tokens` is how many tokens the messages have, by the server's count if `counted`,
    else estimated; `sent` of `earlier` turns before it would go along.
    """

    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, Value]
    tokens: int
    counted: bool
    sent: int = 0
    earlier: int = 0
    schema: Mapping[str, Any] | None = None


def preview(prepared: Prepared) -> Preview:
    """Return what a question would send; raises a ParameterError as asking would."""
    request = prepared.request
    check = getattr(prepared.backend, "check", None)
    count = getattr(prepared.backend, "count_tokens", None)
    tokens: int | None = None
    with suppress(BackendError):  # asking is what shows that the server is not there
        if check is not None:
            check(request)
        if count is not None:
            tokens = count(request.model, request.messages)
    return Preview(
        request.model,
        request.messages,
        request.parameters,
        estimate(request.messages) if tokens is None else tokens,
        tokens is not None,
        prepared.sent,
        prepared.earlier,
        request.schema,
    )


def preview_markdown(preview: Preview) -> str:
    """Return a preview as Markdown: each message as it stands, then the rest."""
    parts = [f"**{m.role}**\n\n{fenced(m.content, 'text')}" for m in preview.messages]
    if preview.schema is not None:
        parts.append(f"**{_SCHEMA}**\n\n{fenced(_schema(preview), 'json')}")
    about = " · ".join(literal(phrase) for phrase in _about(preview))
    return "\n\n".join([*parts, f"<sub>{about}</sub>"])


def preview_plain(preview: Preview) -> str:
    parts = [f"{m.role}:\n{m.content}" for m in preview.messages]
    if preview.schema is not None:
        parts.append(f"{_SCHEMA}:\n{_schema(preview)}")
    return printable("\n\n".join([*parts, f"[{' · '.join(_about(preview))}]"]))


def _schema(preview: Preview) -> str:
    return json.dumps(preview.schema, ensure_ascii=False, indent=2)


def _about(preview: Preview) -> list[str]:
    how = "counted by the server" if preview.counted else "an estimate"
    phrases = [
        "nothing was sent",
        preview.model,
        f"{counted(preview.tokens, 'token')}, {how}",
    ]
    if preview.sent < preview.earlier:
        earlier = counted(preview.earlier, "turn")
        phrases.append(f"{preview.sent:,} of {earlier} would be sent")
    for name, value in preview.parameters.items():
        shown = SETTINGS[name].write(value) if isinstance(value, Mapping) else value
        phrases.append(f"{name} {shown}")
    return phrases
