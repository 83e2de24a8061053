"""A client's messages as a dialogue, and how many tokens that has."""

from __future__ import annotations

import asyncio
import sys

from h2o_magic.chat.messages import parse_messages
from h2o_magic.errors import MessagesError
from h2o_magic.server.models import Models
from h2o_magic.server.prompts import Dialogue, build_prompt
from h2o_magic.weights.files import Weights


def parse_dialogue(items: object) -> Dialogue:
    if not isinstance(items, list):
        raise MessagesError(
            f"expected `messages` to be a list, got {type(items).__name__}"
        )
    *earlier, last = parse_messages(items)
    system = [message.content for message in earlier if message.role == "system"]
    history = tuple(earlier[len(system) :])
    text = "\n\n".join(system) if system else None
    return Dialogue(text, history, last.content.strip())


async def count_tokens(models: Models, weights: Weights, dialogue: Dialogue) -> int:
    """Return the tokens of the whole prompt, whether it fits or not."""
    async with models.use(weights) as engine:
        prompt = await asyncio.to_thread(build_prompt, engine, dialogue, sys.maxsize)
    return len(prompt.tokens)
