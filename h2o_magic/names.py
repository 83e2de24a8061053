"""The names that a prompt can use: the user's variables, `In`, `Out` and `Err`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["names_of"]


def names_of(
    shell: Any, errors: Mapping[int, str] | None = None
) -> Callable[[str], object]:
    """Return the lookup of a shell's names; it raises ``KeyError`` for others.

    What the shell itself has put there (``exit``, ``get_ipython``) is no name of a
    prompt, nor is what Python has built in: a prompt may well say ``{id}``.

    Parameters
    ----------
    shell
        The IPython shell.
    errors
        Tracebacks by execution number, for ``Err``.
    """
    hidden = getattr(shell, "user_ns_hidden", {})

    def lookup(name: str) -> object:
        if name == "Err" and name not in shell.user_ns:
            return errors or {}
        value = shell.user_ns[name]
        if name not in ("In", "Out", "_") and hidden.get(name, lookup) is value:
            raise KeyError(name)
        return value

    return lookup
