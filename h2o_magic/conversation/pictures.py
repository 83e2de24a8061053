"""Which images go along with a question: those that its model can see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from h2o_magic.chat.images import Image
from h2o_magic.chat.messages import Message
from h2o_magic.conversation.answering import Answering
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.record import Record
from h2o_magic.errors import ConfigurationError


def images_of(
    question: Question, record: Record, answering: Answering
) -> tuple[Image, ...]:
    """Return a question's images with their data; refuse those that nobody sees."""
    attached = question.prompt.images
    if not attached:
        return ()
    sees = _sees(question, answering)
    if sees:
        return _loaded([each.image for each in attached], record)
    required = [f"`{each.image.name}`" for each in attached if each.required]
    if not required:
        return ()
    why = (
        f"{answering.backend.url} does not say whether {question.model} takes images; "
        "if it does, add `--vision`, or set `vision`"
    )
    if sees is False:
        why = (
            f"{question.model} takes text only; choose a model that takes images "
            "(`%h2o models` lists them)"
        )
    raise ConfigurationError(f"{', '.join(required)} cannot be sent: {why}")


def with_pictures(
    messages: Iterable[Message],
    question: Question,
    record: Record,
    answering: Answering,
) -> list[Message]:
    """Return earlier messages with the data of their images, or without images."""
    messages = list(messages)
    if not any(message.images for message in messages):
        return messages
    sees = _sees(question, answering)
    return [
        replace(message, images=_loaded(message.images, record) if sees else ())
        for message in messages
    ]


def unseen(
    before: Iterable[Message],
    sent: Iterable[Message],
    question: Question,
    answering: Answering,
) -> tuple[str, ...]:
    """Return a note if images of earlier messages were not sent."""
    if sum(len(m.images) for m in before) == sum(len(m.images) for m in sent):
        return ()
    note = "images of earlier questions were not sent"
    unknown = _sees(question, answering) is None
    return (f"{note}: add `--vision`, or set `vision`" if unknown else note,)


def _sees(question: Question, answering: Answering) -> bool | None:
    """Return whether a question's model takes images; None if that is not known."""
    said = question.vision
    return answering.vision(question.model) if said is None else said


def _loaded(images: Iterable[Image], record: Record) -> tuple[Image, ...]:
    images = tuple(images)
    missing = [image.hash for image in images if not image.data]
    data = record.image_data(missing) if missing else {}
    found = (replace(i, data=i.data or data.get(i.hash, b"")) for i in images)
    return tuple(image for image in found if image.data)
