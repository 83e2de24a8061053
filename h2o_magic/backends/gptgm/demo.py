"""The warning that built-in demo weights have answered instead of the model's own.

For :func:`create_completion`, whose answers are bare text; a notebook cell says it
below its answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import closing

from h2o_magic.errors import DemoWeightsWarning
from h2o_magic.events import Event, Source

__all__ = ["with_demo_warning"]

_told: set[str] = set()  # the models of which this process was warned


def with_demo_warning(
    events: Generator[Event, None, None], *, stacklevel: int
) -> Generator[Event, None, None]:
    """Yield `events`; warn once for each model before the first text of demo weights.

    Parameters
    ----------
    events
        The events of one answer; closed at the end.
    stacklevel
        As for :func:`warnings.warn`; 2 is the function that iterates.
    """
    demo = ""
    with closing(events):
        for event in events:
            if isinstance(event, Source):
                demo = event.model if event.demo else ""
            elif demo and demo not in _told:
                warnings.warn(_words(demo), DemoWeightsWarning, stacklevel=stacklevel)
                _told.add(demo)
            yield event


def _words(model: str) -> str:
    return (
        f"{model}: built-in demo weights answered; `h2o-magic pull {model}` fetches "
        "the real ones, strict=True makes this an error"
    )
