"""The names that a prompt can use: the user's variables, `In`, `Out` and `Err`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

# ``user_ns_hidden`` knows more: also what the user's own startup files have made.
_OWN = re.compile(
    r"In|Out|_{1,3}|_i{1,3}|_i?\d+|_[ido]h|_exit_code|get_ipython|exit|quit|open"
    r"|__builtins?__|__name__|__doc__|__package__|__loader__|__spec__|__session__"
)


def owned_by_shell(name: str) -> bool:
    """Return whether IPython itself keeps something under a name."""
    return _OWN.fullmatch(name) is not None


def is_the_shells(shell: Any, name: str) -> bool:
    """Return whether a name of the user's still stands for what IPython put there."""
    hidden: Mapping[str, object] = getattr(shell, "user_ns_hidden", {})
    return (
        owned_by_shell(name)
        and name in hidden
        and hidden[name] is shell.user_ns.get(name, hidden)
    )


def names_of(
    shell: Any, errors: Mapping[int, str] | None = None
) -> Callable[[str], object]:
    """Return the lookup of a shell's names; it raises ``KeyError`` for others.

    What the shell itself has put there (``exit``, ``get_ipython``) is no name of a
    prompt, nor is what Python has built in: a prompt may well say ``{id}``.
    """

    def lookup(name: str) -> object:
        if name == "Err" and name not in shell.user_ns:
            return errors or {}
        value = shell.user_ns[name]
        if name not in ("In", "Out", "_") and is_the_shells(shell, name):
            raise KeyError(name)
        return value

    return lookup
