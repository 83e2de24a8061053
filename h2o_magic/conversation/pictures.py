"""Which images go along with a question: those that its model can see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from h2o_magic.chat.images import Image
from h2o_magic.chat.messages import Message
from h2o_magic.conversation.connection import Connection
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.record import Record
from h2o_magic.errors import ConfigurationError


def images_of(
    question: Question, record: Record, connection: Connection
) -> tuple[Image, ...]:
    """Return a question's images with their data; refuse those that nobody sees."""
    attached = question.prompt.images
    if not attached:
        return ()
    if _sees(question, connection):
        return _loaded([each.image for each in attached], record)
    required = [f"`{each.image.name}`" for each in attached if each.required]
    if required:
        raise ConfigurationError(_refusal(question, connection, ", ".join(required)))
    return ()


def with_pictures(
    messages: Iterable[Message],
    question: Question,
    record: Record,
    connection: Connection,
) -> list[Message]:
    """Return earlier messages with the data of their images, or without images."""
    messages = list(messages)
    if not any(message.images for message in messages):
        return messages
    sees = _sees(question, connection)
    return [
        replace(message, images=_loaded(message.images, record) if sees else ())
        for message in messages
    ]


def unseen(
    before: Iterable[Message],
    sent: Iterable[Message],
    question: Question,
    connection: Connection,
) -> tuple[str, ...]:
    """Return a note if images of earlier messages were not sent."""
    if sum(len(m.images) for m in before) == sum(len(m.images) for m in sent):
        return ()
    note = "images of earlier questions were not sent"
    unknown = question.vision is None and not _is_known(question, connection)
    return (f"{note}: `--vision` does that" if unknown else note,)


def _is_known(question: Question, connection: Connection) -> bool:
    return connection.limits.vision(question.model) is not None


def _sees(question: Question, connection: Connection) -> bool:
    if question.vision is not None:
        return question.vision
    return connection.limits.vision(question.model) is True


def _refusal(question: Question, connection: Connection, names: str) -> str:
    model = question.model
    if question.vision is None and not _is_known(question, connection):
        return (
            f"{names} cannot be sent: {connection.backend.url} does not say whether "
            f"{model} takes images; add `--vision` if it does"
        )
    return (
        f"{names} cannot be sent: {model} takes text only; choose a model that takes "
        "images (`%h2o models` lists them)"
    )


def _loaded(images: Iterable[Image], record: Record) -> tuple[Image, ...]:
    images = tuple(images)
    missing = [image.hash for image in images if not image.data]
    data = record.image_data(missing) if missing else {}
    found = (replace(i, data=i.data or data.get(i.hash, b"")) for i in images)
    return tuple(image for image in found if image.data)
