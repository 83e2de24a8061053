"""Find the known name that a mistyped one most resembles."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]


def did_you_mean(name: str, known: Iterable[str], *, most: int | None = None) -> str:
    """Return a half sentence that helps with an unknown name.

    Parameters
    ----------
    name
        What was given.
    known
        The accepted names.
    most
        How many of them are named at most, those that are most like it; None for all.

    Returns
    -------
    str
        ``"did you mean 'x'?"`` where one name is near, else ``"known: a, b, c"`` or
        ``"known: a, b and 7 others"``.
    """
    candidates = list(known)
    near = nearest(name, candidates)
    if near is not None:
        return f"did you mean {near!r}?"
    if most is not None and len(candidates) > most:
        plain_name = _plain(name)
        likest = sorted(candidates, key=lambda c: _likeness(plain_name, c))[-most:]
        rest = len(candidates) - most
        others = "1 other" if rest == 1 else f"{rest} others"
        return f"known: {', '.join(sorted(likest))} and {others}"
    return f"known: {', '.join(sorted(candidates))}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` begins or resembles most; None if none does."""
    # Options are typed with dashes or underscores; both spellings are one name.
    plain = {_plain(candidate): candidate for candidate in known}
    begun = [p for p in plain if _plain(name) and p.startswith(_plain(name))]
    if begun:
        return plain[begun[0]]
    import difflib  # noqa: PLC0415 - only for a mistake: `%load_ext` makes none

    near = difflib.get_close_matches(_plain(name), plain, 1, 0.5)
    return plain[near[0]] if near else None


def _likeness(plain: str, candidate: str) -> float:
    import difflib  # noqa: PLC0415

    return difflib.SequenceMatcher(None, plain, _plain(candidate)).ratio()


def _plain(name: str) -> str:
    return name.replace("-", "_").strip("_").lower()
