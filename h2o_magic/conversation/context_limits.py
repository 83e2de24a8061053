"""What the models of a server can hold and see, as far as it says or has shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from h2o_magic.backends.base import Backend, ModelInfo
from h2o_magic.chat.context import CAUTIOUS, bytes_per_token
from h2o_magic.chat.messages import Message
from h2o_magic.config.parameters import PARAMETERS
from h2o_magic.errors import BackendError


@dataclass(frozen=True, slots=True)
class KnownModel:
    """What is known of a model without asking its server.

    Its `context` in tokens, None if unknown; the tokens to which its server cuts what
    it is sent, None if it does not; UTF-8 bytes per token; the recommended system text;
    whether it takes images, None if unknown.
    """

    context: int | None = None
    cut: int | None = None
    rate: float = CAUTIOUS
    system: str = ""
    vision: bool | None = None


def cut_of(backend: Backend | None) -> int | None:
    """Return the tokens to which a gpt-gm server cuts a question, at its beginning."""
    if getattr(backend, "dialect", "") != "gpt-gm":
        return None
    return cast(int, PARAMETERS["truncate"].service_default)


class ModelLimits:
    """Context lengths, eyes and token rates of one server's models."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._listed: Mapping[str, ModelInfo] | None = None
        self._visions: dict[str, bool | None] = {}
        self._rates: dict[str, float] = {}

    def context(self, model: str) -> int | None:
        """Return a model's context length in tokens; None if unknown."""
        info = self._models().get(model)
        return info.context if info else None

    @property
    def listed(self) -> tuple[ModelInfo, ...]:
        """The models that the server has listed so far."""
        return tuple((self._listed or {}).values())

    def vision(self, model: str) -> bool | None:
        """Return whether a model takes images; None if unknown."""
        if model not in self._visions:
            info = self._models().get(model)
            known = info.vision if info else None
            self._visions[model] = self._ask(model) if known is None else known
        return self._visions[model]

    def has_seen(self, model: str) -> None:
        """Note that a model has answered a question with images."""
        self._visions[model] = True

    def rate(self, model: str) -> float:
        """Return about how many bytes of UTF-8 a token of the model has."""
        return self._rates.get(model, CAUTIOUS)

    def learn(self, model: str, messages: Iterable[Message], tokens: int) -> None:
        """Take a server's count of the tokens of `messages` for the model's rate."""
        rate = bytes_per_token(messages, tokens)
        if rate is not None:
            self._rates[model] = rate

    def _models(self) -> Mapping[str, ModelInfo]:
        if self._listed is None:
            self._listed = {}
            with suppress(BackendError):  # the question itself will show what is wrong
                self._listed = {m.name: m for m in self._backend.models()}
        return self._listed

    def _ask(self, model: str) -> bool | None:
        ask = getattr(self._backend, "vision", None)  # a plug-in may be older
        with suppress(BackendError):
            return ask(model) if ask else None
        return None
