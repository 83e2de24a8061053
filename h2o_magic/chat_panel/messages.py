"""What the views of a panel are told of a conversation, as messages of JSON values.

It knows no widget: messages go out by a function. All views of a panel get all of them,
but for those that name the one that has asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any

from h2o_magic.chat.turns import Turn
from h2o_magic.chat_panel.html import as_html
from h2o_magic.chat_panel.rows import row_of
from h2o_magic.chat_panel.stream import Running
from h2o_magic.chat_panel.wire import sendable
from h2o_magic.conversation.session import Session

#: How many of the last turns come with the first message, to be seen at once.
_AT_ONCE = 8

_WELCOME = """
### Ask a question

It goes on with the notebook's conversation: what cells ask comes here, and what is
asked here is in the history that cells see.
"""


class Telling:
    """Tells views of the session's current thread, and remembers what they know."""

    def __init__(
        self,
        session: Session,
        send: Callable[[dict[str, Any]], None],
        root: str,
    ) -> None:
        self._session = session
        self._send_raw = send
        self._root = root
        self.running: dict[int, Running] = {}
        self.problems: dict[int, str] = {}
        self.controls_shown = False
        self._deleted: tuple[int, tuple[int, ...]] | None = None  # turn, what is left
        self._known, self._last = 0, 0  # how many turns the views know, the last's id

    def tell(self, view: str, kind: str, **more: Any) -> None:
        """Tell one view; all if it has no name."""
        self._send({"is": kind, "to": view, **more})

    def note(
        self, view: str, title: str, markdown: str, *, error: bool = False
    ) -> None:
        """Show a text above a view's composer."""
        html = as_html(markdown)
        self.tell(view, "note", title=title, html=html, error=error)

    def refuse(
        self, view: str, error: BaseException, message: Mapping[str, Any]
    ) -> None:
        """Say in a view why what it asked for by `message` was not done."""
        text = " ".join(str(error).split()) or type(error).__name__
        asked = {"question": str(message.get("text", "")), "id": message.get("id")}
        self.tell(view, "refused", text=text, **asked)

    def draft(self, text: str, by: str) -> None:
        """Tell what stands in the composer of one view."""
        self._send({"is": "draft", "text": text, "from": by})

    def transcript(self, markdown: str) -> None:
        """Give the pages what a saved notebook is to hold."""
        self._send({"is": "transcript", "markdown": markdown})

    def state(self) -> None:
        """Tell what is beside the turns."""
        session = self._session
        current = session.thread
        threads = list(session.record.thread_names())
        server = str(session.settings["server"]) or "local server"
        waiting = [answer for answer in session.coming() if answer.turn is None]
        state = {
            "thread": current,
            "threads": threads if current in threads else [*threads, current],
            "about": f"{session.settings['model']} · {server}",
            "running": [i for i, r in self.running.items() if r.thread == current],
            "waiting": [answer.question.text for answer in waiting],
            "reasoning": session.settings["reasoning"],
            "undoable": self.undoable(),
            "controls": self.controls_shown,
            "root": self._root,
        }
        self._send({"is": "state", "state": state})

    def thread(self, *, to: str = "", began: int | None = None) -> None:
        """Tell the order of the turns.

        `began` is the turn that has just begun, or 0 if others are not as they were;
        None opens the thread with its last turns.
        """
        ids = self._ids()
        self._known, self._last = len(ids), ids[-1] if ids else 0
        message: dict[str, Any] = {"is": "thread", "ids": ids, "to": to}
        if began is None:
            message["draft"] = self._session.draft()
            message["welcome"] = _welcome()
            shown = self._session.turns(last=_AT_ONCE)
        else:
            message["stale"] = True
            message["refresh"] = not began or ids[-1:] != (began,)
            shown = self.turns_with({began})
        self._send(message | {"rows": self._as_rows(shown)})

    def beginning(self, turn: Turn) -> None:
        """Tell a turn that begins; the order of all only if it is not simply one more.

        So the thousandth costs no more than the tenth.
        """
        count = self._session.record.count(self._session.thread)
        if not turn.number == self._known + 1 == count:
            self.thread(began=turn.id)
            return
        after, self._known, self._last = self._last, count, turn.id
        rows = self._as_rows(self.turns_with({turn.id}))
        order = {"id": turn.id, "after": after, "count": count}
        self._send({"is": "began", **order, "rows": rows})

    def rows(self, ids: Collection[int], *, to: str = "") -> None:
        """Tell what some turns show."""
        rows = self._as_rows(self.turns_with(ids))
        self._send({"is": "rows", "to": to, "rows": rows})

    def growth(self) -> bool:
        """Tell what running answers have grown by; return whether anything did."""
        current = self._session.thread
        grown = [
            {"is": "grew", "id": turn_id, **step}
            for turn_id, running in self.running.items()
            if running.thread == current and (step := running.step())
        ]
        for message in grown:
            self._send(message)
        return bool(grown)

    def end(self, turn: Turn, running: Running | None) -> None:
        """Tell a turn that has ended; without its answer where the views have that."""
        step = {} if running is None else running.step()
        for row in self._as_rows(self.turns_with({turn.id})):
            if running is not None and running.html == row["a"]:
                self._send({"is": "grew", "id": turn.id, **step})
                row["a"] = None
            self._send({"is": "rows", "rows": [row]})

    def deleted(self, turn_id: int) -> None:
        """Note that a turn was taken out, which can be undone until others change.

        An answer that grows or ends changes none: whatever does gives a turn another
        id, or takes one out.
        """
        self._deleted = turn_id, self._ids()

    def undoable(self) -> int:
        """Return which turn's deletion is the thread's last change; 0 for none."""
        if self._deleted is not None and self._deleted[1] != self._ids():
            self._deleted = None
        return self._deleted[0] if self._deleted is not None else 0

    def turns_with(self, ids: Iterable[int]) -> tuple[Turn, ...]:
        """Return those of the current thread's turns that have these ids, in order."""
        return self._session.record.with_ids(self._session.thread, ids)

    def _ids(self) -> tuple[int, ...]:
        return self._session.record.ids(self._session.thread)

    def _send(self, message: dict[str, Any]) -> None:
        self._send_raw(sendable(message))

    def _as_rows(self, turns: Iterable[Turn]) -> list[dict[str, Any]]:
        turns = tuple(turns)
        versions = self._session.version_counts(of=[turn.id for turn in turns])
        for turn in turns:
            if turn.id in self.running:
                # A row has nothing of a growing answer: all of it comes once more.
                self.running[turn.id].begin_anew()
        return [
            row_of(
                turn,
                live=turn.id in self.running,
                versions=versions.get(turn.id, (1, 1)),
                problem=self.problems.get(turn.id, ""),
            )
            for turn in turns
        ]


@cache
def _welcome() -> str:
    return as_html(_WELCOME)
