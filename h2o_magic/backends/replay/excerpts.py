"""What of a text is quoted where it differs from another: a few whole words.

Pure. What is quoted is one line that can be printed.
"""

from __future__ import annotations

import unicodedata

#: Characters of a quoted part at most, and of those that precede what differs.
_LONGEST, _BEFORE = 48, 20


def changed(old: str, new: str) -> str:
    """Return what stood where two texts first differ, and what stands there now."""
    pairs = enumerate(zip(old, new, strict=False))
    place = next((n for n, (a, b) in pairs if a != b), min(len(old), len(new)))
    start = _start(new[:place])
    was, now = _from(old, start, place), _from(new, start, place)
    if was != now:
        if _normal(was) == _normal(now):
            return f"(characters that look alike, in {now})"
        return f"(was {was}, now {now})"
    return f"(white space or invisible characters, in {now})"


def quoted(text: str) -> str:
    """Return the beginning of a text, in quotation marks."""
    return _from(text, 0, 0)


def brief(text: str) -> str:
    """Return a text that is rarely long, as one line; its beginning if it is."""
    text = _plain(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _start(same: str) -> int:
    """Return where a quotation begins, of the text that both have before it differs."""
    earliest = max(len(same) - _BEFORE, 0)
    if not earliest:
        return 0
    spaces = [n for n in range(earliest, len(same)) if same[n].isspace()]
    return spaces[0] + 1 if spaces else earliest


def _from(text: str, start: int, place: int) -> str:
    """Quote a text from `start` on, up to the end of a word behind `place`."""
    end = start + _LONGEST
    if end < len(text):
        spaces = [n for n in range(place + 1, end + 1) if text[n].isspace()]
        end = spaces[-1] if spaces else end
    part = _plain(text[start:end])
    if not part:
        return "nothing"
    return f"“{'…' * (start > 0)}{part}{'…' * (end < len(text))}”"


def _plain(text: str) -> str:
    printable = (c if c.isprintable() else " " for c in text)
    return " ".join("".join(printable).split())


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
