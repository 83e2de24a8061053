"""The questions that wait, and those that were not sent, as the views list them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from h2o_magic.chat_panel.messages import Messages
from h2o_magic.chat_panel.questions import Questions, chips
from h2o_magic.chat_panel.unsent import Resend, Unsent
from h2o_magic.config.replay import ReplayChoice
from h2o_magic.conversation.background import BackgroundAnswer
from h2o_magic.conversation.notifications import ComingAnswer
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError


class Queue:
    """Lists the questions that are not asked yet, by numbers."""

    def __init__(
        self, session: Session, messages: Messages, questions: Questions
    ) -> None:
        self._session = session
        self._messages = messages
        self._questions = questions
        self._numbers: dict[ComingAnswer, int] = {}
        self._next = count(1)
        self._unsent: dict[int, Unsent] = {}
        self._listed: list[dict[str, Any]] = []
        messages.add_state(self._state)

    def show(self, view: str) -> None:
        """Send the list to a view that was opened."""
        with self._messages.lock:
            self._messages.send("queue", to=view, items=self._items())

    def follow(
        self,
        answer: BackgroundAnswer,
        view: str = "",
        message: Mapping[str, Any] | None = None,
        resend: Resend | None = None,
    ) -> None:
        """List a question that is not asked in the end, or not kept, as not sent.

        `message` is that of the view with which it came; `resend` is how it is sent
        anew, if not as the answer's question.
        """

        def wait() -> None:
            answer.wait()
            if not answer.withdrawn and not self._is_kept(answer):
                self._return(answer, view, message or {}, resend)

        threading.Thread(target=wait, name="h2o_magic-asked", daemon=True).start()
        self._messages.send_state()

    def refused(self, unsent: Unsent, number: int = 0) -> None:
        """List a question as not sent, under a new number or the one it had."""
        with self._messages.lock:
            self._unsent[number or next(self._next)] = unsent
            self._messages.send_state()

    def _is_kept(self, answer: BackgroundAnswer) -> bool:
        """Return whether the answer has a turn, or had one that someone deleted."""
        turn, replaced = answer.turn, answer.answer.question.replaces
        there = self._session.record.is_there
        if turn is None or there(turn.id):
            return turn is not None
        return answer.error is None and not (replaced and there(replaced))

    def _return(
        self,
        answer: BackgroundAnswer,
        view: str,
        message: Mapping[str, Any],
        resend: Resend | None,
    ) -> None:
        question, error = answer.answer.question, answer.error
        if "text" not in message and error is not None:
            self._messages.send_error(view, error, {})  # asked again: nothing was typed
        if "text" in message:
            # A composer that shows another chat by now does not take it.
            with self._messages.lock:
                view = view if question.thread == self._session.thread else ""
            text = str(message["text"]) if resend else question.text
            unsent = self.unsent_of(question, text)
            unsent.view, unsent.message = view, message
            unsent.resend = resend or unsent.resend
            unsent.note(error)
            self.refused(unsent)

    def unsent_of(self, question: Question, text: str) -> Unsent:
        """Return a prepared question as one that was not sent, with another text."""

        def resend(new: str, keep: Sequence[int]) -> BackgroundAnswer:
            prompt = self._questions.reworded(question.prompt, new, keep)
            thread = self.thread_of(question.thread)
            replay = ReplayChoice.of(str(self._session.settings["replay"]))
            again = replace(question, prompt=prompt, thread=thread, replay=replay)
            return self._session.ask_as_prepared(again)

        return Unsent(text, chips(question.prompt), question.thread, resend)

    def thread_of(self, name: str) -> str:
        """Return the thread of that name; the current one if it never had turns.

        A deleted one keeps what was not sent in it.
        """
        known = self._session.record.thread_names(filled=False)
        return name if name in known else self._session.thread

    # What views list

    def _state(self) -> dict[str, Any]:
        items = self._items()
        if items != self._listed:
            self._listed = items
            self._messages.send("queue", items=items)
        queued = sum(not (item["unsent"] or item["held"]) for item in items)
        return {"queued": queued}

    def _items(self) -> list[dict[str, Any]]:
        coming = self._session.coming()
        begun = [each for each in coming[:1] if not each.held]  # or about to begin
        coming = tuple(each for each in coming if each.turn is None)
        # Those of other threads keep theirs: a view may be editing one of them.
        self._numbers = {
            each: self._numbers.get(each) or next(self._next)
            for each in (*(e for e in self._numbers if e.waits), *coming)
        }
        current = self._session.thread
        listed = [
            _waiting(self._numbers[each], each, begun=each in begun) for each in coming
        ]
        listed += (
            each.item(number)
            for number, each in sorted(self._unsent.items())
            if self.thread_of(each.thread) == current
        )
        return listed

    def answer(self, number: int) -> ComingAnswer | None:
        """Return the coming answer of that number; None if it does not wait."""
        found = (each for each, listed in self._numbers.items() if listed == number)
        return next(found, None)

    def unsent(self, number: int) -> Unsent | None:
        """Return the question of that number, if it was not sent."""
        return self._unsent.get(number)

    def take(self, number: int) -> Unsent:
        """Take a question that was not sent off the list."""
        with self._messages.lock:
            unsent = self._unsent.pop(number, None)
        if unsent is None:
            raise ConfigurationError("this question is being answered already")
        return unsent


def _waiting(number: int, answer: ComingAnswer, *, begun: bool) -> dict[str, Any]:
    question = answer.question
    return {
        "id": number,
        "text": question.text,
        "files": chips(question.prompt),
        # The panel's edits of a cell's turn replace it.
        "cell": question.cell is not None and not question.replaces,
        "waits": answer.waits and not begun,
        "held": answer.held,
        "unsent": False,
    }
