"""Which names of the notebook are the user's, and which IPython's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# ``user_ns_hidden`` knows more: also what the user's own startup files have made.
_RESERVED = re.compile(
    r"In|Out|_{1,3}|_i{1,3}|_i?\d+|_[ido]h|_exit_code|get_ipython|exit|quit|open"
    r"|__builtins?__|__name__|__doc__|__package__|__loader__|__spec__|__session__"
)


def is_ipython_name(name: str) -> bool:
    """Return whether IPython itself uses a name."""
    return _RESERVED.fullmatch(name) is not None


def is_ipython_value(shell: Any, name: str) -> bool:
    """Return whether a name still has the value that IPython gave it."""
    hidden: Mapping[str, object] = getattr(shell, "user_ns_hidden", {})
    return (
        is_ipython_name(name)
        and name in hidden
        and hidden[name] is shell.user_ns.get(name, hidden)
    )


def user_names(shell: Any) -> dict[str, Any]:
    """Return the user's variables, without what IPython put there."""
    return {
        name: value
        for name, value in tuple(shell.user_ns.items())
        if isinstance(name, str) and not is_ipython_value(shell, name)
    }
