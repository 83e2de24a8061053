"""A stored answer as text for a terminal: what was asked, and the whole answer."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from h2o_magic.backends.replay.entry import Learned, StoredAnswer
from h2o_magic.config.units import counted
from h2o_magic.rendering.footer import seconds_in_words
from h2o_magic.rendering.literal import one_line, printable


def as_text(key: str, entry: StoredAnswer | Learned) -> str:
    """Return an entry as text; a file may say anything, so nothing in it acts."""
    rows = _of_fact(entry) if isinstance(entry, Learned) else _of_answer(entry)
    head = [f"{name:<11}  {one_line(text)}" for name, text in rows if text]
    parts = ["\n".join([f"{'key':<11}  {key}", *head])]
    if isinstance(entry, StoredAnswer):
        parts += [
            f"{name}\n\n{_indented(text)}" for name, text in _texts(entry) if text
        ]
    return "\n\n".join(parts) + "\n"


def asked_text(answer: StoredAnswer, name: str) -> str:
    """Return a text of what was asked; empty if there is none."""
    text = answer.request.get(name)
    return text if isinstance(text, str) else ""


def asked_model(answer: StoredAnswer) -> str:
    """Return the model that was asked, or the one that answered in its place."""
    return answer.source.model if answer.source else asked_text(answer, "model")


def _of_answer(answer: StoredAnswer) -> Iterator[tuple[str, str]]:
    yield "answered", f"{answer.day}, in {seconds_in_words(answer.seconds)}"
    yield "server", f"{asked_text(answer, 'server')} ({answer.url})"
    yield "model", asked_text(answer, "model")
    if answer.source is not None:
        yield "answered by", answer.source.weights or answer.source.model
    if answer.usage is not None:
        counts = (answer.usage.prompt_tokens, answer.usage.completion_tokens)
        read, written = ("?" if each is None else each for each in counts)
        yield "tokens", f"{read} read, {written} written"
    parameters = answer.request.get("parameters")
    if isinstance(parameters, dict):
        yield "parameters", ", ".join(f"{n} {each}" for n, each in parameters.items())
    for name, noun in (("earlier", "message"), ("images", "image")):
        sent = answer.request.get(name)
        if isinstance(sent, list) and sent:
            yield name, counted(len(sent), noun)


def _of_fact(fact: Learned) -> Iterator[tuple[str, str]]:
    yield "server", str(fact.server)
    yield "model", str(fact.model)
    yield str(fact.what), str(fact.value)


def _texts(answer: StoredAnswer) -> Iterator[tuple[str, str]]:
    for title, name in (("system prompt", "system"), ("question", "question")):
        text = asked_text(answer, name)
        cut = f"{name}_behind" in answer.request
        yield f"{title}, its first {len(text):,} characters" if cut else title, text
    yield "reasoning", answer.reasoning
    yield "answer", answer.text


def _indented(text: str) -> str:
    return textwrap.indent(printable(text).strip("\n"), "    ")
