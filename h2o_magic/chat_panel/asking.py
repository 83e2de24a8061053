"""Asks what the views ask, and stops it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from h2o_magic.chat_panel.commands import Commands
from h2o_magic.chat_panel.drafting import Drafting
from h2o_magic.chat_panel.messages import KERNEL, Messages
from h2o_magic.chat_panel.questions import Questions
from h2o_magic.chat_panel.queue import Queue
from h2o_magic.chat_panel.unsent import Resend, Unsent
from h2o_magic.conversation.background import BackgroundAnswer
from h2o_magic.conversation.session import Session
from h2o_magic.errors import H2OMagicError


class Asking:
    """The part of the controller that asks."""

    def __init__(
        self,
        session: Session,
        messages: Messages,
        questions: Questions,
        commands: Commands,
        drafting: Drafting,
        *,
        queue: Queue,
    ) -> None:
        self._session = session
        self._messages = messages
        self._questions = questions
        self._commands = commands
        self._drafting = drafting
        self._queue = queue
        self._kernels = {KERNEL}  # those of which pages have nothing that is new

    def _on_ask(self, view: str, message: Mapping[str, Any]) -> None:
        files = self._questions.files(view, message)
        if "id" not in message:  # an edit leaves the draft as it is
            self._drafting.save(view, "")
        text, resend = str(message["text"]), self._resend(view, message, files)
        is_command = self._commands.is_one(text) and "id" not in message
        try:
            answer = self._ask(view, message, files)
        except H2OMagicError as error:
            chips = [{"name": name, "size": len(data)} for name, data in files]
            unsent = Unsent(text, chips, self._session.thread, resend, view, message)
            unsent.note(error)
            self._queue.refused(unsent)
            return
        if answer is not None:
            self._queue.follow(answer, view, message, resend if is_command else None)

    def _ask(
        self, view: str, message: Mapping[str, Any], files: list[tuple[str, bytes]]
    ) -> BackgroundAnswer | None:
        """Ask what a message says; None for a command that asks nothing, which runs."""
        text = str(message["text"])
        if "id" in message:
            return self._edit(message, files)
        if not self._commands.is_one(text):
            prompt = self._questions.prompt(message)
            return self._session.ask_later(prompt, attach=files)
        if files:
            self._messages.send("unsent", to=view, n=message["n"])
        asked = self._commands.ask(text)
        if asked is None:
            self._commands.run(view, message)
        return asked

    def _resend(
        self, view: str, message: Mapping[str, Any], files: list[tuple[str, bytes]]
    ) -> Resend:
        def resend(text: str, keep: Sequence[int]) -> BackgroundAnswer | None:
            kept = [files[number] for number in keep]
            return self._ask(view, {**message, "text": text}, kept)

        return resend

    def _edit(
        self, message: Mapping[str, Any], files: list[tuple[str, bytes]]
    ) -> BackgroundAnswer:
        """Ask an edited question; if nothing was changed, exactly as it was sent."""
        turn, text = self._messages.turn(message["id"]), str(message["text"])
        whole = not files and self._questions.is_whole(message, turn)
        if whole and _as_typed(text) == _as_typed(turn.question):
            return self._session.regenerate(turn.number)
        prompt = self._questions.prompt(message)
        return self._session.edit(turn.number, prompt, attach=files)

    def _on_recover(self, view: str, message: Mapping[str, Any]) -> None:
        """Take what was typed, and not sent, when another kernel ended; once."""
        if message["kernel"] in self._kernels:
            return
        self._kernels.add(message["kernel"])
        self._drafting.restore(message["drafts"])
        thread, why = str(message["thread"]), "the kernel was restarted"
        for text in message["queued"]:
            resend = self._resend(view, {}, [])
            self._queue.refused(Unsent(text, [], thread, resend, why=why))

    def _on_regenerate(self, view: str, message: Mapping[str, Any]) -> None:
        turn = self._messages.turn(message["id"])
        self._queue.follow(self._session.regenerate(turn.number), view, message)

    def _on_continue(self, view: str, message: Mapping[str, Any]) -> None:
        turn = self._messages.turn(message["id"])
        self._queue.follow(self._session.continue_answer(turn.number), view, message)

    def _on_stop_run(self, *_: object) -> None:
        self._session.stop_runs()

    def _on_stop(self, *_: object) -> None:
        self._session.stop(waiting=False)


def _as_typed(question: str) -> str:
    """Return a question as a page sends it: texts of pages have only line feeds."""
    return question.replace("\r\n", "\n").replace("\r", "\n").strip()
