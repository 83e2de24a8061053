"""Why no stored answer could be given: what differs from the nearest question."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from itertools import islice

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.differences import difference_of_prompts, differences
from h2o_magic.backends.replay.folder import AnswerFolder, DamagedEntryError
from h2o_magic.backends.replay.nearest import is_near, nearest
from h2o_magic.backends.replay.replayed import Replayed
from h2o_magic.backends.replay.summary import Summary
from h2o_magic.errors import ReplayMissError

#: Entries that are compared to find the nearest, and seconds for that.
_MOST_COMPARED, _LONGEST = 2000, 1.0


def what_changed(wanted: Summary, replayed: Replayed) -> str:
    """Return what differs from the nearest stored question, if one is near.

    What another cell has asked in this session is another question.
    """
    if replayed.folder.private:  # what other notebooks asked is not this one's
        return ""
    asked = replayed.counts.cells.copy().items()  # others may be answered meanwhile
    others = {key for key, cell in asked if cell is None or cell != replayed.asker}
    near = nearest(wanted, summaries(replayed.folder, others))
    if near is None or not is_near(near, wanted):
        return ""
    return f"asked again: {differences(near, wanted)[0]}"


def miss(request: ChatRequest, replayed: Replayed, why: str) -> ReplayMissError:
    """Return the error for a question that nobody may be asked."""
    if not why:
        wanted = replayed.summary(request, whole=True)
        near = nearest(wanted, summaries(replayed.folder))
        why = f"{replayed.folder.path} has no answers"
        if near is not None:
            found = (
                "; ".join(differences(near, wanted))
                if is_near(near, wanted)
                else difference_of_prompts(near, wanted)
            )
            why = f"the nearest stored question differs in {found}"
    return ReplayMissError(
        f"no answer to this question is stored in {replayed.shown}, and nobody is "
        f"asked while `replay` is `only`: {why}. To ask, set `replay` to `on`"
    )


def summaries(
    folder: AnswerFolder,
    others: Container[str] = (),
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Summary]:
    """Yield what was asked of the stored answers, as far as there is time."""
    until = clock() + _LONGEST
    with suppress(OSError):  # it cannot be listed
        for key in islice(folder.keys(), _MOST_COMPARED):
            if clock() > until:
                return
            if key not in others and (asked := _asked(folder, key)) is not None:
                yield asked


def _asked(folder: AnswerFolder, key: str) -> Summary | None:
    """Return what an entry was asked; None if it cannot be read, or is no answer."""
    with suppress(DamagedEntryError, OSError):
        entry = folder.read(key) or {}
        request = entry.get("request")
        if entry.get("kind") == "answer" and isinstance(request, dict):
            return request
    return None
