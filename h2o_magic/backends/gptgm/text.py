"""The text of a gpt-gm answer: what of the tokens is shown, and when.

Pure. Tokens are shown as they come, except an end that may turn out not to belong to
the answer: the beginning of a stop text or an end marker, and white space. So what is
shown never has to be taken back when the answer of record has those cut off.
"""

from __future__ import annotations

from collections.abc import Iterable

from h2o_magic.backends.text import begun, ends_in_half, join_surrogates

__all__ = ["GrowingText", "clean"]

# Texts that end a turn of the gpt-gm models; special tokens, or plain text where the
# tokenizer does not know them.
_END_MARKERS = ("<|endoftext|>", "</s>", "<|prompt|>", "<|answer|>")

_START_MARKER = "<|startoftext|>"


class GrowingText:
    """The visible text of a growing answer.

    Parameters
    ----------
    stop
        The stop texts of the request.
    """

    def __init__(self, stop: Iterable[str] = ()) -> None:
        self._ends = (*stop, *_END_MARKERS)
        self._shown: list[str] = []
        self._held = ""

    @property
    def shown(self) -> str:
        """What was returned so far."""
        return "".join(self._shown)

    def add(self, text: str) -> str:
        """Take the next token's text and return what can be shown now."""
        text = self._held + text
        if not self._shown:
            text = text.lstrip()
        keep = _undecided(text, self._ends)
        self._held = text[keep:]
        ready = join_surrogates(text[:keep])
        if ready:
            self._shown.append(ready)
        return ready

    def rest(self) -> str:
        """Return what was held back; the answer has ended without its final event."""
        rest, self._held = join_surrogates(self._held.rstrip()), ""
        if rest:
            self._shown.append(rest)
        return rest


def clean(text: str, stop: Iterable[str] = ()) -> str:
    """Return an answer of record without markers, stop texts and outer white space.

    Parameters
    ----------
    text
        The server's ``generated_text``.
    stop
        The stop texts of the request. Each of them, and each end marker, is cut off
        the end once.
    """
    text = join_surrogates(text).lstrip().removeprefix(_START_MARKER).lstrip()
    ends = [end for end in (*stop, *_END_MARKERS) if end.strip()]
    while found := next((end for end in ends if _ends(text, end)), None):
        text = _without(text, found)
        ends.remove(found)
    return text.rstrip()


def _undecided(text: str, ends: tuple[str, ...]) -> int:
    """Return where the part of `text` begins that may still be cut off its end."""
    held = max((begun(text, end) for end in ends), default=0)
    if ends_in_half(text):
        held = max(held, 1)
    text = text[: len(text) - held]
    while found := next(
        (end for end in ends if end.strip() and _ends(text, end)), None
    ):
        text = _without(text, found)
    return len(text.rstrip())


def _ends(text: str, end: str) -> bool:
    return text.endswith(end) or text.rstrip().endswith(end)


def _without(text: str, end: str) -> str:
    return (text if text.endswith(end) else text.rstrip()).removesuffix(end)
