"""What the panel's views are told of a conversation, and what they may do to it.

It knows no widget: messages of JSON values go out by a function, and come in by
:meth:`View.receive`. All views of a panel get all messages, but for those that name the
one that has asked. A thread of its own tells them what happens, so no answer ever waits
for a view.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Protocol

from h2o_magic.chat_panel.growth import Running
from h2o_magic.chat_panel.html import as_html
from h2o_magic.chat_panel.rows import row_of
from h2o_magic.chat_panel.transcript import MOST_TURNS, transcript
from h2o_magic.chat_panel.wire import sendable
from h2o_magic.errors import ConfigurationError, H2OMagicError
from h2o_magic.feed import Began, Changed, Configured, Ended, Grew, News
from h2o_magic.later import Asked
from h2o_magic.notebook import NotebookSession
from h2o_magic.turns import Turn

__all__ = ["Shell", "View"]

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # else it would be written into a cell

#: Seconds between two steps of an answer: nine a second look fluent.
INTERVAL = 0.108
#: Seconds of quiet after which the transcript is put into the notebook.
KEEP_AFTER = 1.0
#: How many of the last turns come with the first message, to be seen at once.
_AT_ONCE = 8
_MOST_OFFERS = 100

_WELCOME = """
### Ask a question

It goes on with the notebook's conversation: what cells ask comes here, and what is
asked here is in the history that cells see.
"""


class Shell(Protocol):
    """What a view needs of the notebook around it."""

    def expand(self, question: str, *, earlier: str = "") -> str:
        """Return a question with its names in braces as text.

        What stands in braces in `earlier`, the question before it was edited, stays.
        """

    def complete(self, before: str, after: str) -> tuple[str, list[tuple[str, str]]]:
        """Return what stands before the cursor, and what it may become."""

    def is_command(self, line: str) -> bool:
        """Return whether a line begins with a subcommand, or with one mistyped."""

    def ask_by_command(self, line: str) -> Asked | None:
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
    """Tells views of a session's conversation, and does what they ask for.

    Parameters
    ----------
    session
        The notebook's session.
    send
        Sends one message to all views; called from any thread.
    shell
        The notebook around.
    root
        The id of the widget that stands for the panel in the cell's output.
    controls
        The settings' controls; None without any.
    keep
        Puts the transcript into the notebook, where no page does so.
    """

    def __init__(
        self,
        session: NotebookSession,
        send: Callable[[dict[str, Any]], None],
        shell: Shell,
        *,
        root: str = "",
        controls: Controls | None = None,
        keep: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._session = session
        self._send_raw = send
        self._shell = shell
        self._root = root
        self._controls = controls
        self._controls_shown = False
        self._keep = keep
        self._kept_by_page = False
        self._keep_at: float | None = None  # by the monotonic clock
        self._lock = threading.RLock()
        self._running: dict[int, Running] = {}
        self._problems: dict[int, str] = {}
        self._dropped: tuple[int, tuple[Turn, ...]] | None = None  # turn, what is left
        self._told = 0  # how many turns the views know of
        self._news: deque[News] = deque()
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
            self._refuse(view, error, message)
        self._tell(view, "taken")

    # What views ask for

    def _open(self, view: str, message: Mapping[str, Any]) -> None:
        with self._lock:
            self._kept_by_page = self._kept_by_page or bool(message.get("keeps"))
            self._keep_soon()
            self._send_state()
            self._send_thread(to=view)
        self._wake.set()

    def _rows(self, view: str, message: Mapping[str, Any]) -> None:
        with self._lock:
            self._send_rows(set(message["ids"]), to=view)
        self._wake.set()

    def _order(self, view: str, _: Mapping[str, Any]) -> None:
        with self._lock:
            self._send_thread(to=view, began=0)

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

    def _edited(self, message: Mapping[str, Any]) -> Asked:
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
            self._dropped = turn_id, self._turns()
        text = f"Turn {number} was deleted."
        self._tell(view, "undoable", id=turn_id, text=text)

    def _undo(self, view: str, message: Mapping[str, Any]) -> None:
        with self._lock:
            if message["id"] != self._undoable():
                raise ConfigurationError(
                    "the conversation has changed since: ask `/undo` to take its last "
                    "change back"
                )
            self._session.undo()
        self._tell(view, "said", text="It is back.")

    def _undoable(self) -> int:
        """Return which turn's deletion is the thread's last change; 0 for none."""
        if self._dropped is not None and self._dropped[1] != self._turns():
            self._dropped = None
        return self._dropped[0] if self._dropped is not None else 0

    def _go_to_thread(self, _: str, message: Mapping[str, Any]) -> None:
        self._session.thread = str(message["name"])

    def _draft(self, view: str, message: Mapping[str, Any]) -> None:
        self._keep_draft(view, str(message["text"]))

    def _complete(self, view: str, message: Mapping[str, Any]) -> None:
        before, after = str(message["before"]), str(message["after"])
        fragment, offers = self._shell.complete(before, after)
        self._tell(
            view,
            "complete",
            n=message["n"],
            **{"from": len(fragment), "offers": offers[:_MOST_OFFERS]},
        )

    def _preview(self, view: str, message: Mapping[str, Any]) -> None:
        from h2o_magic.preview_view import preview_markdown  # noqa: PLC0415

        earlier = self._turn(message).question if "id" in message else ""
        question = self._shell.expand(str(message["text"]), earlier=earlier)
        preview = self._session.preview(question, cell=None)
        self._note(view, "What would be sent", preview_markdown(preview))

    def _ping(self, *_: object) -> None:
        """Do nothing; that this was taken is what the view wants to know."""

    def _show_controls(self, _: str, message: Mapping[str, Any]) -> None:
        self._controls_shown = bool(message["shown"])
        if self._controls is not None:
            self._controls.show(self._controls_shown)
        with self._lock:
            self._send_state()

    def _command(self, view: str, line: str, message: Mapping[str, Any]) -> None:
        def run() -> None:
            try:
                self._note(view, f"/{line}", self._shell.command(line))
            except H2OMagicError as error:
                self._refuse(view, error, message)

        threading.Thread(target=run, name="h2o_magic-command", daemon=True).start()

    # What happens

    def _hear(self, news: News) -> None:
        self._news.append(news)
        if isinstance(news, Ended):
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
                    self._refuse("", error, {})
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
            grown = self._send_growth()
            self._keep_transcript()
        return grown

    def _take(self, news: News) -> None:
        match news:
            case Began(thread, turn):
                self._running[turn.id] = Running(thread)
                if thread == self._session.thread:
                    self._send_beginning(turn)
            case Grew(_, turn_id, answer):
                if turn_id in self._running:
                    self._running[turn_id].answer = answer
                return
            case Ended(thread, turn):
                running = self._running.pop(turn.id, None)
                if thread == self._session.thread:
                    self._send_end(turn, running)
            case Changed(thread):
                if thread in (None, self._session.thread):
                    self._send_thread(began=0)
            case Configured(setting):
                if setting == "thread":
                    self._send_thread()
                if self._controls is not None and self._controls_shown:
                    self._controls.refresh(setting)
        self._keep_soon()
        self._send_state()

    def _keep_soon(self) -> None:
        self._keep_at = time.monotonic() + KEEP_AFTER

    def _keep_transcript(self) -> None:
        """Put the transcript into the notebook when it has been quiet for a while."""
        if self._keep_at is None or time.monotonic() < self._keep_at or self._running:
            return
        self._keep_at = None
        markdown = transcript(self._session.turns(last=MOST_TURNS))
        if self._kept_by_page:
            self._send({"is": "transcript", "markdown": markdown})
        else:
            self._keep(markdown)

    def _send_growth(self) -> bool:
        """Send what running answers have grown by; return whether anything did."""
        current = self._session.thread
        grown = [
            {"is": "grew", "id": turn_id, **step}
            for turn_id, running in self._running.items()
            if running.thread == current and (step := running.step())
        ]
        for message in grown:
            self._send(message)
        return bool(grown)

    def _follow(self, asked: Asked, view: str, message: Mapping[str, Any]) -> None:
        """Say it in a view if a question fails."""

        def wait() -> None:
            asked.wait()
            error = asked.error
            if error is None:
                return
            turn = asked.turn
            with self._lock:
                kept = turn is not None and bool(self._with_ids({turn.id}))
                if turn is not None and kept:
                    self._problems[turn.id] = str(error)
                    self._send_rows({turn.id})
            self._refuse(view, error, {} if kept else message)

        threading.Thread(target=wait, name="h2o_magic-asked", daemon=True).start()
        with self._lock:
            self._send_state()

    # Telling

    def _send(self, message: dict[str, Any]) -> None:
        self._send_raw(sendable(message))

    def _tell(self, view: str, kind: str, **more: Any) -> None:
        self._send({"is": kind, "to": view, **more})

    def _note(
        self, view: str, title: str, markdown: str, *, error: bool = False
    ) -> None:
        html = as_html(markdown)
        self._tell(view, "note", title=title, html=html, error=error)

    def _refuse(
        self, view: str, error: BaseException, message: Mapping[str, Any]
    ) -> None:
        text = " ".join(str(error).split()) or type(error).__name__
        asked = {"question": str(message.get("text", "")), "id": message.get("id")}
        self._tell(view, "refused", text=text, **asked)

    def _send_state(self) -> None:
        session = self._session
        current = session.thread
        threads = [info.name for info in session.threads()]
        server = str(session.settings["server"]) or "local server"
        waiting = [answer for answer in session.coming() if answer.turn is None]
        state = {
            "thread": current,
            "threads": threads if current in threads else [*threads, current],
            "about": f"{session.settings['model']} · {server}",
            "running": [i for i, r in self._running.items() if r.thread == current],
            "waiting": [answer.question.text for answer in waiting],
            "reasoning": session.settings["reasoning"],
            "undoable": self._undoable(),
            "controls": self._controls_shown,
            "root": self._root,
        }
        self._send({"is": "state", "state": state})

    def _send_thread(self, *, to: str = "", began: int | None = None) -> None:
        """Send the order of the turns.

        `began` is the turn that has just begun, or 0 if others are not as they were;
        None opens the thread with its last turns.
        """
        ids = self._session.record.ids(self._session.thread)
        self._told = len(ids)
        message: dict[str, Any] = {"is": "thread", "ids": ids, "to": to}
        if began is None:
            message["draft"] = self._session.draft()
            message["welcome"] = _welcome()
            shown = self._session.turns(last=_AT_ONCE)
        else:
            message["stale"] = True
            message["refresh"] = not began or ids[-1:] != (began,)
            shown = self._with_ids({began})
        self._send(message | {"rows": self._as_rows(shown)})

    def _send_beginning(self, turn: Turn) -> None:
        """Send a turn that begins; the order of all only if it is not simply one more.

        So the thousandth costs no more than the tenth.
        """
        count = self._session.record.count(self._session.thread)
        if not turn.number == self._told + 1 == count:
            self._send_thread(began=turn.id)
            return
        self._told = count
        rows = self._as_rows(self._with_ids({turn.id}))
        self._send({"is": "began", "id": turn.id, "count": count, "rows": rows})

    def _send_rows(self, ids: Collection[int], *, to: str = "") -> None:
        rows = self._as_rows(self._with_ids(ids))
        self._send({"is": "rows", "to": to, "rows": rows})

    def _send_end(self, turn: Turn, running: Running | None) -> None:
        """Send a row that has ended; without its answer where the views have that."""
        step = {} if running is None else running.step()
        for row in self._as_rows(self._with_ids({turn.id})):
            if running is not None and running.html == row["a"]:
                self._send({"is": "grew", "id": turn.id, **step})
                row["a"] = None
            self._send({"is": "rows", "rows": [row]})

    def _as_rows(self, turns: Iterable[Turn]) -> list[dict[str, Any]]:
        versions = self._session.version_counts()
        turns = tuple(turns)
        for turn in turns:
            if turn.id in self._running:
                # A row has nothing of a growing answer: all of it comes once more.
                self._running[turn.id].begin_anew()
        return [
            row_of(
                turn,
                live=turn.id in self._running,
                versions=versions.get(turn.id, (1, 1)),
                problem=self._problems.get(turn.id, ""),
            )
            for turn in turns
        ]

    def _turns(self) -> tuple[Turn, ...]:
        return self._session.turns()

    def _with_ids(self, ids: Iterable[int]) -> tuple[Turn, ...]:
        return self._session.record.with_ids(self._session.thread, ids)

    def _number(self, message: Mapping[str, Any]) -> int:
        return self._turn(message).number

    def _turn(self, message: Mapping[str, Any]) -> Turn:
        for turn in self._with_ids({message["id"]}):
            return turn
        raise ConfigurationError("this turn is not in the thread any more")

    def _keep_draft(self, view: str, text: str) -> None:
        self._session.keep_draft(None, text)
        self._send({"is": "draft", "text": text, "from": view})


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


@cache
def _welcome() -> str:
    return as_html(_WELCOME)
