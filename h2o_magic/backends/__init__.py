"""What a server must be able to do for the session: the Backend protocol.

A backend holds settings, and never the state of a conversation or of a running answer:
several answers may stream from one backend at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from h2o_magic.events import Event
from h2o_magic.messages import Message
from h2o_magic.parameters import Value

__all__ = ["Backend", "ChatRequest", "ModelInfo"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question with everything that is needed to answer it.

    Attributes
    ----------
    model : str
        Short name or id of the model.
    messages : tuple of Message
        The whole context, oldest first; system text first if there is any; the last
        one is the question.
    parameters : mapping
        The generation parameters that somebody set, as
        :func:`h2o_magic.parameters.checked` returns them. A backend must refuse one
        that its server cannot be told, rather than drop it.
    strict : bool
        True asks the server to refuse rather than to answer from demo weights.
    schema : mapping or None
        JSON schema of the answer. A server that can holds the answer to it, and its
        `Source` event says so; others never see it.
    """

    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, Value] = field(default_factory=dict)
    strict: bool = False
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that a server offers.

    Attributes
    ----------
    name : str
        The name to ask for it by.
    weights : str
        The weights that would answer, in words; empty if the server does not say.
    demo : bool
        True if built-in demo weights would answer.
    size : int or None
        Size of the weights, in bytes.
    context : int or None
        Context length, in tokens.
    loaded : bool
        True if the weights are in memory.
    licence : str
        The licence that the weights name; empty if they name none.
    answered_by : str
        Another model that answers for it, since its own weights are not there.
    system : str
        The system text that is recommended for it, and used where nobody set one.
    sampling : mapping
        By the names of parameters: its own value, and where that comes from.
    """

    name: str
    weights: str = ""
    demo: bool = False
    size: int | None = None
    context: int | None = None
    loaded: bool = False
    licence: str = ""
    answered_by: str = ""
    system: str = ""
    sampling: Mapping[str, tuple[Value, str]] = field(default_factory=dict)

    @property
    def recommended_system(self) -> tuple[Value, str] | None:
        """The recommended system text and where it comes from; None without one."""
        if not self.system:
            return None
        return self.system, f"recommended for {self.answered_by or self.name}"


class Backend(Protocol):
    """A server that answers chat requests."""

    @property
    def url(self) -> str:
        """The server's address, without secrets."""

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        """Yield the answer as it comes, ending with one ``Finished`` event.

        Closing the iterator, or an exception raised into it, stops the server's work
        on this answer.

        Raises
        ------
        BackendError
            If the answer does not come, or breaks off; text that came is in
            ``partial``.
        """

    def models(self) -> list[ModelInfo]:
        """Return what the server offers.

        Raises
        ------
        BackendError
            If it does not say.
        """

    def model(self, name: str = "") -> ModelInfo | None:
        """Return what the server says of one model; None if nothing.

        Parameters
        ----------
        name
            The model's name; empty for the one that answers where nobody chose one,
            which only servers of this package tell.

        Raises
        ------
        BackendError
            If it is not reached.
        """

    def count_tokens(self, model: str, messages: Sequence[Message]) -> int | None:
        """Return how many tokens `model` would read of `messages`.

        Parameters
        ----------
        model
            Short name or id of the model.
        messages
            The whole context, the question last.

        Returns
        -------
        int or None
            None if the server cannot count them.

        Raises
        ------
        BackendError
            If the server is not reached, or refuses these.
        """

    def close(self) -> None:
        """Give back what is held here and on the server; never raises."""
