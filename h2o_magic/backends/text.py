r"""The text of an answer as it comes in pieces: what of it can be shown, and when.

Pure. Text is shown as it comes, except what may still turn out to be the beginning of
a stop text or of a secret, and the first half of a character that came as two
``\uXXXX`` escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from h2o_magic.backends.secrets import Secrets

_SURROGATE = re.compile("[\ud800-\udfff]")
_NONE = Secrets({})


def join_surrogates(text: str) -> str:
    """Join surrogate pairs that came in two tokens, and replace halves left alone."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def unfinished(text: str, stops: Iterable[str]) -> int:
    r"""Return the length of the end of `text` that may begin a stop text, or is half.

    >>> unfinished("no more\nUs", ["\nUser:"])
    3
    """
    sizes = (
        next((n for n in range(len(stop), 0, -1) if text.endswith(stop[:n])), 0)
        for stop in stops
    )
    return max(sizes, default=0) or int("\ud800" <= text[-1:] <= "\udbff")


class GrowingText:
    """The visible text of a growing answer, without a stop text and what follows."""

    def __init__(self, stop: Iterable[str] = ()) -> None:
        self._stop = tuple(filter(None, stop))
        self._shown: list[str] = []
        self._held = ""
        #: True once a stop text came.
        self.stopped = False
        #: What no text may show.
        self.secrets = _NONE

    @property
    def started(self) -> bool:
        """Whether something was returned: cheap, however much it was."""
        return bool(self._shown)

    @property
    def shown(self) -> str:
        return "".join(self._shown)

    def beyond(self, whole: str) -> str:
        """Return what a text has behind all of this one; nothing if it is another."""
        received = self.shown + self._held
        return whole[len(received) :] if whole.startswith(received) else ""

    def add(self, text: str) -> str:
        """Take the next piece of text and return what can be shown now."""
        if self.stopped:
            return ""
        text = self.secrets.masked(self._held + text.replace("\0", ""))
        places = [place for s in self._stop if (place := text.find(s)) >= 0]
        self.stopped = bool(places)
        ends = (*self._stop, *self.secrets.values)
        keep = min(places) if places else len(text) - unfinished(text, ends)
        self._held = "" if places else text[keep:]
        return self._show(text[:keep])

    def replace(self, text: str) -> None:
        """Note that this text is shown in place of all before."""
        self._shown[:], self._held = [text], ""

    def rest(self) -> str:
        rest, self._held = self._held, ""
        return self._show(rest)

    def _show(self, text: str) -> str:
        ready = join_surrogates(text)
        if ready:
            self._shown.append(ready)
        return ready
