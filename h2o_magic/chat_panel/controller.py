"""What the panel's views may do to a conversation, and when they are told of it.

It knows no widget: messages of JSON values go out by a function, and come in by
:meth:`View.receive`. A thread of its own tells the views what happens, so no answer
ever waits for one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from h2o_magic.chat.turns import Turn
from h2o_magic.chat_panel.messages import Telling
from h2o_magic.chat_panel.stream import Running
from h2o_magic.chat_panel.transcript import MOST_TURNS, transcript
from h2o_magic.chat_panel.wire import sendable
from h2o_magic.conversation.background import BackgroundAnswer
from h2o_magic.conversation.notifications import (
    AnswerEnded,
    AnswerGrew,
    AnswerStarted,
    Notification,
    SettingChanged,
    ThreadChanged,
)
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError, H2OMagicError

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # else it would be written into a cell

#: Seconds between two steps of an answer: nine a second look fluent.
INTERVAL = 0.108
#: Seconds of quiet after which the transcript is put into the notebook.
KEEP_AFTER = 1.0
_MOST_OFFERS = 100


class Host(Protocol):
    """What a panel needs of the notebook around it."""

    def expand(self, question: str, *, earlier: str = "") -> str:
        """Return a question with its names in braces as text.

        What stands in braces in `earlier`, the question before it was edited, stays.
        """

    def complete(self, before: str, after: str) -> tuple[str, list[tuple[str, str]]]:
        """Return what stands before the cursor, and what it may become."""

    def choices(self, setting: str) -> list[str]:
        """Return the known values of a setting: model, server or thread."""

    def is_command(self, line: str) -> bool:
        """Return whether a line begins with a subcommand, or with one mistyped."""

    def ask_by_command(self, line: str) -> BackgroundAnswer | None:
        """Ask what a subcommand asks in the background; None if it asks nothing."""

    def command(self, line: str) -> str:
        """Run a subcommand of ``%h2o``, and return what it says, as Markdown."""


class Controls(Protocol):
    """The settings as controls beside a view."""

    def show(self, shown: bool) -> None:
        """Show the controls with what holds now, or hide them."""

    def refresh(self, name: str) -> None:
        """Show a setting's value as it is now."""


class View:
    """Tells views of a session's conversation, and does what they ask for."""

    def __init__(
        self,
        session: Session,
        send: Callable[[dict[str, Any]], None],
        shell: Host,
        *,
        root: str = "",
        controls: Controls | None = None,
        keep: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._session = session
        self._telling = Telling(session, send, root)
        self._shell = shell
        self._controls = controls
        self._keep = keep
        self._kept_by_page = False
        self._keep_at: float | None = None  # by the monotonic clock
        self._lock = threading.RLock()
        self._news: deque[Notification] = deque()
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._closed = False
        self._end_listening = session.listen(self._hear)
        threading.Thread(
            target=self._tell_all, name="h2o_magic-panel", daemon=True
        ).start()

    def close(self) -> None:
        """Tell nothing any more."""
        self._end_listening()
        self._closed = True
        self._ended.set()
        self._wake.set()

    def receive(self, message: Mapping[str, Any]) -> None:
        """Do what a view asks for; trouble is said in that view.

        The view is told in any case, so that it knows whether the kernel listens.
        """
        message = sendable(message)
        view = str(message.get("view", ""))
        do = _ACTIONS.get(str(message.get("do")))
        if do is None:
            return
        try:
            do(self, view, message)
        except H2OMagicError as error:
            self._telling.refuse(view, error, message)
        self._telling.tell(view, "taken")

    # What views ask for

    def _open(self, view: str, message: Mapping[str, Any]) -> None:
        with self._lock:
            self._kept_by_page = self._kept_by_page or bool(message.get("keeps"))
            self._keep_soon()
            self._telling.state()
            self._telling.thread(to=view)
        self._wake.set()

    def _rows(self, view: str, message: Mapping[str, Any]) -> None:
        with self._lock:
            self._telling.rows(set(message["ids"]), to=view)
        self._wake.set()

    def _order(self, view: str, _: Mapping[str, Any]) -> None:
        with self._lock:
            self._telling.thread(to=view, began=0)

    def _ask(self, view: str, message: Mapping[str, Any]) -> None:
        text = str(message["text"])
        self._keep_draft(view, "")
        if "id" in message:
            self._follow(self._edited(message), view, message)
            return
        line = text[1:].strip()
        if text.startswith("/") and self._shell.is_command(line):
            asked = self._shell.ask_by_command(line)
            if asked is None:
                self._command(view, line, message)
            else:
                self._follow(asked, view, message)
            return
        asked = self._session.ask_later(self._shell.expand(text.strip()))
        self._follow(asked, view, message)

    def _edited(self, message: Mapping[str, Any]) -> BackgroundAnswer:
        """Ask an edited question; one that is as it was is sent as it stands."""
        turn, text = self._turn(message), str(message["text"])
        if _as_typed(text) == _as_typed(turn.question):
            return self._session.edit(turn.number, turn.question)
        question = self._shell.expand(text.strip(), earlier=turn.question)
        return self._session.edit(turn.number, question)

    def _regenerate(self, view: str, message: Mapping[str, Any]) -> None:
        asked = self._session.regenerate(self._number(message))
        self._follow(asked, view, message)

    def _version(self, _: str, message: Mapping[str, Any]) -> None:
        self._session.choose_version(self._number(message), int(message["to"]))

    def _stop(self, *_: object) -> None:
        self._session.stop()

    def _drop(self, view: str, message: Mapping[str, Any]) -> None:
        number, turn_id = self._number(message), int(message["id"])
        with self._lock:
            self._session.drop(number)
            self._telling.deleted(turn_id)
        text = f"Turn {number} was deleted."
        self._telling.tell(view, "undoable", id=turn_id, text=text)

    def _undo(self, view: str, message: Mapping[str, Any]) -> None:
        with self._lock:
            if message["id"] != self._telling.undoable():
                raise ConfigurationError(
                    "the conversation has changed since: ask `/undo` to take its last "
                    "change back"
                )
            self._session.undo()
        self._telling.tell(view, "said", text="It is back.")

    def _go_to_thread(self, _: str, message: Mapping[str, Any]) -> None:
        self._session.thread = str(message["name"])

    def _draft(self, view: str, message: Mapping[str, Any]) -> None:
        self._keep_draft(view, str(message["text"]))

    def _complete(self, view: str, message: Mapping[str, Any]) -> None:
        before, after = str(message["before"]), str(message["after"])
        fragment, offers = self._shell.complete(before, after)
        self._telling.tell(
            view,
            "complete",
            n=message["n"],
            **{"from": len(fragment), "offers": offers[:_MOST_OFFERS]},
        )

    def _preview(self, view: str, message: Mapping[str, Any]) -> None:
        from h2o_magic.conversation.preview import preview_markdown  # noqa: PLC0415

        earlier = self._turn(message).question if "id" in message else ""
        question = self._shell.expand(str(message["text"]), earlier=earlier)
        preview = self._session.preview(question, cell=None)
        self._telling.note(view, "What would be sent", preview_markdown(preview))

    def _ping(self, *_: object) -> None:
        """Do nothing; that this was taken is what the view wants to know."""

    def _show_controls(self, _: str, message: Mapping[str, Any]) -> None:
        self._telling.controls_shown = bool(message["shown"])
        if self._controls is not None:
            self._controls.show(self._telling.controls_shown)
        with self._lock:
            self._telling.state()

    def _command(self, view: str, line: str, message: Mapping[str, Any]) -> None:
        def run() -> None:
            try:
                self._telling.note(view, f"/{line}", self._shell.command(line))
            except H2OMagicError as error:
                self._telling.refuse(view, error, message)

        threading.Thread(target=run, name="h2o_magic-command", daemon=True).start()

    # What happens

    def _hear(self, news: Notification) -> None:
        self._news.append(news)
        if isinstance(news, AnswerEnded):
            self._ended.set()
        self._wake.set()

    def _tell_all(self) -> None:
        while not self._closed:
            late = self._keep_at
            self._wake.wait(None if late is None else max(late - time.monotonic(), 0))
            self._wake.clear()
            self._ended.clear()
            begun = time.monotonic()
            try:
                grown = self._tell_news()
            except Exception as error:
                _log.exception("the panel could not show what happened")
                with suppress(Exception):
                    self._telling.refuse("", error, {})
                grown = True
            if grown:  # as much rest as work at least: cells run beside this
                took = time.monotonic() - begun
                time.sleep(took)
                self._ended.wait(max(INTERVAL - 2 * took, 0))  # an end is told at once

    def _tell_news(self) -> bool:
        """Tell what has happened; return whether an answer has grown."""
        with self._lock:
            while self._news:
                self._take(self._news.popleft())
            grown = self._telling.growth()
            self._keep_transcript()
        return grown

    def _take(self, news: Notification) -> None:
        match news:
            case AnswerStarted(thread, turn):
                self._telling.running[turn.id] = Running(thread)
                if thread == self._session.thread:
                    self._telling.beginning(turn)
            case AnswerGrew(_, turn_id, answer):
                if turn_id in self._telling.running:
                    self._telling.running[turn_id].answer = answer
                return
            case AnswerEnded(thread, turn):
                running = self._telling.running.pop(turn.id, None)
                if thread == self._session.thread:
                    self._telling.end(turn, running)
            case ThreadChanged(thread):
                if thread in (None, self._session.thread):
                    self._telling.thread(began=0)
            case SettingChanged(setting):
                if setting == "thread":
                    self._telling.thread()
                if self._controls is not None and self._telling.controls_shown:
                    self._controls.refresh(setting)
        self._keep_soon()
        self._telling.state()

    def _keep_soon(self) -> None:
        self._keep_at = time.monotonic() + KEEP_AFTER

    def _keep_transcript(self) -> None:
        """Put the transcript into the notebook when it has been quiet for a while."""
        if (
            self._keep_at is None
            or time.monotonic() < self._keep_at
            or self._telling.running
        ):
            return
        self._keep_at = None
        markdown = transcript(self._session.turns(last=MOST_TURNS))
        if self._kept_by_page:
            self._telling.transcript(markdown)
        else:
            self._keep(markdown)

    def _follow(
        self, asked: BackgroundAnswer, view: str, message: Mapping[str, Any]
    ) -> None:
        """Say it in a view if a question fails."""

        def wait() -> None:
            asked.wait()
            error = asked.error
            if error is None:
                return
            turn = asked.turn
            with self._lock:
                kept = turn is not None and bool(self._telling.turns_with({turn.id}))
                if turn is not None and kept:
                    self._telling.problems[turn.id] = str(error)
                    self._telling.rows({turn.id})
            self._telling.refuse(view, error, {} if kept else message)

        threading.Thread(target=wait, name="h2o_magic-asked", daemon=True).start()
        with self._lock:
            self._telling.state()

    def _number(self, message: Mapping[str, Any]) -> int:
        return self._turn(message).number

    def _turn(self, message: Mapping[str, Any]) -> Turn:
        for turn in self._telling.turns_with({message["id"]}):
            return turn
        raise ConfigurationError("this turn is not in the thread any more")

    def _keep_draft(self, view: str, text: str) -> None:
        self._session.keep_draft(None, text)
        self._telling.draft(text, view)


_ACTIONS: Mapping[str, Callable[[View, str, Mapping[str, Any]], None]] = {
    "open": View._open,
    "rows": View._rows,
    "order": View._order,
    "ask": View._ask,
    "regenerate": View._regenerate,
    "version": View._version,
    "stop": View._stop,
    "drop": View._drop,
    "undo": View._undo,
    "thread": View._go_to_thread,
    "draft": View._draft,
    "complete": View._complete,
    "preview": View._preview,
    "ping": View._ping,
    "controls": View._show_controls,
}


def _as_typed(question: str) -> str:
    """Return a question as it comes from a page, whose texts have only line feeds."""
    return question.replace("\r\n", "\n").replace("\r", "\n").strip()
