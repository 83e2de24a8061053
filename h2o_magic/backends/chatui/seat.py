"""Where a question to a chat-ui server is asked: under which message, with which text.

A history that the server has as a branch of its tree gets the question alone; an
earlier question that was edited begins another branch. A history that no branch is goes
along, packed into a question under the root. Only what holds for a whole conversation,
the model and the system text, needs another conversation, and so does a lost one.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from h2o_magic.backends.chatui.calls import ChatUICalls, Created
from h2o_magic.backends.chatui.messages import Asked, answer_id
from h2o_magic.backends.chatui.repairs import conversation_lost
from h2o_magic.backends.chatui.tree import Tree
from h2o_magic.backends.gptgm.prompt import first_turn_text
from h2o_magic.errors import BackendError, ProtocolError, RateLimitedError, StatusError
from h2o_magic.messages import Message, assistant
from h2o_magic.transport import Cancellation

__all__ = ["Place", "Question", "Seat"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, apart from where.

    Attributes
    ----------
    model : str
        Id of the model.
    messages : tuple of Message
        The whole context; the last one is the question.
    """

    model: str
    messages: tuple[Message, ...]

    @property
    def preprompt(self) -> str:
        """The system text; empty if there is none."""
        return "\n\n".join(m.content for m in self.messages if m.role == "system")

    @property
    def dialogue(self) -> tuple[Message, ...]:
        """The messages without the system text."""
        return tuple(m for m in self.messages if m.role != "system")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a question is asked, and what is sent there."""

    conversation: str
    asked: Asked

    @property
    def document(self) -> dict[str, object]:
        """What ``POST /conversation/{id}`` carries."""
        return {
            "inputs": self.asked.inputs,
            "id": self.asked.parent,
            "is_retry": False,
            "generationId": self.asked.generation,
        }


class Seat:
    """Finds the place of one question.

    Parameters
    ----------
    question
        What is asked.
    calls
        The session to ask in.
    cancellation
        Ends its calls from another thread.
    tree
        The server conversation of this chat, if there is one.

    Attributes
    ----------
    tree : Tree or None
        The one that the chat has from now on.
    kept : bool
        True while that is the one from before.
    leftovers : list of str
        Ids of conversations that are no more used and not yet deleted.
    """

    def __init__(
        self,
        question: Question,
        calls: ChatUICalls,
        cancellation: Cancellation,
        tree: Tree | None = None,
    ) -> None:
        self.tree = tree
        self.kept = tree is not None
        self.leftovers: list[str] = []
        self._question = question
        self._calls = calls
        self._cancellation = cancellation

    def find(self, failure: BackendError | None) -> Place:
        """Return the place to ask at.

        Parameters
        ----------
        failure
            Why the last try failed; None on the first.
        """
        question, tree = self._question, self.tree
        fits = tree is not None and tree.fits(question.model, question.preprompt)
        if not fits or conversation_lost(failure, kept=self.kept):
            self.leave()
        tree = self.tree or self._make()
        parent = self._parent(tree)
        packed = first_turn_text(question.dialogue)
        inputs = packed if parent is None else question.dialogue[-1].content
        asked = Asked(parent or tree.root, inputs, str(uuid.uuid4()))
        return Place(tree.conversation, asked)

    def leave(self) -> None:
        """Use the conversation no more."""
        if self.tree is not None:
            self.leftovers.append(self.tree.conversation)
        self.tree, self.kept = None, False

    def answered(self, place: Place, text: str) -> None:
        """Note that the server has the question's answer at `place`."""
        if self.tree is not None:
            self.tree.note((*self._question.dialogue, assistant(text)), place.asked)

    def _parent(self, tree: Tree) -> str | None:
        """Return the message that the question goes under; None if there is none."""
        history = self._question.dialogue[:-1]
        end = tree.end_of(history)
        if not isinstance(end, Asked):
            return end
        # The id of an answer is nowhere in its stream.
        try:
            stored = self._calls.stored(tree.conversation, self._cancellation)
            found = answer_id(stored, end)
        except ProtocolError:
            found = None
        except StatusError as error:
            # A server that does not show the conversation may still have it.
            if error.status != 404 or conversation_lost(error, kept=False):
                raise
            found = None
        if found is None:
            tree.drop(history)
        else:
            tree.note(history, found)
        return found

    def _make(self) -> Tree:
        question = self._question
        created = self._create()
        root = created.root
        if root is None:
            root = self._calls.stored(created.id, self._cancellation).root
        self.tree = Tree(created.id, question.model, question.preprompt, root)
        return self.tree

    def _create(self) -> Created:
        model, preprompt = self._question.model, self._question.preprompt
        try:
            return self._calls.create(model, preprompt, self._cancellation)
        except RateLimitedError as error:
            full = "number of conversations" in error.server_message
            if not (full and self.leftovers):
                raise
        for conversation in self.leftovers:
            self._calls.delete(conversation)
        self.leftovers.clear()
        return self._calls.create(model, preprompt, self._cancellation)
