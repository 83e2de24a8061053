"""What a server must be able to do for the session: the Backend protocol.

A backend holds settings, and never the state of a conversation or of a running answer:
several answers may stream from one backend at once. A `Dialect` says how backends for
one kind of server are made, and how such a server is recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from h2o_magic.chat.events import Event
from h2o_magic.chat.messages import Message
from h2o_magic.config.parameter import Value


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
        :func:`~h2o_magic.config.parameters.checked` returns them. A backend must refuse
        one that its server cannot be told, rather than drop it.
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
    """A server that answers chat requests.

    A class that inherits from this one may leave out `model`, `count_tokens`, `forget`
    and `close`: they say then that the server cannot do that, or do nothing.
    """

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

    def model(self, name: str = "") -> ModelInfo | None:  # noqa: ARG002
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
        return None

    def count_tokens(
        self,
        model: str,  # noqa: ARG002
        messages: Sequence[Message],  # noqa: ARG002
    ) -> int | None:
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
        return None

    def close(self) -> None:
        """Give back what is held here and on the server; never raises."""
        return


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """A server's answer to one of the GET requests that find out what it speaks."""

    path: str
    status: int
    document: Any = None
    words: str = ""
    server: str = ""

    @property
    def refused(self) -> bool:
        """True if the server wants a key, or another one."""
        return self.status in (401, 403)

    def __str__(self) -> str:
        said = [str(self.status or "no answer"), *filter(None, [self.words])]
        return f"GET {self.path}: {', '.join(said)}"


@dataclass(frozen=True, slots=True)
class Match:
    """What a server that was recognised says of itself.

    Attributes
    ----------
    engine : str
        The program that answers, if it can be told; else empty.
    models : int or None
        How many models it listed; None if it did not.
    """

    engine: str = ""
    models: int | None = None


#: Judges an answer, given those to other probes that came before it.
Recognise = Callable[[ProbeAnswer, Sequence[ProbeAnswer]], Match | None]


@dataclass(frozen=True, slots=True)
class Dialect:
    """A way of talking to servers, by which a backend can be made."""

    name: str
    label: str
    connect: Callable[[str, str | None], Backend]
    probes: tuple[str, ...] = ()
    recognise: Recognise = lambda _answer, _earlier: None

    def __post_init__(self) -> None:
        probes: object = self.probes  # what a plug-in gives is checked by nobody else
        paths = probes if isinstance(probes, tuple) else ("",)
        if not all(str(path).startswith(("/", "{version}/")) for path in paths):
            raise TypeError(
                f"the dialect {self.name!r}: expected `probes` as a tuple of paths "
                f'like ("/models",), got {self.probes!r}'
            )
