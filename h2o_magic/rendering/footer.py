"""The words around an answer: its footer, in Markdown and in plain text."""

from __future__ import annotations

import html
from collections.abc import Iterator
from urllib.parse import urlsplit

from h2o_magic.chat.facts import Facts
from h2o_magic.config.definitions import MAIN
from h2o_magic.config.models import REAL_MODEL, title_of
from h2o_magic.rendering.blocks import close_fence
from h2o_magic.rendering.sanitize import harmless
from h2o_magic.rendering.sanitize_inline import safe_prose

_GO_ON = "`%h2o ask Go on.` continues"


def footer(facts: Facts, problem: str = "", *, terminal: bool = False) -> list[str]:
    """Return the facts that stand under an answer, in words.

    Parameters
    ----------
    facts
        What is known about the answer.
    problem
        Why the answer is not whole, where it failed.
    terminal
        True for the command ``h2o-magic ask``, which has no magics.

    Returns
    -------
    list of str
        Short phrases, the most important first. Code is in backticks.
    """
    phrases = [_ending(facts, problem, terminal), *_who(facts), *_place(facts)]
    if facts.cut_tokens:
        phrases.append(f"the question's first {facts.cut_tokens} tokens left out")
    if facts.completion_tokens is not None:
        phrases.append(_tokens(facts.completion_tokens))
    if facts.seconds:
        phrases.append(seconds_in_words(facts.seconds))
    said = [phrase for phrase in phrases if phrase]
    return [p.replace("`%h2o ", "`h2o-magic ") for p in said] if terminal else said


def answer_markdown(
    text: str,
    facts: Facts,
    problem: str = "",
    *,
    reasoning: str = "",
    reasoning_mode: str = "collapse",
) -> str:
    """Return the whole answer as Markdown in which nothing acts, with its footer.

    Parameters
    ----------
    text, facts
        The answer, and what is known about it.
    problem
        Why it is not whole, where it failed.
    reasoning
        What the model has written of its reasoning.
    reasoning_mode
        ``collapse``, ``show`` or ``hide``.
    """
    body = harmless(close_fence(text)).rstrip() or "*(an empty answer)*"
    phrases = safe_prose(" · ".join(footer(facts, problem)).replace("<", "&lt;"))
    parts = [reasoning_markdown(reasoning, reasoning_mode), body]
    return "\n\n".join([*filter(None, parts), f"<sub>{phrases}</sub>"])


def answer_plain(
    text: str,
    facts: Facts,
    problem: str = "",
    *,
    reasoning: str = "",
    reasoning_mode: str = "collapse",
) -> str:
    """Return the whole answer as plain text, with its footer in brackets.

    Parameters
    ----------
    text, facts, problem, reasoning
        As for :func:`answer_markdown`.
    reasoning_mode
        Only with ``show`` the reasoning is there, since no plain text can be folded. It
        stands behind the answer, which a terminal has printed by then.
    """
    parts = [text.rstrip() or "(an empty answer)"]
    if reasoning_mode == "show" and reasoning.strip():
        lines = reasoning.strip("\n").split("\n")
        parts.append("\n".join(f"> {line}".rstrip() for line in ["Reasoning:", *lines]))
    phrases = " · ".join(footer(facts, problem)).replace("`", "")
    return "\n\n".join([*parts, f"[{phrases}]"])


def model_name(model: str, weights: str = "") -> str:
    """Return what a model is called; one that is asked for by a file by its weights.

    Parameters
    ----------
    model
        The name that it answers to.
    weights
        Its weights in words, where the server says so.
    """
    is_file = model.lower().endswith(".gguf")
    return weights if is_file and weights else title_of(model)


def seconds_in_words(seconds: float) -> str:
    """Return ``1.3 s``; what is shorter than 0.1 s with two digits."""
    return f"{seconds:,.1f} s" if seconds >= 0.1 else f"{seconds:.2f} s"


def reasoning_markdown(text: str, mode: str) -> str:
    """Return a model's reasoning as Markdown; empty if there is none to show."""
    shown = harmless(close_fence(text)).strip("\n")
    if mode == "hide" or not shown.strip():
        return ""
    if mode == "collapse":
        return f"<details><summary>Reasoning</summary>\n\n{shown}\n\n</details>"
    lines = ["**Reasoning**", "", *shown.split("\n")]
    # Once more: in a quotation, code and formulas may end elsewhere.
    return harmless("\n".join(f"> {line}".rstrip() for line in lines))


def reasoning_html(text: str, mode: str) -> str:
    """Return a model's reasoning as HTML that shows it letter by letter.

    Parameters
    ----------
    text, mode
        As for :func:`reasoning_markdown`.
    """
    if mode == "hide" or not text.strip():
        return ""
    opened = " open" if mode == "show" else ""
    shown = html.escape(text.strip("\n"))
    return (
        f"<details{opened}><summary>Reasoning</summary>"
        f'<pre style="white-space: pre-wrap">{shown}</pre></details>'
    )


def _ending(facts: Facts, problem: str, terminal: bool) -> str:
    if facts.status == "stopped":
        return "■ stopped, the answer is not whole"
    if facts.status == "incomplete":
        return "■ incomplete, its end is missing"
    if facts.status == "failed":
        why = " ".join(problem.split()) or "the server failed"
        return f"■ broken off, the answer is not whole: {why}"
    if facts.finish_reason == "length":
        count = facts.completion_tokens
        place = f"after {_tokens(count)}" if count else "at the token limit"
        more = "`--max-new-tokens` allows more" if terminal else _GO_ON
        return f"■ cut off {place}: {more}"
    if facts.finish_reason == "unknown":
        return "the server did not say why the answer ended"
    return ""


def _place(facts: Facts) -> list[str]:
    """Return what there is to say about the answer's place in the conversation."""
    phrases = []
    if not facts.history:
        phrases.append("outside the conversation")
    elif facts.thread not in ("", MAIN):
        phrases.append(f"thread {facts.thread}")
    sent, earlier = facts.sent_turns, facts.earlier_turns
    if sent is not None and earlier is not None:
        if sent < earlier:
            phrases.append(f"sent {sent} of {_turns(earlier)}{_not_whole(facts)}")
    elif facts.dropped_turns:
        phrases.append(f"{_turns(facts.dropped_turns, 'earlier ')} left out to fit")
    if facts.outdated_turns:
        turns = _turns(facts.outdated_turns, "later ")
        verb = "was" if facts.outdated_turns == 1 else "were"
        phrases.append(f"{turns} {verb} asked before this answer changed")
    return phrases


def _not_whole(facts: Facts) -> str:
    """Return how many turns were left out for another reason than room."""
    return f", {facts.unfinished_turns:,} not whole" if facts.unfinished_turns else ""


def _tokens(count: int) -> str:
    return f"{count:,} {'token' if count == 1 else 'tokens'}"


def _turns(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}{'turn' if count == 1 else 'turns'}"


def _who(facts: Facts) -> Iterator[str]:
    """Yield what answered, and what there is to say about that."""
    name = model_name(facts.model, facts.weights)
    if facts.stands_in_for:
        place = "this machine" if _is_here(facts.server) else "the server"
        yield f"{name} answered: {facts.stands_in_for} is not on {place}"
    elif not facts.demo:
        yield name
    elif facts.demo_told:
        yield f"{name} (demo)"
    else:
        yield f"{name}, built-in demo weights"
        if _is_here(facts.server):
            yield f"`%h2o pull {REAL_MODEL}` brings a real model"


def _is_here(server: str) -> bool:
    try:
        host = urlsplit(server).hostname or ""
    except ValueError:  # a file can say anything
        return False
    return host in ("", "127.0.0.1", "::1", "localhost")
