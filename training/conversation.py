"""Conversations as the notebook has them, and their text in the chat format.

A conversation is an optional system text and turns of a question and its answer.
`Sampler` draws them at random from the guide; `token_ids` writes them with the special
tokens, and the chat template in the GGUF file does the same for the engine.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from training.augment import augment
from training.guide import OUTSIDE, Guide

__all__ = [
    "ANSWER",
    "CHAT_TEMPLATE",
    "END",
    "PROMPT",
    "SPECIAL_TOKENS",
    "SYSTEM",
    "Conversation",
    "Sampler",
    "Turn",
    "token_ids",
]

END = "<|endoftext|>"
PROMPT = "<|prompt|>"
ANSWER = "<|answer|>"
SYSTEM = "<|system|>"
SPECIAL_TOKENS = (END, PROMPT, ANSWER, SYSTEM)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ '<|system|>' }}"
    "{% elif message['role'] == 'user' %}{{ '<|prompt|>' }}"
    "{% else %}{{ '<|answer|>' }}{% endif %}"
    "{{ message['content'] | trim }}{{ '<|endoftext|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|answer|>' }}{% endif %}"
)

P_SYSTEM = 0.15
P_OUTSIDE = 0.33
P_WRITTEN = 0.6
P_SECOND = 0.3
P_LONE_SECOND = 0.02
P_PASTE = 0.06
P_FILLER = 0.06


@dataclass(frozen=True)
class Turn:
    """One question with the topic of its answer, and the answer's text."""

    question: str
    topic: str
    answer: str


@dataclass(frozen=True)
class Conversation:
    """A system text, or None, and the turns after it."""

    system: str | None
    turns: tuple[Turn, ...]


class Sampler:
    """Draws conversations from a guide.

    Parameters
    ----------
    guide
        What to draw from.
    rng
        Source of all choices.
    """

    def __init__(self, guide: Guide, rng: random.Random) -> None:
        self._guide = guide
        self._rng = rng
        # Topics with seconds of their own, drawn more often before such a question.
        self._firsts = {
            kind: [topic for topic in table if topic != "*"]
            for kind, table in guide.followups.items()
        }
        self._firsts["life"] = self._firsts["where-log"] = ["local-server"]
        self._firsts["get-real"] = ["demo-weights"]

    def conversation(self, turns: int) -> Conversation:
        """Return a conversation of at least so many turns, and at most two more."""
        drawn: list[Turn] = []
        while len(drawn) < turns:
            if turns > 1 and self._rng.random() < P_SECOND:
                drawn += self._dialogue(drawn)
            else:
                drawn.append(self._single())
        system = None
        if self._rng.random() < P_SYSTEM:
            system = self._rng.choice(self._guide.systems)
        return Conversation(system, tuple(drawn))

    def _single(self) -> Turn:
        rng = self._rng
        if rng.random() < P_OUTSIDE:
            if rng.random() < P_PASTE:
                return self._paste()
            written = rng.random() < P_WRITTEN
            outside = self._guide.outside
            question = (
                rng.choice(outside)
                if written
                else self._guide.outside_grammar.sample(rng)
            )
            return self._turn(question, OUTSIDE)
        if rng.random() < P_LONE_SECOND:
            return self._second(None, rng.choice(list(self._guide.seconds)))
        return self._about(rng.choice(self._guide.topics))

    def _paste(self) -> Turn:
        """Return a question of up to 25 pasted lines."""
        lines = self._rng.choices(self._guide.pastes, k=self._rng.randint(1, 25))
        return Turn("\n".join(lines), OUTSIDE, self._guide.answers[OUTSIDE])

    def _about(self, topic: str) -> Turn:
        rng = self._rng
        if rng.random() < P_WRITTEN:
            return self._turn(rng.choice(self._guide.phrasings[topic]), topic)
        return self._turn(self._guide.grammars[topic].sample(rng), topic)

    def _dialogue(self, before: list[Turn]) -> list[Turn]:
        """Return a first turn and a second one that needs it, at times a third."""
        rng = self._rng
        kind = rng.choice(list(self._guide.seconds))
        if before and rng.random() < 0.2:
            topic = before[-1].topic
            return [self._second(topic, kind)]
        first = rng.choice(self._firsts[kind])
        turns = [self._about(first), self._second(first, kind)]
        if kind in ("show", "default") and rng.random() < 0.3:
            turns.append(self._second(first, "default" if kind == "show" else "show"))
        return turns

    def _second(self, first: str | None, kind: str) -> Turn:
        if first is not None and "/" in first:  # the subject of a second turn
            first = first.split("/")[1]
        topic = self._guide.second_answer(first, kind)
        return self._turn(self._rng.choice(self._guide.seconds[kind]), topic)

    def _turn(self, question: str, topic: str) -> Turn:
        noisy = augment(question, self._rng)
        if self._rng.random() < P_FILLER:
            parts = [self._rng.choice(self._guide.fillers), noisy]
            noisy = " ".join(parts if self._rng.random() < 0.8 else parts[::-1])
        return Turn(noisy, topic, self._guide.answers[topic])


def token_ids(
    conversation: Conversation,
    encode: Callable[[str], list[int]],
    special: dict[str, int],
    *,
    answer_tokens: int | None = None,
) -> tuple[list[int], list[int]]:
    """Write a conversation in the chat format.

    Parameters
    ----------
    conversation
        What to write.
    encode
        Text without special tokens to token ids.
    special
        The ids of the special tokens.
    answer_tokens
        Cut the answers after so many tokens; None keeps them whole.

    Returns
    -------
    tuple
        The token ids, and for each its place in its answer, counted from 1, the end
        token included; 0 for tokens that are not learned.
    """
    ids: list[int] = []
    places: list[int] = []

    def add(tokens: list[int], learned: bool = False) -> None:
        ids.extend(tokens)
        places.extend(range(1, len(tokens) + 1) if learned else [0] * len(tokens))

    if conversation.system is not None:
        add([special[SYSTEM], *encode(conversation.system), special[END]])
    for turn in conversation.turns:
        add([special[PROMPT], *encode(turn.question), special[END], special[ANSWER]])
        answer = [*encode(turn.answer), special[END]]
        add(answer[:answer_tokens], learned=True)
    return ids, places
