"""What an entry of an answers folder holds, and how it is written as JSON.

A file may have been edited, or come from anywhere: what does not fit is damaged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from h2o_magic.backends.replay.folder import DamagedEntryError
from h2o_magic.backends.replay.reading import (
    duration,
    facts_of,
    fault,
    of_kind,
    pieces_of,
)
from h2o_magic.chat.events import FinishReason, Source, Usage
from h2o_magic.config.units import counted

VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
#: A moment as it is written; some calendars end in 9999.
_MOMENT = re.compile(
    r"(?!9999)(?:19[7-9]|[2-9]\d\d)\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII
)
#: The ends of an answer that is complete; no other is stored.
COMPLETE: tuple[FinishReason, ...] = ("end", "stop_text", "unknown")


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
        ``magic`` if a ``%%h2o`` cell asked, whose own output has the key; else empty.
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

    def masked(self, mask: Callable[[str], str]) -> StoredAnswer:
        """Return it without secrets; in one piece if there were any."""
        text, reasoning = mask(self.text), mask(self.reasoning)
        if (text, reasoning) == (self.text, self.reasoning):
            return self
        end = round(self.seconds * 1000)
        return replace(
            self,
            text=text,
            pieces=((end, len(text)),),
            reasoning=reasoning,
            reasoning_pieces=((end, len(reasoning)),),
        )

    def renamed(self, name: Callable[[str], str]) -> StoredAnswer:
        """Return it with its model, and what that stands in for, named so."""
        source = self.source
        if source is None:
            return self
        asked = source.stands_in_for and name(source.stands_in_for)
        source = replace(source, model=name(source.model), stands_in_for=asked)
        return replace(self, source=source)

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
                request=of_kind(dict, entry["request"]),
                text=of_kind(str, entry["text"]),
                answered=_seconds(of_kind(str, entry["answered"])),
                pieces=pieces_of(entry["pieces"]),
                reasoning=of_kind(str, entry.get("reasoning", "")),
                reasoning_pieces=pieces_of(entry["reasoning_pieces"]),
                finish_reason=entry["finish_reason"],
                seconds=duration(entry["seconds"]) or 0.0,
                first_token=duration(entry["first_token"]),
                url=of_kind(str, entry["url"]),
                source=facts_of(Source, entry["source"]),
                usage=facts_of(Usage, entry["usage"]),
                weights=of_kind(str, entry["weights"]),
                cell=of_kind(str, entry.get("cell", "")),
            )
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise DamagedEntryError(f"not an answer: {fault(error)}") from None
        answer._check()
        return answer

    def _check(self) -> None:
        if self.finish_reason not in COMPLETE:
            raise DamagedEntryError("its finish reason is not one of a complete answer")
        texts = (
            ("text", self.text, self.pieces),
            ("reasoning", self.reasoning, self.reasoning_pieces),
        )
        for name, text, pieces in texts:
            if (size := sum(size for _, size in pieces)) != len(text):
                raise DamagedEntryError(
                    f"its {name} was edited: {counted(len(text), 'character')}, "
                    f"{size:,} when it was stored"
                )


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
            names = {n: of_kind(str, entry[n]) for n in ("what", "server", "model")}
            return cls(**names, value=entry["value"])
        except (KeyError, TypeError) as error:
            raise DamagedEntryError(f"not a learned fact: {fault(error)}") from None


def check_entry(entry: Mapping[str, Any], key: str, kind: str) -> None:
    """Check version, kind and key; a DamagedEntryError says what is wrong."""
    if entry.get("version") != VERSION:
        raise DamagedEntryError("it was written by another version")
    if entry.get("kind") != kind:
        raise DamagedEntryError(f"expected an entry of kind {kind!r}")
    if entry.get("key") != key:
        raise DamagedEntryError("its key is not the one of its name")


def _moment(seconds: float) -> str:
    # Windows knows no moment after the year 3000 otherwise.
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(moment: str) -> float:
    if not _MOMENT.fullmatch(moment):
        raise ValueError(f"expected a time as 2026-11-28T10:00:00Z, got {moment!r:.80}")
    # Python 3.10 does not read the letter Z.
    return datetime.fromisoformat(moment.removesuffix("Z") + "+00:00").timestamp()


def _compact(facts: Source | Usage) -> dict[str, Any]:
    """Return what is not at its default, or required."""
    return {
        each.name: getattr(facts, each.name)
        for each in fields(facts)
        if getattr(facts, each.name) != each.default
    }
