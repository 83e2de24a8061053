"""What a server must be able to do for the session: the Backend protocol.

A backend holds settings, and never the state of a conversation or of a running answer:
several answers may stream from one backend at once. A `Dialect` says how backends for
one kind of server are made, and how such a server is recognised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from h2o_magic.chat.events import Event
from h2o_magic.chat.messages import Message
from h2o_magic.config.parameter import Value

_KEY = re.compile(r"\bapi.?key\b|\bauthorization\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question with everything that is needed to answer it.

    Attributes
    ----------
    model : str
        Short name or id of the model.
    messages : tuple of Message
        The whole context, oldest first; system messages first, the question last.
    parameters : mapping
        The generation parameters that were set, as
        :func:`~h2o_magic.config.parameters.checked` returns them. A backend must refuse
        one that its server does not support, never drop it.
    strict : bool
        True asks the server to refuse rather than to answer from demo weights.
    schema : mapping or None
        JSON schema of the answer. A server that supports it enforces it, and its
        `Source` event says so; other servers never see it.
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
        The name by which requests select it.
    weights : str
        A description of the weights that would answer; empty if unknown.
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
        The model that answers in its place while its own weights are missing.
    system : str
        Its recommended system text, used where none was set.
    sampling : mapping
        Its recommended parameters: name to value, and where the value comes from.
    vision : bool or None
        True if it takes images; None if the list of models does not say.
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
    vision: bool | None = None

    @property
    def recommended_system(self) -> tuple[Value, str] | None:
        """The recommended system text and where it comes from; None without one."""
        if not self.system:
            return None
        return self.system, f"recommended for {self.answered_by or self.name}"


class Backend(Protocol):
    """A server that answers chat requests.

    A class that inherits from this one may leave out `model`, `vision`, `count_tokens`,
    `body`, `for_rows`, `slots` and `close`; their defaults return None, or the backend.
    All but `close` raise a `BackendError` if the server cannot be reached or refuses
    the request.
    """

    @property
    def url(self) -> str:
        """The server's address, without secrets."""

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        """Yield the answer as it comes, ending with one ``Finished`` event.

        Closing the iterator, or an exception raised into it, stops the server's work
        on this answer. A `BackendError` has the text that came in ``partial``.
        """

    def models(self) -> list[ModelInfo]:
        """Return what the server offers."""

    def model(self, name: str = "") -> ModelInfo | None:  # noqa: ARG002
        """Return what the server says about one model; None if nothing.

        An empty `name` is the server's default, which only servers of this package
        report.
        """
        return None

    def vision(self, model: str) -> bool | None:  # noqa: ARG002
        """Return whether a model takes images, of which the list says nothing.

        None if that is not known.
        """
        return None

    def count_tokens(
        self,
        model: str,  # noqa: ARG002
        messages: Sequence[Message],  # noqa: ARG002
    ) -> int | None:
        """Return how many tokens `model` would read; None if the server cannot count.

        `messages` are the whole context, the question last.
        """
        return None

    def body(self, request: ChatRequest) -> Mapping[str, Any] | None:  # noqa: ARG002
        """Return the JSON body that `stream` would send, without sending it.

        None if there is no such thing. Raises a ParameterError where `stream` would.
        """
        return None

    def for_rows(self, width: int) -> Backend:  # noqa: ARG002
        """Return a backend of the same server for many questions at once.

        It has `width` connections, asks nothing again by itself, and tells the server's
        `RateLimit`; closing it leaves this one as it is.
        """
        return self

    def slots(self, model: str) -> int | None:  # noqa: ARG002
        """Return how many questions the server answers at once; None if unknown."""
        return None

    def close(self) -> None:
        """Release connections and what is held on the server; never raises."""
        return


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """A server's answer to one of the GET requests that detect its dialect."""

    path: str
    status: int
    document: Any = None
    words: str = ""
    server: str = ""

    @property
    def refused(self) -> bool:
        """True if the server requires a key, or another one."""
        asks = self.status == 400 and _KEY.search(self.words)  # Google
        return self.status in (401, 403) or bool(asks)

    def __str__(self) -> str:
        said = [str(self.status or "no answer"), *filter(None, [self.words])]
        return f"GET {self.path}: {', '.join(said)}"


@dataclass(frozen=True, slots=True)
class Match:
    """What is known about a server that a dialect has recognised."""

    engine: str = ""  # the program that answers, if it is known
    models: int | None = None  # how many it listed, if it did


#: Judges an answer, given the answers to earlier probes.
Recognise = Callable[[ProbeAnswer, Sequence[ProbeAnswer]], Match | None]


@dataclass(frozen=True, slots=True)
class Dialect:
    """A protocol that servers speak, and how a backend for it is made."""

    name: str
    label: str
    connect: Callable[[str, str | None], Backend]
    probes: tuple[str, ...] = ()
    recognise: Recognise = lambda _answer, _earlier: None

    def __post_init__(self) -> None:
        probes: object = self.probes  # a plug-in may pass anything
        paths = probes if isinstance(probes, tuple) else ("",)
        if not all(str(path).startswith(("/", "{version}/")) for path in paths):
            raise TypeError(
                f"the dialect {self.name!r}: expected `probes` as a tuple of paths "
                f'like ("/models",), got {self.probes!r}'
            )
