"""A conversation as the prompt of its model, and made to fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from h2o_magic.chat.messages import Message, parse_messages, user
from h2o_magic.errors import MessagesError
from h2o_magic.server.defuse import KNOWN_MARKERS, defused
from h2o_magic.server.engine_process import Engine
from h2o_magic.weights.gguf import Header


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What is to be answered."""

    system: str
    history: tuple[Message, ...]
    question: str

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
    dropped_turns: int = 0
    cut_tokens: int = 0


def parse_dialogue(items: object) -> Dialogue:
    if not isinstance(items, list):
        raise MessagesError(
            f"expected `messages` to be a list, got {type(items).__name__}"
        )
    *earlier, last = parse_messages(items)
    system = [message.content for message in earlier if message.role == "system"]
    history = tuple(earlier[len(system) :])
    return Dialogue("\n\n".join(system), history, last.content.strip())


class PromptBuilder:
    """Builds prompts with an engine's template and tokenizer."""

    def __init__(self, engine: Engine, header: Header) -> None:
        self._engine = engine
        self._header = header
        self._markers = header.control_texts | KNOWN_MARKERS

    async def build(self, dialogue: Dialogue, room: int) -> Prompt:
        """Return the prompt of `dialogue`, in at most `room` tokens.

        The oldest turns are dropped first, then the beginning of the question is cut,
        then that of the prompt (where the system text alone is too long).
        """
        turns = dialogue.turns()
        whole = await self._of_turns(dialogue, turns)
        if len(whole.tokens) <= room:
            return whole
        fewest, most = 1, len(turns)
        while fewest < most:
            middle = (fewest + most) // 2
            fits = await self._of_turns(dialogue, turns[middle:])
            if len(fits.tokens) <= room:
                most = middle
            else:
                fewest = middle + 1
        kept = await self._of_turns(dialogue, turns[most:])
        if len(kept.tokens) <= room:
            return Prompt(kept.text, kept.tokens, most)
        return await self._cut(dialogue, len(kept.tokens) - room, room)

    async def _cut(self, dialogue: Dialogue, excess: int, room: int) -> Prompt:
        tokens = await self._tokenize(dialogue.question, markers=False)
        cut = min(excess, len(tokens))
        end = await self._detokenize(tokens[cut:])
        prompt = await self._render(dialogue.system, [user(end)])
        text, tokens = prompt.text, prompt.tokens
        if len(tokens) > room:
            tokens = tokens[-room:]
            text = await self._detokenize(tokens)
        return Prompt(text, tokens, len(dialogue.turns()), cut)

    async def _of_turns(
        self, dialogue: Dialogue, turns: Iterable[Iterable[Message]]
    ) -> Prompt:
        kept = [message for turn in turns for message in turn]
        return await self._render(dialogue.system, [*kept, user(dialogue.question)])

    async def _render(self, system: str, messages: Sequence[Message]) -> Prompt:
        items = [{"role": m.role, "content": m.content} for m in messages]
        if system:
            items.insert(0, {"role": "system", "content": system})
        safe = defused(items, self._markers)
        text = await self._call("/apply-template", "prompt", messages=safe)
        tokens = await self._tokenize(text, markers=True)
        # A template may write the begin token that tokenizing adds, too.
        doubled = tokens[:1] == tokens[1:2] and tokens[:1] != []
        if doubled and tokens[0] in self._header.control_ids:
            tokens = tokens[1:]
        return Prompt(text, tokens)

    async def _tokenize(self, text: str, *, markers: bool) -> list[int]:
        tokens: list[int] = await self._call(
            "/tokenize",
            "tokens",
            content=text,
            add_special=markers,
            parse_special=markers,
        )
        return tokens

    async def _detokenize(self, tokens: Sequence[int]) -> str:
        text: str = await self._call("/detokenize", "content", tokens=list(tokens))
        return text

    async def _call(self, path: str, result: str, **body: Any) -> Any:
        return (await self._engine.call("POST", path, body))[result]
