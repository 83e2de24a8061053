"""Goes to other threads, new and old ones, and lists and searches them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from h2o_magic.chat_panel.messages import Messages
from h2o_magic.config.command_line import quote
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class _Removed:
    """A removed thread: `draft` is what was not sent in it, `turns` how many it had."""

    name: str
    draft: str
    was_current: bool
    turns: int


class Threads:
    """The part of the controller for the threads of the notebook.

    Views get their list when they request it, and not with the state: it may be long.
    """

    def __init__(self, session: Session, messages: Messages) -> None:
        self._session = session
        self._messages = messages
        self._removed: _Removed | None = None
        messages.add_state(self._state)

    def _state(self) -> dict[str, Any]:
        name = self._session.thread
        return {
            "thread": name,
            "title": self._session.title(name),
            "removed_thread": self._restorable(),
        }

    def _on_threads(self, view: str, _: Mapping[str, Any]) -> None:
        session, drafts = self._session, self._session.conversation.drafts()
        running = {stream.thread for stream in [*self._messages.streams.values()]}
        found = {info.name: (info.title, info.last_asked) for info in session.threads()}
        for name in drafts:
            found.setdefault(name, (session.title(name), 0.0))
        rows = [
            {
                "name": name,
                "title": title,
                "at": at,
                "draft": name in drafts,
                "running": name in running,
            }
            for name, (title, at) in found.items()
        ]
        self._messages.send("threads", to=view, threads=rows)

    def _on_search(self, view: str, message: Mapping[str, Any]) -> None:
        def search() -> None:
            hits = self._session.search(str(message["text"]))
            shown = [
                {
                    "name": hit.thread,
                    "title": hit.title,
                    "id": hit.turn.id,
                    "at": hit.turn.asked_at,
                    "snippet": hit.snippet,
                }
                for hit in hits
            ]
            self._messages.send("hits", to=view, n=message["n"], hits=shown)

        self._messages.in_background(view, {}, search)

    def _on_thread(self, _: str, message: Mapping[str, Any]) -> None:
        self._session.thread = str(message["name"])

    def _on_new_thread(self, *_: object) -> None:
        self._session.new_thread()

    def _on_rename(self, _: str, message: Mapping[str, Any]) -> None:
        self._session.rename(str(message["title"]), str(message["name"]))

    def _on_branch(self, view: str, message: Mapping[str, Any]) -> None:
        turn, title = self._messages.turn(message["id"]), self._session.title()
        name = self._session.conversation.free_name()
        self._session.fork(name, at=turn.number)
        self._session.thread = name
        text = f"This chat is a branch of “{title}” from turn {turn.number}."
        self._messages.send("status", to=view, text=text)

    def _on_remove_thread(self, view: str, message: Mapping[str, Any]) -> None:
        name, session = str(message["name"]), self._session
        with self._messages.lock:
            draft = session.draft(name)
            was_current = name == session.thread
            turns = session.delete_thread(name)
            self._removed = _Removed(name, draft, was_current, turns)
        self._messages.send("thread_removed", to=view, name=name)

    def _on_restore_thread(self, view: str, message: Mapping[str, Any]) -> None:
        with self._messages.lock:
            removed, name = self._removed, str(message["name"])
            if removed is None or self._restorable() != name:
                raise ConfigurationError(
                    "the chat has changed since the deletion: "
                    f"enter `/undo --thread {quote(name)}` to undo its last change"
                )
            self._removed = None
            if removed.turns:
                self._session.undo(name)
            if removed.draft:
                self._session.keep_draft(name, removed.draft)
            if removed.was_current:
                self._session.thread = name
        self._messages.send("status", to=view, text="The chat was restored.")

    def _restorable(self) -> str:
        """Return the name of the thread whose removal can be undone, if any."""
        if self._removed and self._session.record.count(self._removed.name):
            self._removed = None
        return self._removed.name if self._removed else ""
