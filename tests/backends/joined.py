"""Events with the texts of neighbouring ones joined: those that came together are."""

from __future__ import annotations

from collections.abc import Iterable

from h2o_magic.events import Event, TextDelta


def joined(events: Iterable[Event]) -> list[Event]:
    out: list[Event] = []
    for event in events:
        if isinstance(event, TextDelta) and out and isinstance(out[-1], TextDelta):
            out[-1] = TextDelta(out[-1].text + event.text)
        else:
            out.append(event)
    return out
