"""Turns as they are shown: as rows in the panel, as Markdown in a saved notebook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from h2o_magic.chat.facts import Facts
from h2o_magic.chat.images import Image, data_uri
from h2o_magic.chat.kept_facts import facts_of
from h2o_magic.chat.turns import Turn
from h2o_magic.chat_panel.html import as_html
from h2o_magic.chat_panel.stream import AnswerStream
from h2o_magic.config.units import counted
from h2o_magic.conversation.session import Session
from h2o_magic.prompts.prompt import files_in
from h2o_magic.rendering.blocks import close_fence
from h2o_magic.rendering.footer import model_name, seconds_in_words
from h2o_magic.rendering.history import turn_markdown
from h2o_magic.rendering.literal import one_line, without_marks

_MARKS = {
    "stopped": "Stopped",
    "incomplete": "Incomplete: the end of the answer is missing",
}

#: Limits of the transcript: it is in the notebook's file, and the page renders it.
_MOST_TURNS = 100
_MOST_CHARACTERS = 20_000
_MOST_IMAGE_BYTES = 60_000

#: Characters that are shown of what was sent with a question.
_MOST_SENT = 20_000

# A front end without the kernel shows no widget, and does not say what to do.
_SAVED = "*This chat was saved with the notebook. Run this cell to continue it.*"


def row_of(
    turn: Turn,
    stream: AnswerStream | None = None,
    *,
    versions: tuple[int, int] = (1, 1),
    before: Turn | None = None,
) -> dict[str, Any]:
    """Return what a view needs to show a turn, as JSON values.

    An answer that is written comes from its `stream`, in deltas. `versions` are the
    number of the one shown, from 1, and how many there are. The facts name the model
    if the turn `before` had another.
    """
    running = stream is not None
    model = _model(turn)
    names = [model] if model and (before is None or _model(before) != model) else []
    return {
        "id": turn.id,
        "number": turn.number,
        "question": turn.question,
        "question_html": as_html(turn.question, breaks=True),
        "sent": _sent(turn.sent),
        "images": _images(turn),
        "files": _files(turn),
        "answer": "" if running else turn.answer,
        "answer_html": "" if running else as_html(close_fence(turn.answer)),
        "status": turn.status,
        "mark": "" if running else _mark(turn),
        "problem": None if running else _problem(turn),
        "cut": not running and _is_cut(turn) and bool(turn.answer.strip()),
        "facts": "" if running else " · ".join([*names, *_facts(turn)]),
        "model": "" if running else model,
        "versions": versions,
        "from_cell": turn.cell is not None,
        "run": "rows" in turn.facts,
        "running": running,
        "elapsed": stream.seconds if stream else 0,
    }


def attached_images(turn: Turn) -> tuple[Image, ...]:
    """Return the images that went along without a name in the question's text."""
    return tuple(i for i in turn.images if f"{{{i.name}}}" not in turn.question)


def attached_texts(turn: Turn) -> dict[str, str]:
    """Return the files of text that were sent, where they can be told."""
    names = turn.file_names
    return dict(zip(names, files_in(turn.sent, names, turn.images), strict=False))


def _files(turn: Turn) -> list[dict[str, Any]]:
    texts = attached_texts(turn)
    return [
        {
            "name": one_line(name),
            "size": len(texts.get(name, "")),
            "attached": name in texts,
        }
        for name in turn.file_names
    ]


def _sent(text: str) -> str:
    if len(text) <= _MOST_SENT:
        return text
    more = counted(len(text) - _MOST_SENT, "more character")
    return f"{text[:_MOST_SENT]}\n[… {more} …]"


def _images(turn: Turn) -> list[dict[str, Any]]:
    attached = attached_images(turn)
    return [{**image_chip(i), "attached": i in attached} for i in turn.images]


def image_chip(image: Image) -> dict[str, Any]:
    """Return what a view shows of an image."""
    return {
        "name": one_line(image.name),
        "about": f"{image.width:,} x {image.height:,} pixels",
        "source": data_uri(image.thumbnail) if image.thumbnail else "",
        "hash": image.hash,
    }


def _problem(turn: Turn) -> dict[str, Any] | None:
    """Return why an answer failed, if it did."""
    if turn.status != "failed":
        return None
    facts = facts_of(turn)
    return problem(facts, turn.asked_at and turn.asked_at + facts.seconds)


def problem(facts: Facts, at: float) -> dict[str, Any]:
    """Return what a view shows of a failure; `at` is as in :attr:`Turn.asked_at`."""
    return {
        "words": sentence(facts.error) or "The answer failed.",
        "advice": sentence(facts.advice),
        "status": facts.http_status,
        "address": one_line(facts.server),
        "at": at,
    }


def sentence(text: str) -> str:
    """Return a text in one line that begins and ends as a sentence does."""
    text = one_line(text).strip()
    first = text.partition(" ")[0]
    start = first.capitalize() if first.isalpha() and first.islower() else first
    end = "." if text[-1:].isalnum() or text.endswith((")", "`")) else ""
    return f"{start}{text[len(first) :]}{end}"


def _mark(turn: Turn) -> str:
    """Return what is wrong with an answer, in words."""
    if turn.status in _MARKS:
        return _MARKS[turn.status]
    if turn.status == "failed":
        return ""  # a card says it
    if _is_cut(turn):
        return "Cut off by the token limit"
    if turn.facts.get("finish_reason") == "unknown":
        return "The server did not say why the answer ended"
    return "Asked before an earlier answer changed" if turn.outdated else ""


def _is_cut(turn: Turn) -> bool:
    """Return whether the token limit cut an answer."""
    return turn.status == "complete" and turn.facts.get("finish_reason") == "length"


def _model(turn: Turn) -> str:
    """Return the model that answered, as the footer of a cell names it."""
    names = map(turn.facts.get, ("model", "weights", "stands_in_for"))
    model, weights, asked = (one_line(v) if isinstance(v, str) else "" for v in names)
    name = model_name(model or one_line(turn.model), weights)
    demo = " (demo)" if name and turn.facts.get("demo") is True else ""
    return f"{name}{demo} for {asked}" if name and asked else f"{name}{demo}"


def _facts(turn: Turn) -> Iterator[str]:
    """Yield notes, tokens and seconds, as the footer of a cell does."""
    facts = facts_of(turn)
    if facts.first_answered:
        yield f"replayed, first answered {one_line(facts.first_answered)}"
    for note in facts.notes:
        yield without_marks(one_line(note))
    if facts.completion_tokens is not None:
        yield counted(facts.completion_tokens, "token")
    if facts.seconds and not facts.first_answered:
        yield seconds_in_words(facts.seconds)


def transcript(session: Session) -> str:
    """Return the last turns of the current thread as safe Markdown."""
    shown: list[str] = []
    size = left_out = image_bytes = 0
    for turn in reversed(session.turns(last=_MOST_TURNS)):
        size += len(turn.question) + len(turn.answer)
        if shown and size > _MOST_CHARACTERS:
            break
        image_bytes += sum(len(image.thumbnail) for image in turn.images)
        with_pictures = image_bytes <= _MOST_IMAGE_BYTES
        markdown = turn_markdown(turn, sent=False, pictures=with_pictures)
        shown.insert(0, markdown)
        left_out = turn.number - 1
    head = [_SAVED]
    if left_out:
        head.append(f"*({counted(left_out, 'earlier turn')} not shown)*")
    return "\n\n---\n\n".join([*head, *(shown or ["*(no messages yet)*"])])
