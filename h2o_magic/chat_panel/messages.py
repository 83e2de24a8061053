"""The messages that the views of a panel get, as JSON values.

All views get all messages, except those that name one view in ``to``.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from h2o_magic.backends.text import join_surrogates
from h2o_magic.chat.turns import Turn
from h2o_magic.chat_panel.html import as_html
from h2o_magic.chat_panel.rows import row_of
from h2o_magic.chat_panel.stream import AnswerStream
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError, H2OMagicError

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # else it would be written into a cell

#: By which pages tell a kernel from the one before it.
KERNEL = uuid.uuid4().hex

#: How many of the last turns come with the first message, to be seen at once.
_AT_ONCE = 8

_WELCOME = """
### Ask about this notebook

The chat and your `%%h2o` cells share one conversation.
"""


class Messages:
    """Sends messages about the current thread, and tracks what the views know of it."""

    def __init__(
        self, session: Session, send: Callable[[dict[str, Any]], None], root: str
    ) -> None:
        self._session = session
        self._send = send
        self._root = root
        self.lock = threading.RLock()  # held while what the views know may change
        self.streams: dict[int, AnswerStream] = {}  # by the ids of their turns
        self._deleted = 0  # the id of the turn that was deleted last
        self._state_parts: list[Callable[[], dict[str, Any]]] = []
        self._known, self._last = 0, 0  # how many turns the views know, the last's id

    def add_state(self, part: Callable[[], dict[str, Any]]) -> None:
        """Make the messages about the state hold what a function returns, too."""
        self._state_parts.append(part)

    def send(self, kind: str, *, to: str = "", **parts: Any) -> None:
        """Send a message to one view, or to all."""
        self._send(without_lone_surrogates({"type": kind, "to": to, **parts}))

    def send_note(self, view: str, title: str, markdown: str, *, at: str = "") -> None:
        """Show a text in a view, below the turns, from its last heading `at` on."""
        html, thread = as_html(markdown), self._session.thread
        self.send("note", to=view, title=title, html=html, thread=thread, at=at)

    def send_error(
        self, view: str, error: BaseException, request: Mapping[str, Any]
    ) -> None:
        """Show in a view why its request failed."""
        text = in_a_line(error)
        question = str(request.get("text", ""))
        what = {name: request.get(name) for name in ("id", "n")}
        self.send("error", to=view, text=text, question=question, **what)

    @contextmanager
    def showing_errors(self, view: str, request: Mapping[str, Any]) -> Iterator[None]:
        """Show in a view what is raised: what pages and plug-ins do may raise any."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, H2OMagicError):
                _log.exception("the panel could not do what a page requested")
            self.send_error(view, error, request)

    def in_background(
        self, view: str, request: Mapping[str, Any], do: Callable[[], object]
    ) -> None:
        """Do what a view requests beside others, which need not wait for it."""

        def run() -> None:
            with self.showing_errors(view, request):
                do()

        threading.Thread(target=run, name="h2o_magic-request", daemon=True).start()

    def send_state(self) -> None:
        """Send everything but the turns."""
        with self.lock:
            session = self._session
            current = session.thread
            running = {i: s for i, s in self.streams.items() if s.thread == current}
            state: dict[str, Any] = {
                "running": list(running),
                "elapsed": max((s.seconds for s in running.values()), default=0.0),
                "reasoning": session.settings["reasoning"],
                "undoable": self.undoable(),
                "root": self._root,
            }
            for part in self._state_parts:
                state |= part()
            self.send("state", state=state)

    def send_thread(self, *, to: str = "") -> None:
        """Send the current thread: the order of its turns, the last ones, its draft."""
        with self.lock:
            shown = self._session.turns(last=_AT_ONCE)
            name, welcome = self._session.thread, as_html(_WELCOME)
            more = {
                "name": name,
                "draft": self._session.draft(),
                "drafts": dict(self._session.conversation.drafts()),
                "welcome": welcome,
                "kernel": KERNEL,
            }
            self._send_order("thread", self._ids(), shown, to=to, **more)

    def send_order(self, *, started: int = 0, to: str = "") -> None:
        """Send the order of the turns after a change; `started` is a new turn's id."""
        with self.lock:
            ids = self._ids()
            shown = self.turns_with({started})
            self._send_order("order", ids, shown, to=to, refresh=ids[-1:] != (started,))

    def _send_order(
        self, kind: str, ids: tuple[int, ...], shown: Iterable[Turn], **parts: Any
    ) -> None:
        self._known, self._last = len(ids), ids[-1] if ids else 0
        self.send(kind, ids=ids, rows=self._rows(shown), **parts)

    def send_started(self, turn: Turn) -> None:
        """Send a new turn; the order of all, which may be many, only if needed."""
        count = self._session.record.count(self._session.thread)
        if not turn.number == self._known + 1 == count:
            self.send_order(started=turn.id)
            return
        after, self._known, self._last = self._last, count, turn.id
        rows = self._rows(self.turns_with({turn.id}))
        self.send("started", id=turn.id, after=after, count=count, rows=rows)

    def send_rows(self, ids: Collection[int], *, to: str = "") -> None:
        """Send what some turns show."""
        with self.lock:
            self.send("rows", to=to, rows=self._rows(self.turns_with(ids)))

    def send_deltas(self) -> bool:
        """Send what is new of the running answers; return whether anything is."""
        current = self._session.thread
        deltas = {
            turn_id: delta
            for turn_id, stream in self.streams.items()
            if stream.thread == current and (delta := stream.delta())
        }
        for turn_id, delta in deltas.items():
            self.send("delta", id=turn_id, **delta)
        return bool(deltas)

    def send_ended(self, turn: Turn, stream: AnswerStream | None) -> None:
        """Send a turn that has ended; without its answer where the views have that."""
        delta = {} if stream is None else stream.delta()
        if turn.id != self._last:  # the next one names its model if this has another
            self.send_rows(self._after(turn.id))
        for row in self._rows(self.turns_with({turn.id})):
            if stream is not None and stream.html == row["answer_html"]:
                self.send("delta", id=turn.id, **delta)
                row["answer_html"] = None
            self.send("rows", rows=[row])

    def _after(self, turn_id: int) -> tuple[int, ...]:
        ids = self._ids()
        place = ids.index(turn_id) + 1 if turn_id in ids else len(ids)
        return ids[place : place + 1]

    def note_deletion(self, turn_id: int) -> None:
        """Remember a deletion, which can be undone whatever is asked after it."""
        self._deleted = turn_id

    def undoable(self) -> int:
        """Return the id of the turn whose deletion can be undone; 0 if none."""
        there = self._session.record.is_dropped
        return self._deleted if there(self._session.thread, self._deleted) else 0

    def turns_with(self, ids: Iterable[int]) -> tuple[Turn, ...]:
        """Return the turns of the current thread that have these ids, in order."""
        return self._session.record.with_ids(self._session.thread, ids)

    def turn(self, turn_id: int) -> Turn:
        """Return a turn of the current thread; a ConfigurationError if it is gone."""
        for turn in self.turns_with({turn_id}):
            return turn
        raise ConfigurationError("this turn is no longer in the thread")

    def _ids(self) -> tuple[int, ...]:
        return self._session.record.ids(self._session.thread)

    def _rows(self, turns: Iterable[Turn]) -> list[dict[str, Any]]:
        turns = tuple(turns)
        ids = [turn.id for turn in turns]
        versions = self._session.version_counts(of=ids)
        before = self._session.record.before_each(self._session.thread, ids)
        for turn in turns:
            if turn.id in self.streams:
                # A row holds nothing of a running answer: all of it is sent again.
                self.streams[turn.id].restart()
        return [
            row_of(
                turn,
                self.streams.get(turn.id),
                versions=versions.get(turn.id, (1, 1)),
                before=before.get(turn.id),
            )
            for turn in turns
        ]


def in_a_line(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def without_lone_surrogates(value: Any) -> Any:
    """Return a JSON value that can be encoded: pages and models send half emojis."""
    if isinstance(value, str):
        return join_surrogates(value)
    if isinstance(value, Mapping):
        return {name: without_lone_surrogates(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_lone_surrogates(part) for part in value]
    return value
