"""What the models of a server can hold, as far as it says or has shown."""

from __future__ import annotations

from collections.abc import Iterable

from h2o_magic.backends.base import Backend
from h2o_magic.chat.context import CAUTIOUS, bytes_per_token
from h2o_magic.chat.messages import Message
from h2o_magic.errors import BackendError


class ModelLimits:
    """Context lengths and token rates of one server's models."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._contexts: dict[str, int] | None = None
        self._rates: dict[str, float] = {}

    def context(self, model: str) -> int | None:
        """Return a model's context length in tokens; None if unknown."""
        if self._contexts is None:
            self._contexts = self._ask()
        return self._contexts.get(model)

    def vision(self, model: str) -> bool | None:
        """Return whether a model takes images; None if unknown."""
        return None

    def rate(self, model: str) -> float:
        """Return about how many bytes of UTF-8 a token of the model has."""
        return self._rates.get(model, CAUTIOUS)

    def learn(self, model: str, messages: Iterable[Message], tokens: int) -> None:
        """Take a server's count of the tokens of `messages` for the model's rate."""
        rate = bytes_per_token(messages, tokens)
        if rate is not None:
            self._rates[model] = rate

    def _ask(self) -> dict[str, int]:
        try:
            models = self._backend.models()
        except BackendError:
            return {}  # the question itself will show what is wrong
        return {m.name: m.context for m in models if m.context}
