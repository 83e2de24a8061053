"""What a question asks of the server that is to answer it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from h2o_magic.backends.base import Backend


class Answering(Protocol):
    """A server and its models, as far as a question depends on them.

    `lock` is held while a question is prepared. `value_budget` is the usual number of
    tokens for a value; `cut` the tokens to which the server cuts a question, None if it
    does not.
    """

    @property
    def lock(self) -> AbstractContextManager[object]: ...

    @property
    def backend(self) -> Backend: ...

    @property
    def value_budget(self) -> int: ...

    @property
    def cut(self) -> int | None: ...

    def current_model_name(self) -> str:
        """Return the model that answers where none was chosen; empty if unknown."""

    def adopt(self, model: str) -> None:
        """Use a model until the server changes, where none was chosen."""

    def recommended_system(self, model: str) -> str:
        """Return the system text for a model where none was chosen; may be empty."""

    def context(self, model: str) -> int | None:
        """Return a model's context length in tokens; None if unknown."""

    def vision(self, model: str) -> bool | None:
        """Return whether a model takes images; None if unknown."""

    def rate(self, model: str) -> float:
        """Return about how many bytes of UTF-8 a token of the model has."""
