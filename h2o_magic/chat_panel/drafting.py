"""Helps to write a question: its draft, completions, notes, a preview."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from h2o_magic.chat.context import CAUTIOUS
from h2o_magic.chat.images import data_uri
from h2o_magic.chat_panel.fullness import fullness
from h2o_magic.chat_panel.host import Host
from h2o_magic.chat_panel.messages import Messages
from h2o_magic.chat_panel.questions import Questions
from h2o_magic.conversation.context_use import ContextUse
from h2o_magic.conversation.preview import preview_markdown
from h2o_magic.conversation.session import Session
from h2o_magic.errors import H2OMagicError
from h2o_magic.prompts.attachments import attachment
from h2o_magic.prompts.prompt import ALL, Appended, Attached
from h2o_magic.rendering.fences import fenced
from h2o_magic.rendering.literal import literal, one_line

#: Characters that are shown of a file.
_SHOWN = 20_000


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
        """Keep a draft; of a chat that was left, unless that was deleted."""
        text, thread = str(message["text"]), message.get("thread")
        if thread is None:
            self.save(view, text)
        elif self._session.record.count(thread):
            self._session.keep_draft(thread, text)
            drafts = dict(self._session.conversation.drafts())
            self._messages.send("drafts", drafts=drafts)

    def restore(self, drafts: Mapping[str, str]) -> None:
        """Keep the drafts of an ended kernel, where nothing was typed since."""
        for thread, text in drafts.items():
            if not self._session.draft(thread).strip():
                self._session.keep_draft(thread, text)

    def _on_complete(self, view: str, message: Mapping[str, Any]) -> None:
        before, after = str(message["before"]), str(message["after"])
        replaced, found = self._host.complete(before, after)
        shown = {"replaced": len(replaced), "found": found}
        self._messages.send("completions", to=view, n=message["n"], **shown)

    def _on_check(self, view: str, message: Mapping[str, Any]) -> None:
        text = str(message["text"])
        notes = self._host.notes(text) if "{" in text and text[:1] != "/" else []
        told: dict[str, Any] = {"notes": notes, "use": None}
        with suppress(H2OMagicError):  # asking is what shows what is wrong
            told["use"] = fullness(self._use(text, message))
        self._messages.send("checked", to=view, n=message["n"], **told)

    def _use(self, text: str, message: Mapping[str, Any]) -> ContextUse:
        turn = self._messages.turn(message["id"]) if message.get("id") else None
        more = self._weight(text, int(message.get("bytes", 0)))
        return self._session.context_use(text, more=more, replaces=turn)

    def _weight(self, text: str, size: int) -> int:
        """Return about how many tokens values and files have; the latter's `size`."""
        usual = self._session.connection.value_budget
        most = self._session.settings["budget"] or usual
        return self._host.weigh(text, cast(int, most)) + int(size / CAUTIOUS)

    def _on_preview(self, view: str, message: Mapping[str, Any]) -> None:
        files = self._questions.files(view, message)
        prompt = self._questions.prompt(message)
        preview = self._session.preview(prompt, attach=files, cell=None)
        markdown = preview_markdown(preview)
        self._messages.send_note(view, "What would be sent", markdown, at="user")

    def _on_peek(self, view: str, message: Mapping[str, Any]) -> None:
        """Show what would be sent of a file."""
        ((name, data),) = self._questions.files(view, message)
        found = attachment((name, data), keys=self._session.servers.key_texts())
        self._messages.send_note(view, one_line(name), _as_markdown(found))


def _as_markdown(found: Attached | Appended) -> str:
    if isinstance(found, Appended):
        return fenced(found.value.text(ALL)[:_SHOWN], "text")
    image = found.image
    size = f"{image.width:,} x {image.height:,} pixels, {len(image.data):,} bytes"
    picture = f"![{literal(image.name)}]({data_uri(image.thumbnail)})"
    return f"{picture if image.thumbnail else ''}\n\n{image.media_type}, {size}"
