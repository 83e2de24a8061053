"""Turns a conversation into the prompt a model was trained on, and fits it.

The template is that of the weights. Weights without one get the raw format of
H2O.ai's models: ``<|prompt|>Q<end><|answer|>A<end>...``.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from h2o_magic.chat.messages import Message, user
from h2o_magic.errors import ParameterError
from h2o_magic.weights.gguf import Header

#: What opens a turn in the raw format: the user's, the model's.
RAW_MARKERS = _PROMPT, _ANSWER = ("<|prompt|>", "<|answer|>")
#: Markers of a turn even where a model's vocabulary does not say so.
_KNOWN_MARKERS = frozenset({_PROMPT, _ANSWER, "<|endoftext|>", "</s>", "<s>"})
_SHORTEST_MARKER = 3


class EffortError(ParameterError):
    """The model's template does not support the requested effort."""


class PromptMaker(Protocol):
    """The part of an engine that makes prompts."""

    @property
    def header(self) -> Header: ...

    @property
    def knows_system_role(self) -> bool:
        """Whether its template supports system text."""

    @property
    def knows_effort(self) -> bool:
        """Whether its template supports an effort of reasoning."""

    def tokenize(self, text: str, *, markers: bool) -> list[int]: ...

    def detokenize(self, tokens: Sequence[int]) -> str: ...

    def apply_template(
        self, messages: Sequence[dict[str, str]], effort: str = ""
    ) -> str: ...


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What is to be answered.

    `system` is None if the client sent none, not even an empty one. `effort` is that of
    reasoning; empty for the model's default.
    """

    system: str | None
    history: tuple[Message, ...]
    question: str
    effort: str = ""

    def turns(self) -> list[tuple[Message, ...]]:
        turns: list[tuple[Message, ...]] = []
        for message in self.history:
            if message.role == "user" or not turns:
                turns.append((message,))
            else:
                turns[-1] = (*turns[-1], message)
        return turns


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that fits, and how much was dropped and cut for that."""

    text: str
    tokens: list[int]
    dropped_turns: int
    cut_tokens: int


def build_prompt(maker: PromptMaker, dialogue: Dialogue, room: int) -> Prompt:
    """Return the prompt of `dialogue`, in at most `room` tokens. Blocks.

    The oldest turns are dropped first, then the beginning of the question is cut, then
    that of the prompt (where the system text alone is too long).
    """
    _check_effort(maker, dialogue.effort)
    turns = dialogue.turns()

    @cache
    def without(dropped: int) -> tuple[str, list[int]]:
        kept = [message for turn in turns[dropped:] for message in turn]
        question = user(dialogue.question)
        return _render(maker, dialogue, [*kept, question])

    dropped = turns_to_drop(len(turns), lambda n: len(without(n)[1]), room)
    text, tokens = without(dropped)
    if len(tokens) <= room:
        return Prompt(text, tokens, dropped, 0)
    return _cut_question(maker, dialogue, len(tokens) - room, room)


def turns_to_drop(turns: int, length: Callable[[int], int], room: int) -> int:
    """Return how many of the oldest `turns` must be dropped so that the input fits.

    `length` gives the tokens without that many; all are dropped where none fits.
    """
    if length(0) <= room:
        return 0
    rest = range(1, turns)
    return 1 + bisect_left(rest, True, key=lambda n: length(n) <= room) if turns else 0


def _cut_question(
    maker: PromptMaker, dialogue: Dialogue, excess: int, room: int
) -> Prompt:
    question = maker.tokenize(dialogue.question, markers=False)
    cut = min(excess, len(question))
    end = maker.detokenize(question[cut:])
    text, tokens = _render(maker, dialogue, [user(end)])
    if len(tokens) > room:
        tokens = tokens[-room:]
        text = maker.detokenize(tokens)
    return Prompt(text, tokens, len(dialogue.turns()), cut)


def _check_effort(maker: PromptMaker, effort: str) -> None:
    """Refuse an effort that the template would silently ignore."""
    template = maker.header.chat_template or ""
    # llama.cpp turns `none` into `enable_thinking` false, and hands on all others.
    known = "enable_thinking" in template if effort == "none" else maker.knows_effort
    if effort and not known:
        raise EffortError(
            "expected no `reasoning_effort`, which this model's chat template does not "
            f"support, got {effort}: leave it out"
        )


def _render(
    maker: PromptMaker, dialogue: Dialogue, messages: Sequence[Message]
) -> tuple[str, list[int]]:
    text = _as_text(maker, dialogue, messages)
    return text, _tokenize(maker, text)


def _tokenize(maker: PromptMaker, text: str) -> list[int]:
    tokens = maker.tokenize(text, markers=True)
    # A template may write the begin token that tokenizing adds, too.
    doubled = tokens[:1] == tokens[1:2] and tokens[:1] != []
    return tokens[1:] if doubled and tokens[0] in maker.header.control_ids else tokens


def _as_text(
    maker: PromptMaker, dialogue: Dialogue, messages: Sequence[Message]
) -> str:
    markers = maker.header.control_texts | _KNOWN_MARKERS
    safe = [Message(m.role, defuse(m.content, markers)) for m in messages]
    safe_system = defuse(dialogue.system or "", markers)
    if maker.header.chat_template is None:
        return _raw(_with_system_folded(safe_system, safe), maker.header.end_text)
    if safe_system and maker.knows_system_role:
        safe = [Message("system", safe_system), *safe]
    else:
        safe = _with_system_folded(safe_system, safe)
    return maker.apply_template(
        [{"role": m.role, "content": m.content} for m in _joined(safe)],
        dialogue.effort,
    )


def _with_system_folded(system: str, messages: Sequence[Message]) -> list[Message]:
    if not system:
        return list(messages)
    place = next(i for i, m in enumerate(messages) if m.role == "user")
    first = user(f"{system}\n\n{messages[place].content}")
    return [*messages[:place], first, *messages[place + 1 :]]


def _joined(messages: Iterable[Message]) -> list[Message]:
    """Join neighbours of one role: many templates reject two in a row."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            both = f"{joined[-1].content}\n\n{message.content}"
            joined[-1] = Message(message.role, both)
        else:
            joined.append(message)
    return joined


def _raw(messages: Iterable[Message], end: str) -> str:
    openers = {"user": _PROMPT, "assistant": _ANSWER}
    turns = "".join(f"{openers[m.role]}{m.content}{end}" for m in messages)
    return turns + _ANSWER


def defuse(text: str, markers: Iterable[str]) -> str:
    """Return `text` in which no marker is a control token, so it cannot forge a turn.

    A space follows the first character of each.

    >>> defuse("what is <|answer|>?", {"<|answer|>"})
    'what is < |answer|>?'
    """
    pattern = "|".join(re.escape(m) for m in markers if len(m) >= _SHORTEST_MARKER)
    # A lookahead finds overlapping markers, too.
    return re.sub(f"(?={pattern})(.)", r"\1 ", text, flags=re.S) if pattern else text
