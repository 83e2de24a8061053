"""Helps to write a question: its draft, completions, notes, a preview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from h2o_magic.chat_panel.host import Host
from h2o_magic.chat_panel.messages import Messages
from h2o_magic.chat_panel.questions import Questions
from h2o_magic.conversation.preview import preview_markdown
from h2o_magic.conversation.session import Session

_MOST_COMPLETIONS = 100


class Drafting:
    """The part of the controller that helps to write a question."""

    def __init__(
        self, session: Session, host: Host, messages: Messages, questions: Questions
    ) -> None:
        self._session = session
        self._host = host
        self._messages = messages
        self._questions = questions

    def save(self, view: str, text: str) -> None:
        """Keep a draft, which the other views show."""
        self._session.keep_draft(None, text)
        self._messages.send("draft", text=text, source=view)

    def _on_draft(self, view: str, message: Mapping[str, Any]) -> None:
        self.save(view, str(message["text"]))

    def _on_complete(self, view: str, message: Mapping[str, Any]) -> None:
        before, after = str(message["before"]), str(message["after"])
        replaced, found = self._host.complete(before, after)
        shown = {"replaced": len(replaced), "found": found[:_MOST_COMPLETIONS]}
        self._messages.send("completions", to=view, n=message["n"], **shown)

    def _on_check(self, view: str, message: Mapping[str, Any]) -> None:
        notes = self._host.notes(str(message["text"]))
        self._messages.send("checked", to=view, n=message["n"], notes=notes)

    def _on_preview(self, view: str, message: Mapping[str, Any]) -> None:
        files = self._questions.files(view, message)
        prompt = self._questions.prompt(message)
        preview = self._session.preview(prompt, attach=files, cell=None)
        markdown = preview_markdown(preview)
        self._messages.send_note(view, "What would be sent", markdown)
