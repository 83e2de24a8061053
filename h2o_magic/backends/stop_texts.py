"""Stop texts, as they come in pieces."""

from __future__ import annotations

__all__ = ["begun"]


def begun(text: str, stop: str) -> int:
    r"""Return the length of the longest beginning of `stop` that ends `text`.

    >>> begun("no more\nUs", "\nUser:")
    3
    """
    sizes = range(min(len(stop), len(text)), 0, -1)
    return next((size for size in sizes if text.endswith(stop[:size])), 0)
