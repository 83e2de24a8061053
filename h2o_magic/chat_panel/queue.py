"""The questions that wait, and those that were not sent, as the views list them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from h2o_magic.chat.facts import Facts, failure_facts
from h2o_magic.chat_panel.messages import Messages
from h2o_magic.chat_panel.questions import Questions, chips
from h2o_magic.chat_panel.rows import problem
from h2o_magic.conversation.background import BackgroundAnswer
from h2o_magic.conversation.notifications import ComingAnswer
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.session import Session
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    H2OMagicError,
    MisuseError,
)

#: Sends a question: its text, and which of its files stay.
Resend = Callable[[str, Sequence[int]], BackgroundAnswer | None]


@dataclass
class Unsent:
    """A question that was not asked, until someone sends or removes it.

    `files` are its chips, `why` is the reason, and `problem` that of a server, which is
    shown with it. `message` is that of the view with which it came, whose composer may
    take it back.
    """

    text: str
    files: list[dict[str, Any]]
    thread: str
    resend: Resend
    view: str = ""
    message: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    problem: Mapping[str, Any] | None = None

    def note(self, error: BaseException | None) -> None:
        """Note why it was not sent; None if it was only stopped."""
        self.why = "" if error is None else str(error) or type(error).__name__
        self.problem = None
        if isinstance(error, BackendError):
            self.problem = problem(Facts("", **failure_facts(error)), time.time())


class Queue:
    """The part of the controller for questions that are not asked yet."""

    def __init__(
        self, session: Session, messages: Messages, questions: Questions
    ) -> None:
        self._session = session
        self._messages = messages
        self._questions = questions
        self._numbers: dict[ComingAnswer, int] = {}
        self._next = count(1)
        self._unsent: dict[int, Unsent] = {}
        self._removed: tuple[int, Callable[[], object]] | None = None
        self._listed: list[dict[str, Any]] = []
        messages.add_state(self._state)

    def show(self, view: str) -> None:
        """Send the list to a view that was opened."""
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

    def refused(self, unsent: Unsent) -> None:
        """List a question as not sent."""
        with self._messages.lock:
            self._unsent[next(self._next)] = unsent
            self._messages.send_state()

    def _is_kept(self, answer: BackgroundAnswer) -> bool:
        """Return whether the answer has a turn, or had one that was deleted."""
        turn, replaced = answer.turn, answer.answer.question.replaces
        there = self._session.record.is_there
        return turn is not None and (
            there(turn.id) or not replaced or not there(replaced)
        )

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
            text = str(message["text"]) if resend else question.text
            unsent = self._of(question, text)
            unsent.view, unsent.message = view, message
            unsent.resend = resend or unsent.resend
            unsent.note(error)
            self.refused(unsent)

    def _of(self, question: Question, text: str) -> Unsent:
        def resend(new: str, keep: Sequence[int]) -> BackgroundAnswer:
            prompt = self._questions.reworded(question.prompt, new, keep)
            thread = self._thread_of(question.thread)
            again = replace(question, prompt=prompt, thread=thread)
            return self._session.ask_as_prepared(again)

        return Unsent(text, chips(question.prompt), question.thread, resend)

    def _thread_of(self, name: str) -> str:
        """Return the thread of that name; the current one if it was deleted."""
        there = name in self._session.record.thread_names()
        return name if there else self._session.thread

    # What views list

    def _state(self) -> dict[str, Any]:
        items = self._items()
        if items != self._listed:
            self._listed = items
            self._messages.send("queue", items=items)
        return {"queued": sum(not item["unsent"] for item in items)}

    def _items(self) -> list[dict[str, Any]]:
        coming = [each for each in self._session.coming() if each.turn is None]
        self._numbers = {
            each: self._numbers.get(each) or next(self._next) for each in coming
        }
        current = self._session.thread
        listed = [_waiting(number, each) for each, number in self._numbers.items()]
        listed += (
            _not_sent(number, each)
            for number, each in sorted(self._unsent.items())
            if self._thread_of(each.thread) == current
        )
        return listed

    def _answer(self, message: Mapping[str, Any]) -> ComingAnswer | None:
        numbers = self._numbers.items()
        return next((each for each, n in numbers if n == message["item"]), None)

    # What views do

    def _on_queue_change(self, view: str, message: Mapping[str, Any]) -> None:
        text, keep = str(message["text"]).strip(), list(map(int, message["keep"]))
        answer = self._answer(message)
        if answer is None and (unsent := self._unsent.get(message["item"])):
            unsent.text, unsent.files = text, [unsent.files[n] for n in keep]
            resend, kept = unsent.resend, keep
            unsent.resend = lambda new, left: resend(new, [kept[n] for n in left])
            self._messages.send_state()
            return
        if answer is None:
            self.refused(self._typed_late(text))
            return
        question = answer.question
        try:
            answer.change(self._questions.reworded(question.prompt, text, keep))
        except MisuseError as error:
            late = self._of(question, text)
            late.why, late.view = str(error), view
            self.refused(late)

    def _typed_late(self, text: str) -> Unsent:
        """Return what was typed in place of a question that is in the queue no more."""
        thread = self._session.thread

        def resend(new: str, _: Sequence[int]) -> BackgroundAnswer:
            prompt = self._questions.prompt({"text": new})
            return self._session.ask_later(prompt, thread=self._thread_of(thread))

        return Unsent(text, [], thread, resend, why="it is being answered already")

    def _on_queue_send(self, _: str, message: Mapping[str, Any]) -> None:
        """Send a question now: the answer that is being written is stopped."""
        answer = self._answer(message)
        if answer is not None:
            answer.move(1)
            self._session.stop(waiting=False)
            return
        with self._messages.lock:
            unsent = self._taken(message)
            try:
                kept = range(len(unsent.files))
                asked = unsent.resend(unsent.text, kept)
            except H2OMagicError as error:
                unsent.note(error)
                self._unsent[message["item"]] = unsent
                self._messages.send_state()
                return
        if asked is not None:
            self.follow(asked, unsent.view, {**unsent.message, "text": unsent.text})
        self._messages.send_state()

    def _on_queue_remove(self, view: str, message: Mapping[str, Any]) -> None:
        number, answer = message["item"], self._answer(message)
        if answer is None:
            unsent = self._taken(message)
            self._removed = number, lambda: self.refused(unsent)
        else:
            waiting = [each for each in self._session.coming() if each.waits]
            place = waiting.index(answer) + 1 if answer in waiting else 1
            answer.withdraw()
            self._removed = number, lambda: self._requeue(answer, place)
        self._messages.send("queue_removed", to=view, item=number)
        self._messages.send_state()

    def _on_queue_restore(self, _: str, message: Mapping[str, Any]) -> None:
        if self._removed is not None and self._removed[0] == message["item"]:
            restore, self._removed = self._removed[1], None
            restore()

    def _requeue(self, answer: ComingAnswer, place: int) -> None:
        again = self._session.ask_as_prepared(answer.question)
        if again.waits:
            again.move(place)
        self.follow(again, message={"text": answer.question.text})

    def _on_queue_take(self, _: str, message: Mapping[str, Any]) -> None:
        """Forget a question that is in a composer now."""
        with self._messages.lock:
            self._unsent.pop(message["item"], None)
            self._messages.send_state()

    def _taken(self, message: Mapping[str, Any]) -> Unsent:
        unsent = self._unsent.pop(message["item"], None)
        if unsent is None:
            raise ConfigurationError("this question is being answered already")
        return unsent


def _waiting(number: int, answer: ComingAnswer) -> dict[str, Any]:
    question = answer.question
    return {
        "id": number,
        "text": question.text,
        "files": chips(question.prompt),
        # The panel's edits of a cell's turn replace it.
        "cell": question.cell is not None and not question.replaces,
        "waits": answer.waits,
        "unsent": False,
    }


def _not_sent(number: int, unsent: Unsent) -> dict[str, Any]:
    message = unsent.message
    return {
        "id": number,
        "text": unsent.text,
        "files": unsent.files,
        "cell": False,
        "waits": True,
        "unsent": True,
        "why": " ".join(unsent.why.split()),
        "problem": unsent.problem,
        "view": unsent.view,
        "n": message.get("n"),
        "turn": message.get("id"),
    }
