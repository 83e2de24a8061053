"""What is changed of a request before the engine gets it; all else goes as it came.

The model's name, `strict` (ours: no stand-in may answer), control texts in messages,
and the name of the repetition penalty. What can never fit is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from h2o_magic.server.defuse import KNOWN_MARKERS, defused
from h2o_magic.server.engine_errors import too_long
from h2o_magic.server.errors import RequestError
from h2o_magic.server.loading import default_stops, real_name
from h2o_magic.weights.files import Weights
from h2o_magic.weights.gguf import Header, read_header

#: The fields with messages, whose texts a template surrounds, by route.
_TEXTS = {
    "/v1/chat/completions": ("messages",),
    "/v1/chat/completions/input_tokens": ("messages",),
    "/v1/responses": ("input", "instructions"),
    "/v1/responses/input_tokens": ("input", "instructions"),
    "/v1/messages": ("messages", "system"),
    "/v1/messages/count_tokens": ("messages", "system"),
    "/apply-template": ("messages",),
}


#: The types of parts that hold files.
_FILES = frozenset(
    [
        "document",
        "file",
        "image",
        "image_url",
        "input_audio",
        "input_file",
        "input_image",
    ]
)
#: The longest text that is only cut into tokens, in characters.
_LONGEST_ERRAND = 2**20
#: The fewest tokens of a message in any template.
_MESSAGE = 3


@dataclass
class EngineRequest:
    """A request for the engine: the client's own bytes, unless `changed`.

    What the front adds is `added`, in front of them.
    """

    path: str
    body: dict[str, Any]
    raw: bytes = field(repr=False, default=b"")
    changed: bool = False
    added: dict[str, Any] = field(default_factory=dict)

    @property
    def streams(self) -> bool:
        return self.body.get("stream") is True

    @property
    def data(self) -> bytes:
        if self.changed:
            return json.dumps({**self.body, **self.added}).encode()
        if not self.added:
            return self.raw
        added = json.dumps(self.added).encode()
        return added[:-1] + b"," + self.raw.lstrip()[1:]

    def copy(self) -> EngineRequest:
        return replace(self, body=dict(self.body), added=dict(self.added))

    def add(self, name: str, value: Any) -> None:
        """Add a field; one that the client has set is replaced."""
        self.added[name] = value
        self.remove(name)

    def set(self, name: str, value: Any) -> None:
        self.body[name] = value
        self.changed = True

    def remove(self, *names: str) -> None:
        for name in names:
            if name in self.body:
                del self.body[name]
                self.changed = True


def model_of(body: dict[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise RequestError(
            "expected `model` to name one of GET /v1/models", param="model"
        )
    return model


def rewrite(request: EngineRequest, weights: Weights) -> None:
    """Change what depends on the weights alone. Reads the file's header."""
    body, header = request.body, read_header(weights.path)
    if not isinstance(body.get("stream"), bool | None):
        raise RequestError("expected `stream` to be true or false", param="stream")
    if body["model"] != (name := real_name(weights)):
        request.set("model", name)
    request.remove("strict")
    if "repetition_penalty" in body:
        request.set("repeat_penalty", body["repetition_penalty"])
        request.remove("repetition_penalty")
    if request.path.startswith("/v1/responses") and isinstance(body.get("input"), list):
        _type_messages(request)
    markers = header.control_texts | KNOWN_MARKERS
    for name in _TEXTS.get(request.path, ()):
        if name in body and (safe := defused(body[name], markers)) != body[name]:
            request.set(name, safe)
        if request.path != "/apply-template":
            _refuse_too_long(body.get(name), header)
    for text in _texts_alone(request):
        _refuse_too_long(text, header)
    if _size(body.get("content")) > _LONGEST_ERRAND:
        raise RequestError(f"expected at most {_LONGEST_ERRAND} characters", 413)
    _refuse_foreign_images(body)
    stops = default_stops(header)
    if stops and body.get("stop"):  # the request's own would replace them
        own = [body["stop"]] if isinstance(body["stop"], str) else body["stop"]
        if isinstance(own, list):
            request.set("stop", [*own, *stops])


def _type_messages(request: EngineRequest) -> None:
    """Name the type of messages, which OpenAI's clients may leave out."""
    items = request.body["input"]
    typed = [
        {"type": "message", **item}
        if isinstance(item, dict) and "role" in item
        else item
        for item in items
    ]
    if typed != items:
        request.set("input", typed)


def _texts_alone(request: EngineRequest) -> list[Any]:
    """Return the texts without messages, each of which must fit by itself."""
    name = {"/v1/completions": "prompt", "/v1/embeddings": "input"}.get(request.path)
    given = request.body.get(name or "")
    return given if isinstance(given, list) else [given]


def _refuse_too_long(value: object, header: Header) -> None:
    """Refuse what can never fit, by its size alone: the engine needs minutes for it."""
    messages = len(value) if isinstance(value, list) else 1
    least = max(messages * _MESSAGE, _size(value) // header.longest_token)
    if least > header.context_length:
        raise too_long(header.context_length, f"at least {least}")


def _size(value: Any) -> int:
    """Return the characters of all texts in messages, without images."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value)
    if isinstance(value, dict):
        return sum(_size(v) for key, v in value.items() if key != "data")
    return sum(map(_size, value)) if isinstance(value, list) else 0


def _refuse_foreign_images(body: dict[str, Any]) -> None:
    """Refuse addresses, which the engine would fetch from wherever it is."""
    for part in _parts([body.get("messages"), body.get("input")]):
        source = part.get("source")
        holders = [part, part.get("image_url"), source]
        urls = [part.get("image_url"), part.get("file_url")]
        urls += [holder.get("url") for holder in holders if isinstance(holder, dict)]
        if any(isinstance(url, str) and not url.startswith("data:") for url in urls):
            raise RequestError(
                "expected images as `data:` URLs: this server fetches nothing",
                param="messages",
            )


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the parts of messages that hold files."""
    if isinstance(value, list):
        for item in value:
            yield from _parts(item)
    if isinstance(value, dict):
        if value.get("type") in _FILES:
            yield value
        yield from _parts(value.get("content"))
