"""What a file says about a turn beside its texts, and about itself; checked values."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from h2o_magic.chat.images import Image
from h2o_magic.chat.turns import Thread, Turn, TurnStatus
from h2o_magic.conversation import titles
from h2o_magic.conversation.formats import images
from h2o_magic.errors import ConfigurationError

#: The name by which a file of this package is known, and its version.
FORMAT = "h2o_magic.conversation.threads"
VERSION = 1

#: What is saved beside a question.
QUESTION_FIELDS = ("cell", "begins", "outdated", "asked_at", "sent", "images")
#: What is saved beside an answer.
ANSWER_FIELDS = ("status", "model", "facts")
#: What is only saved where a turn has it, as files of earlier versions never do.
_OPTIONAL: Mapping[str, Any] = {"sent": "", "images": []}


def wrong(where: str, message: str) -> ConfigurationError:
    """Make the error about the value at `where`; empty means the file itself."""
    return ConfigurationError(f"{where}: {message}" if where else message)


def within(where: str, part: str) -> str:
    """Return the name of a part's place: ``line 3, message 2``."""
    return f"{where}, {part}" if where else part


def kind_of(value: object) -> str:
    """Return what a JSON value is, in words; a short one is shown."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"the text {reprlib.repr(value)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"the number {reprlib.repr(value)}"


# In the checks, `what` names the value in the error.


def as_object(value: object, where: str, what: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise wrong(where, f"expected an object as {what}, got {kind_of(value)}")


def as_list(value: object, where: str, what: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise wrong(where, f"expected a list as {what}, got {kind_of(value)}")


def as_text(value: object, where: str, what: str) -> str:
    if isinstance(value, str):
        return value
    raise wrong(where, f"expected a text as {what}, got {kind_of(value)}")


def joined_text(value: object, where: str, what: str) -> str:
    """Return a text that may be given as a list of lines, as in notebooks."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return as_text(value, where, what)


def signature() -> dict[str, Any]:
    """Return the entries by which a file's metadata names its format."""
    return {"format": FORMAT, "version": VERSION}


def is_own(metadata: object, where: str) -> bool:
    """Return whether `metadata` is of a file of this package, in a known version."""
    name = metadata.get("format") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name.startswith("h2o_magic"):
        return False
    if name != FORMAT:
        raise wrong(where, f'expected "format" {FORMAT!r}, got {kind_of(name)}')
    version = as_object(metadata, where, '"metadata"').get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise wrong(where, f'expected "version" {VERSION}, got {kind_of(version)}')
    if version > VERSION:
        raise wrong(
            where,
            f"expected a file of version {VERSION}, got version {version}: "
            "update h2o_magic to read it",
        )
    return True


def describe(turn: Turn, *names: str) -> dict[str, Any]:
    values = {name: getattr(turn, name) for name in names}
    found = {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if name not in _OPTIONAL or value
    }
    if "images" in found:
        found["images"] = [images.describe(image) for image in turn.images]
    return found


def read_fields(metadata: object, names: Iterable[str], where: str) -> dict[str, Any]:
    """Return the named fields from what :func:`describe` wrote, checked.

    An answer without a status must not be taken for a complete one: nearly all are
    required.
    """
    found = {**_OPTIONAL, **as_object(metadata, where, '"metadata"')}
    for name in names:
        if name not in found:
            raise wrong(
                where,
                f'expected "{name}" in its metadata, got none: take another copy of '
                'the file, or remove "format" from it to read only its messages',
            )
    return {name: _CHECKS[name](found[name], where, f'"{name}"') for name in names}


def read_name(metadata: Mapping[str, Any], where: str) -> str:
    name = as_text(metadata.get("thread"), where, '"thread"')
    if not name:
        raise wrong(where, 'expected a name as "thread", got an empty text')
    return name


def describe_title(thread: Thread) -> dict[str, str]:
    return {"title": thread.title} if thread.title else {}


def read_title(metadata: Mapping[str, Any], where: str) -> str:
    return titles.checked(as_text(metadata.get("title", ""), where, '"title"'))


def _status(value: object, where: str, what: str) -> str:
    known = get_args(TurnStatus)
    if isinstance(value, str) and value in known:
        return value
    names = ", ".join(map(repr, known))
    raise wrong(where, f"expected one of {names} as {what}, got {kind_of(value)}")


def _text_or_null(value: object, where: str, what: str) -> str | None:
    return None if value is None else as_text(value, where, what)


def _flag(value: object, where: str, what: str) -> bool:
    if isinstance(value, bool):
        return value
    raise wrong(where, f"expected true or false as {what}, got {kind_of(value)}")


def _images(value: object, where: str, what: str) -> tuple[Image, ...]:
    listed = as_list(value, where, what)
    entries = [as_object(entry, where, "an image") for entry in listed]
    try:
        found = [images.read(entry) for entry in entries]
    except ValueError as error:
        raise wrong(where, str(error)) from error
    return tuple(image for image in found if image is not None)


def _number(value: object, where: str, what: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # a whole number past the largest float
            number = math.inf
        if math.isfinite(number):
            return number
    raise wrong(where, f"expected a number as {what}, got {kind_of(value)}")


_CHECKS: Mapping[str, Callable[[object, str, str], Any]] = {
    "question": as_text,
    "answer": as_text,
    "status": _status,
    "cell": _text_or_null,
    "system": as_text,
    "model": as_text,
    "begins": _flag,
    "outdated": _flag,
    "asked_at": _number,
    "facts": as_object,
    "sent": as_text,
    "images": _images,
}
