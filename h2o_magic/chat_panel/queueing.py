"""Does what views request with the questions that are not asked yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from h2o_magic.chat_panel.messages import Messages
from h2o_magic.chat_panel.questions import Questions
from h2o_magic.chat_panel.queue import Queue
from h2o_magic.chat_panel.unsent import Unsent
from h2o_magic.conversation.background import BackgroundAnswer
from h2o_magic.conversation.notifications import ComingAnswer
from h2o_magic.conversation.session import Session
from h2o_magic.errors import H2OMagicError, MisuseError


class Queueing:
    """The part of the controller that changes, sends and removes such questions."""

    def __init__(
        self, session: Session, messages: Messages, questions: Questions, queue: Queue
    ) -> None:
        self._session = session
        self._messages = messages
        self._questions = questions
        self._queue = queue
        self._edited: dict[ComingAnswer, str] = {}  # and the views that edit them
        self._removed: tuple[int, Callable[[], object]] | None = None

    def _on_queue_edit(self, view: str, message: Mapping[str, Any]) -> None:
        """Hold a question back while a view edits it."""
        answer = self._queue.answer(int(message["item"]))
        if answer is not None:
            with suppress(MisuseError):  # it has begun just now
                answer.hold()
                self._edited[answer] = view

    def _on_queue_edited(self, _: str, message: Mapping[str, Any]) -> None:
        self._let_go(self._queue.answer(int(message["item"])))

    def let_go_of(self, view: str | None = None) -> None:
        """Hold back nothing more that a view edited; None: that any did."""
        for answer, editor in list(self._edited.items()):
            if view in (None, editor):
                self._let_go(answer)

    def _let_go(self, answer: ComingAnswer | None) -> None:
        if answer is not None and self._edited.pop(answer, None) is not None:
            answer.let_go()

    def _on_queue_change(self, view: str, message: Mapping[str, Any]) -> None:
        number, text = int(message["item"]), str(message["text"]).strip()
        keep = list(map(int, message["keep"]))
        answer, unsent = self._queue.answer(number), self._queue.unsent(number)
        if unsent is not None:
            unsent.change(text, keep)
            self._messages.send_state()
        elif answer is None:
            was = str(message.get("was", ""))
            self._queue.refused(self._typed_late(view, text, was))
        else:
            self._change(answer, view, text, keep)

    def _change(
        self, answer: ComingAnswer, view: str, text: str, keep: Sequence[int]
    ) -> None:
        question = answer.question
        try:
            answer.change(self._questions.reworded(question.prompt, text, keep))
        except MisuseError as error:
            late = self._queue.unsent_of(question, text)
            late.view = view
            late.note(error)
            self._queue.refused(late)

    def _typed_late(self, view: str, text: str, was: str) -> Unsent:
        """Return what was typed in place of a question that is in the queue no more."""
        thread = self._session.thread

        def resend(new: str, _: Sequence[int]) -> BackgroundAnswer:
            prompt = self._questions.prompt({"text": new})
            there = self._queue.thread_of(thread)
            return self._session.ask_later(prompt, thread=there)

        why = f"“{was}” had already begun: this is your edit of it."
        return Unsent(text, [], thread, resend, view, why=why)

    def _on_queue_send(self, _: str, message: Mapping[str, Any]) -> None:
        """Send a question now: the answer that is being written is stopped."""
        number = int(message["item"])
        answer = self._queue.answer(number)
        if answer is None:
            self._send(number)
            return
        running, *waiting = self._session.coming() or (None,)
        if answer is running or answer in waiting:  # it may have begun just now
            answer.move(1)
            self._let_go(answer)
        if answer in waiting and running is not None and not running.held:
            running.stop()

    def _send(self, number: int) -> None:
        unsent = self._queue.take(number)
        try:
            asked = unsent.resend(unsent.text, range(len(unsent.files)))
        except H2OMagicError as error:
            unsent.note(error)
            self._queue.refused(unsent, number)
            return
        if asked is not None:
            message = {**unsent.message, "text": unsent.text}
            self._queue.follow(asked, unsent.view, message)
        self._messages.send_state()

    def _on_queue_remove(self, view: str, message: Mapping[str, Any]) -> None:
        number = int(message["item"])
        answer = self._queue.answer(number)
        if answer is None:
            unsent = self._queue.take(number)
            self._removed = number, lambda: self._queue.refused(unsent)
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
        self._queue.follow(again, message={"text": answer.question.text})

    def _on_queue_take(self, _: str, message: Mapping[str, Any]) -> None:
        """Forget a question that is in a composer now."""
        self._queue.take(int(message["item"]))
        self._messages.send_state()
