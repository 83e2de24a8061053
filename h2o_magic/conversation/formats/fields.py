"""What a file says about a turn beside its texts, and about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from h2o_magic.chat.turns import Turn, TurnStatus
from h2o_magic.conversation.formats.checks import (
    as_flag,
    as_number,
    as_object,
    as_text,
    kind_of,
    wrong,
)

#: The name by which a file of this package is known, and its version.
FORMAT = "h2o_magic.conversation.threads"
VERSION = 1

#: What stands beside a question.
QUESTION_FIELDS = ("cell", "begins", "outdated", "asked_at")
#: What stands beside an answer.
ANSWER_FIELDS = ("status", "model", "facts")


def signature() -> dict[str, Any]:
    """Return the entries by which a file's metadata names its format."""
    return {"format": FORMAT, "version": VERSION}


def is_own(metadata: object, where: str) -> bool:
    """Tell whether `metadata` is that of a file of this package, in a known version."""
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
    """Return the named fields of a turn as JSON values."""
    return {name: _plain(getattr(turn, name)) for name in names}


def read_fields(metadata: object, names: Iterable[str], where: str) -> dict[str, Any]:
    """Return the named fields from what :func:`describe` wrote, checked.

    All must be there: an answer whose status is not known must not pass for whole.
    """
    found = as_object(metadata, where, '"metadata"')
    for name in names:
        if name not in found:
            raise wrong(
                where,
                f'expected "{name}" in its metadata, got none: take another copy of '
                f'the file, or take "format" out to read its messages alone',
            )
    return {name: _CHECKS[name](found[name], where, f'"{name}"') for name in names}


def read_name(metadata: Mapping[str, Any], where: str) -> str:
    """Return the thread's name from a file's metadata."""
    name = as_text(metadata.get("thread"), where, '"thread"')
    if not name:
        raise wrong(where, 'expected a name as "thread", got an empty text')
    return name


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _status(value: object, where: str, what: str) -> str:
    known = get_args(TurnStatus)
    if isinstance(value, str) and value in known:
        return value
    names = ", ".join(map(repr, known))
    raise wrong(where, f"expected one of {names} as {what}, got {kind_of(value)}")


def _text_or_null(value: object, where: str, what: str) -> str | None:
    return None if value is None else as_text(value, where, what)


_CHECKS: Mapping[str, Callable[[object, str, str], Any]] = {
    "question": as_text,
    "answer": as_text,
    "status": _status,
    "cell": _text_or_null,
    "system": as_text,
    "model": as_text,
    "begins": as_flag,
    "outdated": as_flag,
    "asked_at": as_number,
    "facts": as_object,
}
