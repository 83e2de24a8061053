"""A question that is asked of each row of a table, prepared once for all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.replayed import Replayed
from h2o_magic.config.replay import NO_REPLAY, ReplayMode
from h2o_magic.conversation.answering import Serving
from h2o_magic.conversation.connection import Connection
from h2o_magic.conversation.prepare import prepare
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.replays import mode_of


@dataclass(frozen=True, slots=True)
class TableQuestion:
    """What all rows share.

    Attributes
    ----------
    question : Question
        What was asked, and under which settings.
    request : ChatRequest
        As it is sent, with the marks of columns in its last message.
    notes : tuple of str
        What was not put into the prompt as it was typed, one line each.
    serving : Serving
        The server.
    server, model : str
        Both as they are in keys. Where no folder is used, a server counts by its
        address, whatever it is called.
    replayed : Replayed or None
        The folder that has the answers; None if no folder is used.
    mode : str
        How it is used: ``off``, ``on``, ``only`` or ``refresh``.
    kept : callable
        Keeps, after an answer, what preparing asked of the server, in that folder.
    """

    question: Question
    request: ChatRequest
    notes: tuple[str, ...]
    serving: Serving
    server: str
    model: str
    replayed: Replayed | None = None
    mode: ReplayMode = "off"
    kept: Callable[[], None] = lambda: None


def table_question(
    question: Question,
    record: Record,
    connection: Connection,
    *,
    folder: bool,
    servers: Sequence[str] = (),
) -> TableQuestion:
    """Prepare a question for all rows; with `folder`, as the setting `replay` says.

    Of several `servers`, the first is the one that counts: the question is prepared
    with it, and keys have its name or address, whichever of them answers. Raises what
    :func:`~h2o_magic.conversation.prepare.prepare` does.
    """
    question = replace(question, history=False)
    if not folder:
        question = replace(question, replay=NO_REPLAY, fresh=False)
    connections = [connection.at(server) for server in dict.fromkeys(servers)]
    connection = connections[0] if connections else connection
    answering = connection.answering(question)
    prepared = prepare(question, record, answering)
    if (other := answering.instead(prepared.request)) is not None:
        answering = other
        prepared = prepare(question, record, answering)
    serving = connection.serving()
    if len(connections) > 1:
        members = tuple(each.serving() for each in connections)
        serving = replace(serving, members=members)
    replayed = connection.replays.replayed(question.replay, serving.name)
    model = replayed.shortened(prepared.request.model)
    asked = question, prepared.request, prepared.notes, serving
    if question.replay.mode == "off":
        return TableQuestion(*asked, _identity(serving), model)
    mode = mode_of(question.replay, fresh=question.fresh)
    kept = getattr(answering.backend, "on_kept", lambda: None)
    return TableQuestion(*asked, serving.name, model, replayed, mode, kept)


def _identity(serving: Serving) -> str:
    """Return what a server is, by its address: names are given anew."""
    if serving.local:
        return serving.name
    known = serving.place()
    if known is not None:
        return f"{known.dialect} at {_base(known.url)}"
    backend = serving.backend()
    dialect = getattr(backend, "dialect", "") or type(backend).__name__
    return f"{dialect} at {_base(backend.url)}"


def _base(url: str) -> str:
    """Return an address without the version that its end may have, or not."""
    return re.sub(r"(/v\d+)?/*$", "", url)
