"""Chat with a language model in notebook cells.

``%load_ext h2o_magic``, then cells that begin with ``%%h2o``. From Python,
:func:`session` is the notebook's conversation, :func:`connect` lets another server
answer, and :func:`create_completion` asks a gpt-gm server without a conversation.

Importing this package, and loading the extension, import nothing heavy: what speaks
HTTP is imported by the first question.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from h2o_magic.backends.gptgm import create_completion
    from h2o_magic.ipython.extension import panel
    from h2o_magic.ipython.map_function import map  # noqa: A004
    from h2o_magic.ipython.sessions import connect, session

__all__ = [
    "connect",
    "create_completion",
    "load_ipython_extension",
    "map",
    "panel",
    "session",
    "unload_ipython_extension",
]

#: The modules of the names that are imported when they are first used.
_LAZY = {
    "connect": "ipython.sessions",
    "create_completion": "backends.gptgm",
    "_create_completion": "backends.gptgm",
    "map": "ipython.map_function",
    "panel": "ipython.extension",
    "session": "ipython.sessions",
}


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics with `shell`: what ``%load_ext h2o_magic`` calls."""
    import_module("h2o_magic.ipython.extension").load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Leave `shell` as it was before: what ``%unload_ext h2o_magic`` calls."""
    import_module("h2o_magic.ipython.extension").unload(shell)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"h2o_magic.{_LAZY[name]}"), name.lstrip("_"))
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - seldom asked for

        return version("h2o-magic")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
