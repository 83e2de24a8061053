"""What an entry of an answers folder holds, and how it is written as JSON.

A file may have been edited, or come from anywhere: what does not fit is damaged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from functools import cache
from typing import Any, TypeVar, get_type_hints

from h2o_magic.backends.replay.folder import DamagedEntryError
from h2o_magic.chat.events import FinishReason, Source, Usage

VERSION = 1
#: The ends of an answer that is complete; no other is stored.
COMPLETE: tuple[FinishReason, ...] = ("end", "stop_text", "unknown")

_T = TypeVar("_T", Source, Usage)
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A complete answer, with all that is needed to give it again as it came.

    Attributes
    ----------
    request : mapping
        What was asked, to be read and compared (`summary`): JSON values.
    text, reasoning : str
        As the backend gave them.
    pieces, reasoning_pieces : tuple of (int, int)
        How they came: milliseconds since the question, and how many characters.
    finish_reason : str
        ``end``, ``stop_text`` or ``unknown``.
    answered : float
        When the answer was complete, in seconds since 1970.
    seconds, first_token : float
        From the question to the end and to the first text; the latter may be None.
    url : str
        Address of the server that answered.
    source, usage
        What the server said; None if it did not.
    weights : str
        Digest of the weights that answered; empty if it is not known.
    cell : str
        ``magic`` if a ``%%h2o`` cell asked, whose output then has the key; else empty.
    """

    request: Mapping[str, Any]
    text: str
    answered: float
    pieces: tuple[tuple[int, int], ...] = ()
    reasoning: str = ""
    reasoning_pieces: tuple[tuple[int, int], ...] = ()
    finish_reason: FinishReason = "end"
    seconds: float = 0.0
    first_token: float | None = None
    url: str = ""
    source: Source | None = None
    usage: Usage | None = None
    weights: str = ""
    cell: str = ""

    @property
    def day(self) -> str:
        """The day on which it was first answered, in UTC: ``2026-11-28``."""
        return _moment(self.answered)[:10]

    def as_json(self, key: str) -> dict[str, Any]:
        """Return the entry with what people read first."""
        return {
            "version": VERSION,
            "kind": "answer",
            "key": key,
            "answered": _moment(self.answered),
            "request": dict(self.request),
            "text": self.text,
            **({"reasoning": self.reasoning} if self.reasoning else {}),
            "finish_reason": self.finish_reason,
            "source": self.source and _compact(self.source),
            "usage": self.usage and _compact(self.usage),
            "weights": self.weights,
            "url": self.url,
            "cell": self.cell,
            "seconds": round(self.seconds, 3),
            "first_token": self.first_token and round(self.first_token, 3),
            "pieces": self.pieces,
            "reasoning_pieces": self.reasoning_pieces,
        }

    @classmethod
    def of_json(cls, entry: Mapping[str, Any], key: str) -> StoredAnswer:
        """Return an entry's answer; a DamagedEntryError says what is wrong with it."""
        check_entry(entry, key, "answer")
        try:
            answer = cls(
                request=_of(dict, entry["request"]),
                text=_of(str, entry["text"]),
                answered=_seconds(_of(str, entry["answered"])),
                pieces=_pieces(entry["pieces"]),
                reasoning=_of(str, entry.get("reasoning", "")),
                reasoning_pieces=_pieces(entry["reasoning_pieces"]),
                finish_reason=entry["finish_reason"],
                seconds=_duration(entry["seconds"]) or 0.0,
                first_token=_duration(entry["first_token"]),
                url=_of(str, entry["url"]),
                source=_made(Source, entry["source"]),
                usage=_made(Usage, entry["usage"]),
                weights=_of(str, entry["weights"]),
                cell=_of(str, entry.get("cell", "")),
            )
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise DamagedEntryError(f"not an answer: {_fault(error)}") from None
        answer._check()
        return answer

    def _check(self) -> None:
        if self.finish_reason not in COMPLETE:
            raise DamagedEntryError("its finish reason is not one of a complete answer")
        texts = ((self.text, self.pieces), (self.reasoning, self.reasoning_pieces))
        for text, pieces in texts:
            if sum(size for _, size in pieces) != len(text):
                raise DamagedEntryError("its pieces do not add up to its text")


@dataclass(frozen=True, slots=True)
class Learned:
    """A fact about a server or one of its models, as JSON; by it questions are asked.

    `what` is what the fact is about: ``context``, ``vision``, ``system``, ...
    """

    what: str
    server: str
    model: str = ""
    value: Any = field(default=None, compare=False)

    def as_json(self, key: str) -> dict[str, Any]:
        return {"version": VERSION, "kind": "learned", "key": key, **asdict(self)}

    @classmethod
    def of_json(cls, entry: Mapping[str, Any], key: str) -> Learned:
        check_entry(entry, key, "learned")
        try:
            names = {n: _of(str, entry[n]) for n in ("what", "server", "model")}
            return cls(**names, value=entry["value"])
        except (KeyError, TypeError) as error:
            raise DamagedEntryError(f"not a learned fact: {_fault(error)}") from None


def check_entry(entry: Mapping[str, Any], key: str, kind: str) -> None:
    """Check version, kind and key; a DamagedEntryError says what is wrong."""
    if entry.get("version") != VERSION:
        raise DamagedEntryError("it was written by another version")
    if entry.get("kind") != kind:
        raise DamagedEntryError(f"expected an entry of kind {kind!r}")
    if entry.get("key") != key:
        raise DamagedEntryError("its key is not the one of its name")


def _fault(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(moment: str) -> float:
    # Python 3.10 does not read the letter Z.
    return datetime.fromisoformat(moment.removesuffix("Z") + "+00:00").timestamp()


def _compact(facts: Source | Usage) -> dict[str, Any]:
    """Return what is not at its default, or required."""
    return {
        each.name: getattr(facts, each.name)
        for each in fields(facts)
        if getattr(facts, each.name) != each.default
    }


def _made(kind: type[_T], value: object) -> _T | None:
    """Return stored facts; fields of a later version are left out."""
    if value is None:
        return None
    given, types = _of(dict, value), _types()[kind]
    names = types.keys() & given
    return kind(**{name: _of(types[name], given[name]) for name in names})


@cache
def _types() -> Mapping[object, Mapping[str, Any]]:
    """Return the types of the fields of facts; a float's may be a whole number."""
    hints = {kind: get_type_hints(kind).items() for kind in (Source, Usage)}
    return {
        kind: {name: t | int if isinstance(0.0, t) else t for name, t in found}
        for kind, found in hints.items()
    }


def _of(kind: type[_V], value: object) -> _V:
    if not isinstance(value, kind):
        name = getattr(kind, "__name__", kind)
        raise TypeError(f"expected {name}, got {value!r:.80}")
    return value


def _duration(value: Any) -> float | None:
    if value is not None and not 0 <= value < math.inf:
        raise ValueError(f"expected seconds, got {value!r:.80}")
    return value if value is None else float(value)


def _pieces(value: Any) -> tuple[tuple[int, int], ...]:
    """Return pieces, which come one after the other."""
    pieces = tuple((int(at), int(size)) for at, size in value)
    times = [0, *(at for at, _ in pieces)]
    if sorted(times) != times or any(size < 0 for _, size in pieces):
        raise ValueError("pieces out of order")
    return pieces
