"""Events with the texts of neighbouring ones joined: those that came together are."""

from __future__ import annotations

from collections.abc import Iterable

from h2o_magic.chat.events import Event, ReasoningDelta, TextDelta


def joined(events: Iterable[Event]) -> list[Event]:
    out: list[Event] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, TextDelta) and isinstance(last, TextDelta):
            out[-1] = TextDelta(last.text + event.text)
        elif isinstance(event, ReasoningDelta) and isinstance(last, ReasoningDelta):
            out[-1] = ReasoningDelta(last.text + event.text)
        else:
            out.append(event)
    return out
