"""What was asked, in a few fields that people and programs can read.

Long texts have their beginning there, with a short digest of each piece behind it, so
that a change is found there, too. Digests are of texts without secrets; of an earlier
message, these are taken out of its beginning only, which is what can be read of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.key import canonical, digest
from h2o_magic.chat.images import Image
from h2o_magic.chat.messages import Message

Summary = Mapping[str, Any]
Mask = Callable[[str], str]

#: Characters of a text that are kept, of an earlier message, and of a piece behind;
#: how many pieces have a digest of their own; characters of a schema.
KEPT, BEGINS, PIECE, MOST_PIECES, _MOST_OF_SCHEMA = 2000, 60, 200, 400, 4000
#: Characters of an earlier message that are searched for secrets: searching all of
#: thirty long ones takes a tenth of a second, and `BEGINS` are shown.
_SEARCHED = 4000
_TEXTS = ("model", "messages", "parameters", "schema")


def summary(
    request: ChatRequest, server: str, mask: Mask, *, whole: bool = False
) -> dict[str, Any]:
    """Return what is asked, as JSON values; `mask` takes secrets out of texts.

    With `whole`, its texts are whole: to be compared, not to be stored.
    """
    asked = next((m for m in reversed(request.messages) if m.role == "user"), None)
    earlier = [m for m in request.messages if m.role != "system" and m is not asked]
    system = "\n\n".join(m.content for m in request.messages if m.role == "system")
    found = {
        "server": server,
        "model": mask(request.model),
        **_text("question", mask(asked.content) if asked else ""),
        **_text("system", mask(system)),
        "earlier": [_earlier(m, mask) for m in earlier],
        "images": [_image(i) for i in (asked.images if asked else ()) if i.data],
        "parameters": _masked(canonical(request.parameters), mask),
        **_schema(request.schema, mask),
        **_others(request),
    }
    return found if whole else cut(found)


def cut(whole: Summary) -> dict[str, Any]:
    """Return what is stored of a summary with whole texts."""
    return {**whole, **{name: whole[name][:KEPT] for name in ("question", "system")}}


def pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces: its lines, the long ones cut."""
    for line in text.splitlines(keepends=True):
        yield from (line[n : n + PIECE] for n in range(0, len(line), PIECE))


def _text(name: str, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {name: text}
    behind = list(pieces(text[KEPT:]))
    if behind:
        parts = [*behind[:MOST_PIECES], "".join(behind[MOST_PIECES:])]
        found[f"{name}_behind"] = [digest(part)[:6] for part in parts if part]
    return found


def _earlier(message: Message, mask: Mask) -> dict[str, str]:
    text = mask(message.content[:_SEARCHED]) + message.content[_SEARCHED:]
    images = [canonical(image) for image in message.images]
    return {
        "role": message.role,
        "begins": " ".join(text[:BEGINS].split()),
        "digest": digest([text, images])[:12],
    }


def _image(image: Image) -> dict[str, str]:
    return {
        "name": image.name,
        "size": f"{image.width} x {image.height}",
        "digest": canonical(image)[:12],
    }


def _schema(schema: Summary | None, mask: Mask) -> dict[str, Any]:
    if schema is None:
        return {}
    masked = _masked(canonical(schema), mask)
    short = len(json.dumps(masked)) <= _MOST_OF_SCHEMA
    return {"schema": masked if short else digest(masked)[:12]}


def _others(request: ChatRequest) -> dict[str, Any]:
    """Return the other fields of a request, also those that are added to it later."""
    set_ = canonical(request)
    names = [f.name for f in fields(request) if f.name not in _TEXTS]
    return {name: digest(set_[name])[:12] for name in names if name in set_}


def _masked(value: Any, mask: Mask, name: str = "") -> Any:
    """Return JSON without its secrets, which the names of values tell."""
    shown = json.dumps({name: value}, ensure_ascii=False)
    if mask(shown) == shown:
        return value
    if isinstance(value, dict):
        return {key: _masked(each, mask, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, mask, name) for each in value]
    return "***"
