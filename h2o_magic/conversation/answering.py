"""What a question asks of the server that is to answer it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from h2o_magic.backends.base import Backend, ChatRequest
from h2o_magic.chat.events import Event

if TYPE_CHECKING:
    from h2o_magic.backends.servers.known import KnownServer


@dataclass(frozen=True)
class Serving:
    """A server by the name that it has in keys, and how its backend is had.

    `place` returns where another process finds it; None for the local one, and for a
    backend that a program made. `members` are the servers, where several share the
    questions: this one, the first of them, and those that stand in for it.
    """

    name: str
    backend: Callable[[], Backend]
    local: bool = False
    place: Callable[[], KnownServer | None] = lambda: None
    members: tuple[Serving, ...] = ()


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

    def ask(self, backend: Backend, request: ChatRequest) -> Iterator[Event]:
        """Return the events of an answer from the server that was prepared for."""

    def instead(self, request: ChatRequest) -> Answering | None:
        """Return what is to prepare the question anew; None if it may be sent so."""

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
