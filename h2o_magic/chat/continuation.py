"""Going on with an answer that was cut off: how it is asked for, and put together.

Servers do not agree on a way to go on within a message, so the model is asked to.
"""

from __future__ import annotations

import re

from h2o_magic.chat.messages import Message, assistant, user

_REQUEST = (
    "Your answer was cut off. Continue it exactly where it stopped: repeat nothing, "
    "and write no introduction."
)
_FENCE = re.compile(r"^ {0,3}(```|~~~)", re.MULTILINE)
_WORD = re.compile(r"\w+")
_OPENER = re.compile(r"\s*(?:```|~~~)[^\n]*(?:\n|\Z)")


def continuing(text: str) -> tuple[Message, ...]:
    """Return what is sent after the question of an answer that begins with `text`."""
    return (assistant(text), user(_REQUEST)) if text else ()


class Continued:
    """An answer's text so far, to which a model adds in another message."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._in_code = len(_FENCE.findall(text)) % 2 == 1
        self._words = _WORD.findall(text)

    def with_more(self, more: str) -> str:
        """Return the whole, as if it had been written at once."""
        text = self._text
        if not (text and more):
            return text or more
        if self._in_code and (opener := _OPENER.match(more)):
            more = more[opener.end() :]  # models open it again
            line_end = "" if text.endswith("\n") or not more else "\n"
            return f"{text}{line_end}{more}"
        first = _WORD.match(more)
        apart = first and text[-1].isalnum() and not self._is_cut_before(first[0])
        return f"{text} {more}" if apart else f"{text}{more}"

    def _is_cut_before(self, first: str) -> bool:
        """Return whether the text's last word goes on with the first of what is added.

        Most answers are cut after a word, and messages begin without a space, be it
        with a new word or with the end of one: that stands in the text elsewhere.
        """
        *known, last = self._words
        if last[-1].isdigit() or first[0].isdigit():
            return last[-1].isdigit() and first[0].isdigit()
        return last + first in known
