r"""The text of an answer as it comes in pieces: what of it can be shown, and when.

Pure. Text is shown as it comes, except what may still turn out to be the beginning of
a stop text, and the first half of a character that came as two ``\uXXXX`` escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SURROGATE = re.compile("[\ud800-\udfff]")


def join_surrogates(text: str) -> str:
    r"""Join surrogate pairs that came apart, and replace halves that stay alone.

    JSON may carry a character as two ``\uXXXX`` escapes, and a server may put them
    into two tokens. A lone half cannot be printed or stored.
    """
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def ends_in_half(text: str) -> bool:
    """Return whether a text ends with the first half of a character."""
    return "\ud800" <= text[-1:] <= "\udbff"


def begun(text: str, stop: str) -> int:
    r"""Return the length of the longest beginning of `stop` that ends `text`.

    >>> begun("no more\nUs", "\nUser:")
    3
    """
    sizes = range(min(len(stop), len(text)), 0, -1)
    return next((size for size in sizes if text.endswith(stop[:size])), 0)


class GrowingText:
    """The visible text of a growing answer, without a stop text and what follows it.

    Most servers take the stop text away themselves; transformers leaves it, with the
    rest of the token that it is in.
    """

    def __init__(self, stop: Iterable[str] = ()) -> None:
        self._stop = tuple(filter(None, stop))
        self._shown: list[str] = []
        self._held = ""
        #: True once a stop text came.
        self.stopped = False

    @property
    def begun(self) -> bool:
        """Whether something was returned: cheap, however much it was."""
        return bool(self._shown)

    @property
    def shown(self) -> str:
        """What was returned so far."""
        return "".join(self._shown)

    def add(self, text: str) -> str:
        """Take the next piece of text and return what can be shown now."""
        if self.stopped:
            return ""
        text = self._held + text.replace("\0", "")
        places = [place for s in self._stop if (place := text.find(s)) >= 0]
        self.stopped = bool(places)
        keep = min(places) if places else len(text) - self._undecided(text)
        self._held = "" if places else text[keep:]
        return self._show(text[:keep])

    def rest(self) -> str:
        """Return what was held back; no more text comes."""
        rest, self._held = self._held, ""
        return self._show(rest)

    def _show(self, text: str) -> str:
        ready = join_surrogates(text)
        if ready:
            self._shown.append(ready)
        return ready

    def _undecided(self, text: str) -> int:
        """Return the length of the end of `text` that is not to be shown yet."""
        held = max((begun(text, stop) for stop in self._stop), default=0)
        return held or int(ends_in_half(text))
