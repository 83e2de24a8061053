"""What differs between a stored request and another one, in words.

Summaries are compared, of which a stored one may hold anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from h2o_magic.backends.replay.excerpts import brief, changed, quoted
from h2o_magic.backends.replay.summary import KEPT, MOST_PIECES, Summary, pieces

#: Characters of all differences that are told.
_MOST = 180
_UNSET: Any = object()


def differences(before: Summary, now: Summary) -> list[str]:
    """Return what differs, as a few nouns, the most telling first; at least one."""
    found = list(_differences(before, now)) or ["a part that is not kept readable"]
    told = found[:1]
    for each in found[1:]:
        if len("; ".join([*told, each])) > _MOST:
            return [*told, f"{len(found) - len(told)} more"]
        told.append(each)
    return told


def difference_of_prompts(before: Summary, now: Summary) -> str:
    """Return what differs between questions that have little in common."""
    return next(_in_prompt(before, now), "the prompt")


def _in_prompt(before: Summary, now: Summary) -> Iterator[str]:
    return _in_text("question", "the prompt", before, now)


def _differences(before: Summary, now: Summary) -> Iterator[str]:
    for name in ("server", "model"):
        if _of(before, name) != now[name]:
            yield f"the {name} {_was(_of(before, name), now[name])}"
    yield from _in_prompt(before, now)
    yield from _in_text("system", "the system prompt", before, now)
    yield from _in_images(_list(before, "images"), _list(now, "images"))
    yield from _in_conversation(_list(before, "earlier"), _list(now, "earlier"))
    old = before.get("parameters")
    yield from _in_values("", old if isinstance(old, dict) else {}, now["parameters"])
    yield from _in_schema(*(each.get("schema", _UNSET) for each in (before, now)))
    for name in sorted({*before, *now} - _COMPARED):
        if before.get(name) != now.get(name):
            yield f"`{name}`"


_COMPARED = {
    *("server", "model", "question", "question_behind", "system", "system_behind"),
    *("images", "earlier", "parameters", "schema"),
}


def _in_text(name: str, what: str, before: Summary, now: Summary) -> Iterator[str]:
    old, new = _of(before, name), str(now[name])
    was, is_ = (_list(each, f"{name}_behind") for each in (before, now))
    kept = new[:KEPT] if was or is_ else new
    if old != kept:
        yield f"{what} {changed(f'{old}…' if was else old, new)}"
    elif was != is_:
        yield f"{what} {_behind(was, is_, new)}"


def _behind(old: list[Any], new: list[Any], text: str) -> str:
    """Return what differs behind what is kept of a text, of which `text` is all."""
    place = next(n for n, (a, b) in enumerate(zip_longest(old, new)) if a != b)
    if place == len(new):
        return "(it was longer)"
    parts = list(pieces(text[KEPT:]))
    line = (text[:KEPT] + "".join(parts[:place])).count("\n") + 1
    if place >= MOST_PIECES or place >= len(parts):
        return f"(behind line {line})"
    return f"(line {line}, now {quoted(parts[place])})"


def _in_images(old: list[Any], new: list[Any]) -> Iterator[str]:
    if len(old) != len(new):
        yield f"the images ({len(old)} before, now {len(new)})"
        return
    for a, b in zip(old, new, strict=True):
        if _of(a, "digest") != _of(b, "digest"):
            sizes = _of(a, "size"), _of(b, "size")
            how = _was(*sizes) if sizes[0] != sizes[1] else "(its pixels)"
            yield f"the image {brief(_of(b, 'name'))} {how}"


def _in_conversation(old: list[Any], new: list[Any]) -> Iterator[str]:
    if len(old) != len(new):
        yield f"the conversation ({len(old)} earlier messages, now {len(new)})"
        return
    a, b = next(((a, b) for a, b in zip(old, new, strict=True) if a != b), (None, None))
    if b is None:
        return
    kind = "answer" if _of(b, "role") == "assistant" else "question"
    was, now = _of(a, "begins"), _of(b, "begins")
    how = changed(was, now) if was != now else f"(behind {quoted(now)})"
    yield f"an earlier {kind} {how}"


def _in_schema(old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, str) and isinstance(new, str) and old != new:
        yield "the schema"  # too long to be kept
        return
    yield from _in_values("schema", old, new)


def _in_values(path: str, old: Any, new: Any) -> Iterator[str]:
    """Yield which JSON values differ, by the names on the way to them."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        if _json(old) != _json(new):
            yield f"{brief(path)} {_was(_json(old), _json(new))}"
        return
    for name in dict.fromkeys((*old, *new)):
        below = f"{path}.{name}" if path else str(name)
        yield from _in_values(below, old.get(name, _UNSET), new.get(name, _UNSET))
    if old.keys() == new.keys() and list(old) != list(new):
        yield f"the order of names in {brief(path or 'the parameters')}"


def _was(old: str, new: str) -> str:
    return f"(was {brief(old)}, now {brief(new)})"


def _json(value: Any) -> str:
    return "not set" if value is _UNSET else json.dumps(value, ensure_ascii=False)


def _of(value: Any, name: str) -> str:
    return str(value.get(name, "")) if isinstance(value, Mapping) else ""


def _list(summary: Summary, name: str) -> list[Any]:
    value = summary.get(name)
    return value if isinstance(value, list) else []
