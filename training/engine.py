"""The real engine with one GGUF file: asks conversations, several at a time."""

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import xllamacpp

__all__ = ["DEFAULT", "GREEDY", "Engine", "Message"]

Message = dict[str, str]

# The generation parameters of the product, and the same without chance. Values that
# the product leaves unset are written as "off", not left to the engine's defaults.
DEFAULT: dict[str, Any] = {
    "temperature": 0.4,
    "repeat_penalty": 1.2,
    "repeat_last_n": 1024,  # the whole context, as the server asks for
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
}
GREEDY: dict[str, Any] = {"temperature": 0.0, "repeat_penalty": 1.0}

PARALLEL = 4


class Engine:
    """A running engine.

    Parameters
    ----------
    path
        The GGUF file.
    """

    def __init__(self, path: Path) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_parallel = PARALLEL
        params.n_ctx = 1024 * PARALLEL
        params.n_predict = 500
        params.cpuparams.n_threads = 1
        params.use_jinja = True
        params.verbosity = -1
        self._server = xllamacpp.Server(params)

    def answer(self, messages: Sequence[Message], parameters: dict[str, Any]) -> str:
        """Return the text of the answer to a conversation."""
        body = {"messages": list(messages), "stream": False, **parameters}
        return str(self._ask(body)["choices"][0]["message"]["content"])

    def answers(
        self,
        conversations: Iterable[Sequence[Message]],
        parameters: dict[str, Any],
    ) -> list[str]:
        """Return the answers to many conversations, in their order."""
        with ThreadPoolExecutor(PARALLEL) as pool:
            return list(
                pool.map(lambda each: self.answer(each, parameters), conversations)
            )

    def first_probabilities(self, messages: Sequence[Message]) -> dict[str, float]:
        """Return the ten likeliest first tokens with their log-probabilities."""
        body = {
            "messages": list(messages),
            "max_tokens": 1,
            "logprobs": True,
            "top_logprobs": 10,
            **GREEDY,
        }
        content = self._ask(body)["choices"][0]["logprobs"]["content"]
        return {row["token"]: row["logprob"] for row in content[0]["top_logprobs"]}

    def _ask(self, body: dict[str, Any]) -> dict[str, Any]:
        replies: list[Any] = []

        def keep(reply: Any) -> bool:
            replies.append(reply)
            return False  # True would cancel

        self._server.handle_chat_completions(json.dumps(body), keep)
        reply = replies[-1]
        parsed = json.loads(reply) if isinstance(reply, str | bytes) else reply
        if "choices" not in parsed:
            raise RuntimeError(f"expected an answer, the engine said {parsed!r}")
        return dict(parsed)
