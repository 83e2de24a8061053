"""The words around an answer: its footer, in Markdown and in plain text."""

from __future__ import annotations

from h2o_magic.answers import Facts
from h2o_magic.blocks import close_fence
from h2o_magic.catalogue import find_model

__all__ = ["answer_markdown", "answer_plain", "footer"]


def footer(facts: Facts, problem: str = "") -> list[str]:
    """Return the facts that stand under an answer, in words.

    Parameters
    ----------
    facts
        What is known about the answer.
    problem
        Why the answer is not whole, where it failed.

    Returns
    -------
    list of str
        Short phrases, the most important first. Code is in backticks.
    """
    phrases = [_ending(facts, problem), facts.model, _weights(facts)]
    if facts.dropped_turns:
        turns = "turn" if facts.dropped_turns == 1 else "turns"
        phrases.append(f"{facts.dropped_turns} earlier {turns} left out to fit")
    if facts.cut_tokens:
        phrases.append(f"the question's first {facts.cut_tokens} tokens left out")
    if facts.completion_tokens is not None:
        tokens = "token" if facts.completion_tokens == 1 else "tokens"
        phrases.append(f"{facts.completion_tokens} {tokens}")
    if facts.seconds_to_first_token is not None:
        phrases.append(f"{facts.seconds_to_first_token:.2f} s to the first")
    if facts.tokens_per_second is not None:
        phrases.append(f"{facts.tokens_per_second:,.0f} tokens/s")
    return [phrase for phrase in phrases if phrase]


def answer_markdown(text: str, facts: Facts, problem: str = "") -> str:
    """Return the whole answer as Markdown, with its footer in small type."""
    body = close_fence(text).rstrip() or "*(an empty answer)*"
    phrases = " · ".join(footer(facts, problem)).replace("<", "&lt;")
    return f"{body}\n\n<sub>{phrases}</sub>"


def answer_plain(text: str, facts: Facts, problem: str = "") -> str:
    """Return the whole answer as plain text, with its footer in brackets."""
    body = text.rstrip() or "(an empty answer)"
    return f"{body}\n\n[{' · '.join(footer(facts, problem)).replace('`', '')}]"


def _ending(facts: Facts, problem: str) -> str:
    if facts.status == "stopped":
        return "■ stopped, the answer is not whole"
    if facts.status == "failed":
        why = " ".join(problem.split()) or "the server failed"
        return f"■ broken off, the answer is not whole: {why}"
    if facts.finish_reason == "length":
        return "■ cut off by the token limit, `--max-new-tokens` or the context"
    return ""


def _weights(facts: Facts) -> str:
    if not facts.demo:
        return facts.weights
    weights = facts.weights or "demo weights"
    if find_model(facts.model) is None:
        return weights
    return f"{weights}, `%h2o pull {facts.model}` for the real ones"
