"""The warning that other weights have answered instead of the model's own.

For :func:`create_completion`, whose answers are bare text; a notebook cell says it
below its answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import closing

from h2o_magic.catalogue import title_of
from h2o_magic.errors import DemoWeightsWarning
from h2o_magic.events import Event, Source

__all__ = ["with_demo_warning"]

_told: set[str] = set()  # the models of which this process was warned


def with_demo_warning(
    events: Generator[Event, None, None], *, stacklevel: int
) -> Generator[Event, None, None]:
    """Yield `events`; warn once for each model before the first text of other weights.

    Parameters
    ----------
    events
        The events of one answer; closed at the end.
    stacklevel
        As for :func:`warnings.warn`; 2 is the function that iterates.
    """
    demo = words = ""
    with closing(events):
        for event in events:
            if isinstance(event, Source):
                demo = event.stands_in_for or (event.model if event.demo else "")
                words = _words(event)
            elif demo and demo not in _told:
                warnings.warn(words, DemoWeightsWarning, stacklevel=stacklevel)
                _told.add(demo)
            yield event


def _words(source: Source) -> str:
    asked = source.stands_in_for or source.model
    what = title_of(source.model) if source.stands_in_for else "built-in demo weights"
    return (
        f"{what} answered: {asked} is not there; `h2o-magic pull {asked}` "
        "fetches it, strict=True makes this an error"
    )
