"""A whole answer with its footer, in Markdown and in plain text."""

from __future__ import annotations

import html
from collections.abc import Callable
from urllib.parse import urlsplit

from h2o_magic.chat.facts import Facts
from h2o_magic.config.definitions import MAIN
from h2o_magic.config.models import REAL_MODEL, title_of
from h2o_magic.config.units import counted
from h2o_magic.config.url import is_this_machine
from h2o_magic.rendering.blocks import close_fence
from h2o_magic.rendering.direction import with_directions
from h2o_magic.rendering.literal import literal, one_line, phrase, without_marks
from h2o_magic.rendering.sanitize import sanitize

#: What is shown in place of an answer without text.
EMPTY = "(an empty answer)"

#: What is said of an answer that is not complete, by its status.
STATUS_TEXT = {
    "stopped": "■ stopped, the answer is incomplete",
    "failed": "■ failed, the answer is incomplete",
    "incomplete": "■ incomplete, the end is missing",
}


def footer(
    facts: Facts,
    *,
    terminal: bool = False,
    name: Callable[[str], str] = str,
    words: Callable[[str], str] = str,
) -> list[str]:
    """Return facts as short phrases, the most important first.

    `terminal` names the command ``h2o-magic`` in place of the magic ``%h2o``. `name`
    writes what others have named, and `words` all else, where backticks mark code.
    """
    phrases = []
    if facts.status != "complete" or facts.finish_reason in ("length", "unknown"):
        phrases.append(words(_ending(facts, terminal)))
    model = name(model_name(facts.model, facts.weights))
    if facts.stands_in_for:
        place = "this machine" if _is_local(facts.server) else "the server"
        phrases.append(
            f"{model} answered: {name(facts.stands_in_for)} is not on {place}"
        )
    elif facts.demo and not facts.demo_told:
        phrases.append(f"{model}, built-in demo weights")
        if _is_local(facts.server):
            command = "h2o-magic" if terminal else "%h2o"
            phrases.append(
                words(f"`{command} pull {REAL_MODEL}` downloads a real model")
            )
    else:
        phrases.append(f"{model} (demo)" if facts.demo else model)
    if not facts.history:
        phrases.append("outside the conversation")
    elif facts.thread not in ("", MAIN):
        phrases.append(f"thread {name(facts.thread)}")
    if facts.first_answered:
        phrases.append(f"replayed, first answered {name(facts.first_answered)}")
    phrases += map(words, facts.notes)
    phrases += _context(facts)
    if facts.completion_tokens is not None:
        phrases.append(counted(facts.completion_tokens, "token"))
    if facts.seconds and not facts.first_answered:
        phrases.append(seconds_in_words(facts.seconds))
    return phrases


def answer_markdown(
    text: str,
    facts: Facts,
    *,
    reasoning: str = "",
    reasoning_mode: str = "collapse",
    empty: str = EMPTY,
) -> str:
    """Return the answer as sanitized Markdown, below its reasoning, with its footer.

    `reasoning_mode` is ``collapse``, ``show`` or ``hide``; `empty` stands for no text.
    """
    shown = with_directions(sanitize(close_fence(text)))
    body = shown.rstrip() or f"*{literal(empty)}*"
    phrases = " · ".join(footer(facts, name=literal, words=phrase))
    parts = [reasoning_markdown(reasoning, reasoning_mode)] if reasoning else []
    return "\n\n".join([*filter(None, parts), body, f"<sub>{phrases}</sub>"])


def answer_plain(
    text: str,
    facts: Facts,
    *,
    reasoning: str = "",
    reasoning_mode: str = "collapse",
    empty: str = EMPTY,
) -> str:
    """Return the answer as plain text, with its footer in brackets.

    Only ``show`` adds the reasoning, behind the answer: a terminal has printed that.
    """
    parts = [text.rstrip() or empty]
    if reasoning_mode == "show" and reasoning.strip():
        lines = ["Reasoning:", *reasoning.strip("\n").split("\n")]
        parts.append("\n".join(f"> {line}".rstrip() for line in lines))
    return "\n\n".join([*parts, f"[{plain_footer(facts)}]"])


def plain_footer(facts: Facts, *, terminal: bool = False) -> str:
    """Return the footer as one line of plain text."""
    written = footer(facts, terminal=terminal, name=one_line, words=without_marks)
    return " · ".join(written)


def model_name(model: str, weights: str = "") -> str:
    """Return what a model is called; one that is named by its file, by its weights."""
    is_file = model.lower().endswith(".gguf")
    return weights if is_file and weights else title_of(model)


def seconds_in_words(seconds: float) -> str:
    """Return ``1.3 s``; below 0.1 s with two decimals."""
    return f"{seconds:,.1f} s" if seconds >= 0.1 else f"{seconds:.2f} s"


def reasoning_markdown(text: str, mode: str) -> str:
    """Return a model's reasoning as sanitized Markdown; empty if nothing is shown."""
    shown = sanitize(close_fence(text)).strip("\n")
    if mode == "hide" or not shown.strip():
        return ""
    if mode == "collapse":
        shown = with_directions(shown)
        return f"<details><summary>Reasoning</summary>\n\n{shown}\n\n</details>"
    lines = ["**Reasoning**", "", *shown.split("\n")]
    # Once more: in a quotation, code and formulas may end elsewhere.
    return sanitize("\n".join(f"> {line}".rstrip() for line in lines))


def reasoning_html(text: str, mode: str) -> str:
    """Return a model's reasoning as HTML that shows it as plain text."""
    if mode == "hide" or not text.strip():
        return ""
    opened = " open" if mode == "show" else ""
    shown = html.escape(text.strip("\n"))
    return (
        f"<details{opened}><summary>Reasoning</summary>"
        f'<pre style="white-space: pre-wrap">{shown}</pre></details>'
    )


def _ending(facts: Facts, terminal: bool) -> str:
    if facts.status != "complete":
        return STATUS_TEXT[facts.status]
    if facts.finish_reason == "unknown":
        return "the server did not say why the answer ended"
    count = facts.completion_tokens
    place = f"after {counted(count, 'token')}" if count else "at the token limit"
    if terminal:
        return f"■ cut off {place}: `--max-new-tokens` allows more"
    return f"■ cut off {place}: `%h2o ask Go on.` continues it"


def _context(facts: Facts) -> list[str]:
    """Return what the model has not read, and which turns have not read the answer."""
    phrases = []
    sent, earlier = facts.sent_turns, facts.earlier_turns
    if sent is not None and earlier is not None:
        if sent < earlier:
            unfinished = f", {facts.unfinished_turns:,} incomplete"
            phrases.append(
                f"sent {sent} of {counted(earlier, 'turn')}"
                f"{unfinished if facts.unfinished_turns else ''}"
            )
    elif facts.dropped_turns:
        turns = counted(facts.dropped_turns, "earlier turn")
        phrases.append(f"{turns} left out to fit the context")
    if facts.outdated_turns:
        turns = counted(facts.outdated_turns, "later turn")
        verb = "was" if facts.outdated_turns == 1 else "were"
        phrases.append(f"{turns} {verb} asked before this answer changed")
    if facts.cut_tokens:
        tokens = counted(facts.cut_tokens, "token")
        phrases.append(f"first {tokens} of the question left out")
    return phrases


def _is_local(server: str) -> bool:
    try:
        host = urlsplit(server).hostname
    except ValueError:  # a file can say anything
        return False
    return not host or is_this_machine(host)
