"""What would be sent, before it is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from h2o_magic.chat.context import estimate
from h2o_magic.chat.messages import Message
from h2o_magic.config.parameter import Value
from h2o_magic.conversation.prepare import Prepared
from h2o_magic.errors import BackendError


@dataclass(frozen=True, slots=True)
class Preview:
    """What a question would send."""

    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, Value]
    tokens: int
    counted: bool
    sent: int = 0
    earlier: int = 0
    schema: Mapping[str, Any] | None = None


def preview(prepared: Prepared) -> Preview:
    """Return what a prepared question would send, with its tokens counted.

    Raises a ParameterError where asking would.
    """
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
