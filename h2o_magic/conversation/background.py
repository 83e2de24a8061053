"""Asking in the background: each answer is read in a thread of its own."""

from __future__ import annotations

import threading
import time

from h2o_magic.chat.turns import Turn
from h2o_magic.config.forks import in_child
from h2o_magic.conversation.answer import Answer
from h2o_magic.conversation.connection import Connection
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.threads import Conversation
from h2o_magic.errors import MisuseError
from h2o_magic.prompts.prompt import Prompt

#: Seconds that answers get to end when the session closes.
_FAREWELL = 2.0


class BackgroundAnswer:
    """A question that is being asked in the background.

    Attributes
    ----------
    answer : Answer
        What comes, as it grows. It must not be iterated.
    error : BaseException or None
        Why it failed, once it has ended.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.error: BaseException | None = None
        self._ended = threading.Event()

    @property
    def turn(self) -> Turn | None:
        """The turn as it stands; None while it waits for an answer before it."""
        return self.answer.turn

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def stop(self) -> None:
        """Stop it, from any thread; the text so far is kept."""
        self.answer.stop()

    @property
    def waits(self) -> bool:
        """Whether it waits for the answers before it, and so can be changed."""
        return self.answer.waits

    @property
    def withdrawn(self) -> bool:
        """Whether :meth:`withdraw` took it out of the queue."""
        return self.answer.withdrawn

    def change(self, question: str | Prompt) -> None:
        """Ask something else in its place, as :meth:`Answer.change` does."""
        self.answer.change(question)

    def move(self, place: int) -> None:
        """Go to a place among those that wait, from 1; see :meth:`Answer.move`."""
        self.answer.move(place)

    def withdraw(self) -> None:
        """Leave the queue, so that it is not asked; see :meth:`Answer.withdraw`."""
        self.answer.withdraw()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, `timeout` seconds at most; return whether it came."""
        return self._ended.wait(timeout)

    def __repr__(self) -> str:
        return f"<BackgroundAnswer: {self.answer!r}>"


class Background:
    """Asks questions in threads of their own."""

    def __init__(self, conversation: Conversation, connection: Connection) -> None:
        self._conversation = conversation
        self._connection = connection
        self._lock = threading.Lock()
        self._running: set[BackgroundAnswer] = set()
        in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        for asked in self._running:
            asked.error = MisuseError("it is being answered in the parent process")
            asked._ended = threading.Event()
            asked._ended.set()
        self._running = set()

    def ask(self, question: Question) -> BackgroundAnswer:
        """Begin to ask; its place in the queue of its thread is taken at once."""
        answer = Answer(question, self._conversation, self._connection)
        asked, queued = BackgroundAnswer(answer), threading.Event()
        with self._lock:
            self._running.add(asked)
        # A daemon: a kernel that is ended does not wait for a long answer.
        name = f"h2o_magic answer in {question.thread}"
        thread = threading.Thread(
            target=self._run, args=(asked, queued), name=name, daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the system has no thread left
            with self._lock:
                self._running.discard(asked)
            raise
        queued.wait()
        return asked

    def close(self) -> None:
        """Stop all, and wait a little until their text so far is kept."""
        with self._lock:
            running = tuple(self._running)
        for asked in running:
            asked.stop()
        deadline = time.monotonic() + _FAREWELL
        for asked in running:
            asked.wait(max(deadline - time.monotonic(), 0.0))

    def _run(self, asked: BackgroundAnswer, queued: threading.Event) -> None:
        try:
            asked.answer.enter_queue()
            queued.set()
            asked.answer.read()
        except BaseException as error:
            asked.error = error
        finally:
            queued.set()
            with self._lock:
                self._running.discard(asked)
            asked._ended.set()
