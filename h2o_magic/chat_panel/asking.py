"""Asks what the views ask, and stops it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from h2o_magic.chat_panel.commands import Commands
from h2o_magic.chat_panel.drafting import Drafting
from h2o_magic.chat_panel.messages import Messages
from h2o_magic.chat_panel.questions import Questions
from h2o_magic.conversation.background import BackgroundAnswer
from h2o_magic.conversation.session import Session


class Asking:
    """The part of the controller that asks."""

    def __init__(
        self,
        session: Session,
        messages: Messages,
        questions: Questions,
        commands: Commands,
        drafting: Drafting,
    ) -> None:
        self._session = session
        self._messages = messages
        self._questions = questions
        self._commands = commands
        self._drafting = drafting

    def _on_ask(self, view: str, message: Mapping[str, Any]) -> None:
        text = str(message["text"])
        files = self._questions.files(view, message)
        self._drafting.save(view, "")
        if "id" in message:
            answer = self._edit(message, files)
        elif self._commands.is_one(text):
            if files:
                self._messages.send("unsent", to=view, n=message["n"])
            asked = self._commands.ask(text)
            if asked is None:
                self._commands.run(view, message)
                return
            answer = asked
        else:
            prompt = self._questions.prompt(message)
            answer = self._session.ask_later(prompt, attach=files)
        self._follow(answer, view, message)

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

    def _on_regenerate(self, view: str, message: Mapping[str, Any]) -> None:
        turn = self._messages.turn(message["id"])
        self._follow(self._session.regenerate(turn.number), view, message)

    def _on_continue(self, view: str, message: Mapping[str, Any]) -> None:
        turn = self._messages.turn(message["id"])
        self._follow(self._session.continue_answer(turn.number), view, message)

    def _on_stop(self, *_: object) -> None:
        self._session.stop()

    def _follow(
        self, answer: BackgroundAnswer, view: str, message: Mapping[str, Any]
    ) -> None:
        """Show it in a view if a question fails."""

        def wait() -> None:
            answer.wait()
            error, turn = answer.error, answer.turn
            if error is None:
                return
            saved = turn is not None and bool(self._messages.turns_with({turn.id}))
            if turn is not None and saved:
                self._messages.errors[turn.id] = str(error)
                self._messages.send_rows({turn.id})
            self._messages.send_error(view, error, {} if saved else message)

        threading.Thread(target=wait, name="h2o_magic-asked", daemon=True).start()
        self._messages.send_state()


def _as_typed(question: str) -> str:
    """Return a question as a page sends it: texts of pages have only line feeds."""
    return question.replace("\r\n", "\n").replace("\r", "\n").strip()
