"""Load the magics into a shell, and take them out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from h2o_magic.magics import H2OMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load", "unload"]


def load(shell: InteractiveShell) -> None:
    """Register the magics, once; a second call changes nothing."""
    if _loaded(shell) is not None:
        return
    magics = H2OMagics(shell)
    shell.register_magics(magics)
    shell.events.register("pre_run_cell", magics.on_cell)
    shell.input_transformers_cleanup.append(ask_without_body)


def unload(shell: InteractiveShell) -> None:
    """Take out everything that :func:`load` put into the shell."""
    magics = _loaded(shell)
    if magics is None:
        return
    shell.events.unregister("pre_run_cell", magics.on_cell)
    shell.input_transformers_cleanup.remove(ask_without_body)
    configurables: list[Any] = shell.configurables
    configurables.remove(magics)
    manager = shell.magics_manager
    manager.registry.pop(type(magics).__name__, None)
    for kind in ("line", "cell"):
        manager.magics[kind].pop("h2o", None)


def ask_without_body(lines: list[str]) -> list[str]:
    """Turn a ``%%h2o`` cell that has only its first line into the line magic.

    IPython refuses a cell magic without a body before it is called, so
    ``%%h2o --help`` alone could not help, nor an empty cell explain itself.
    """
    text = [line for line in lines if line.strip()]
    if len(text) != 1 or text[0].split()[0] != "%%h2o":
        return lines
    return [text[0].replace("%%h2o", "%h2o ask", 1)]


def _loaded(shell: InteractiveShell) -> H2OMagics | None:
    found = shell.magics_manager.registry.get(H2OMagics.__name__)
    return found if isinstance(found, H2OMagics) else None
