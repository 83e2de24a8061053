"""What was asked, in a few readable fields, and what differs between two of these.

A summary has the beginning of each text only, with a short digest of each line, so that
a change is found behind it, too. What was asked cannot be had from it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.key import canonical, digest

Summary = Mapping[str, Any]

#: Characters of a text that are kept, and lines whose digests are.
LONGEST, _MOST_LINES = 2000, 400
_QUOTED = 40  # characters of a text in a message
_OWN = ("model", "messages", "parameters")


def summary(
    request: ChatRequest, server: str, mask: Callable[[str], str]
) -> dict[str, Any]:
    """Return what is asked, as JSON values; `mask` takes secrets out of texts."""
    texts = [message.content for message in request.messages]
    system = "\n\n".join(m.content for m in request.messages if m.role == "system")
    asked = [m for m in request.messages if m.role == "user"][-1:]
    question = asked[0].content if asked else ""
    earlier = [m for m in request.messages if m.role != "system" and m not in asked]
    others = {
        field.name: digest(getattr(request, field.name))[:12]
        for field in fields(request)
        if field.name not in _OWN and field.name in canonical(request)
    }
    return {
        "server": server,
        "model": request.model,
        "question": mask(question)[:LONGEST],
        "lines": [digest(line)[:6] for line in question.split("\n")[:_MOST_LINES]],
        "length": len(question),
        "system": mask(system)[:LONGEST],
        "earlier": [digest(m)[:6] for m in earlier],
        "images": [canonical(image)[:12] for m in asked for image in m.images],
        "parameters": canonical(request.parameters),
        **others,
        "texts": digest(texts)[:12],
    }


def nearest(wanted: Summary, stored: Iterable[Summary]) -> Summary | None:
    """Return the stored summary that is most like one; None if there is none."""
    return max(stored, key=lambda each: _likeness(wanted, each), default=None)


def differences(before: Summary, now: Summary) -> list[str]:
    """Return what differs, one phrase each, the most telling first."""
    return list(_differences(before, now)) or ["something that the summary leaves out"]


def _differences(before: Summary, now: Summary) -> Iterator[str]:
    for name in ("server", "model"):
        if before.get(name) != now[name]:
            yield f"the {name} was {before.get(name)}, is {now[name]}"
    if before.get("lines") != now["lines"] or before.get("length") != now["length"]:
        yield f"the prompt: {_in_text(before, now)}"
    if before.get("system") != now["system"]:
        yield f"the system prompt: {_change(before.get('system'), now['system'])}"
    if before.get("images") != now["images"]:
        yield "the images"
    if before.get("earlier") != now["earlier"]:
        yield _in_conversation(before.get("earlier") or [], now["earlier"])
    yield from _in_parameters(before.get("parameters") or {}, now["parameters"])
    for name in sorted({*before, *now} - _COMPARED):
        if before.get(name) != now.get(name):
            yield f"the {name}"


_COMPARED = {
    *("server", "model", "question", "lines", "length", "system", "earlier", "images"),
    *("parameters", "texts"),
}


def _in_text(before: Summary, now: Summary) -> str:
    old, new = str(before.get("question", "")), str(now["question"])
    if old != new:
        return _change(old, new)
    pairs = zip(before.get("lines") or (), now["lines"], strict=False)
    line = next((n for n, (a, b) in enumerate(pairs, 1) if a != b), None)
    return f"line {line}" if line else "its end"


def _change(old: object, new: str) -> str:
    """Return what stood where a text first differs, and what stands there now."""
    old = str(old or "")
    place = next(
        (n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
        min(len(old), len(new)),
    )
    start = max(place - _QUOTED // 2, 0)
    return f"{_quoted(old, start)} is now {_quoted(new, start)}"


def _quoted(text: str, start: int) -> str:
    if not text:
        return "nothing"
    part = " ".join(text[start : start + _QUOTED].split())
    left, right = "…" * (start > 0), "…" * (start + _QUOTED < len(text))
    return f"“{left}{part}{right}”"


def _in_conversation(before: list[str], now: list[str]) -> str:
    if len(before) != len(now):
        return f"{len(before)} earlier messages went along, now {len(now)}"
    number = next(
        n for n, (a, b) in enumerate(zip(before, now, strict=True), 1) if a != b
    )
    return f"an earlier {'answer' if number % 2 == 0 else 'question'}, message {number}"


def _in_parameters(before: Summary, now: Summary) -> Iterator[str]:
    for name in sorted({*before, *now}):
        old, new = before.get(name, "not set"), now.get(name, "not set")
        if old != new:
            yield f"{name.replace('_', ' ')} was {old}, is {new}"


def _likeness(wanted: Summary, stored: Summary) -> float:
    names = {*wanted, *stored} - {"question", "lines", "length", "texts"}
    same = sum(wanted.get(name) == stored.get(name) for name in names)
    texts = [str(each.get("question", ""))[:500] for each in (wanted, stored)]
    ratio = difflib.SequenceMatcher(None, texts[0], texts[1], autojunk=False).ratio()
    return float(4 * ratio + same / len(names))
