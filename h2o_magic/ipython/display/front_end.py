"""What can be done with outputs where a cell's go, and doing it without an error."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.display import clear_output, publish_display_data

from h2o_magic.rendering.literal import printable
from h2o_magic.rendering.streams import write

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def publishes(shell: InteractiveShell | None) -> bool:
    """Return whether outputs have media types: in a notebook, or for ``%%capture``."""
    return shell is not None and (hasattr(shell, "kernel") or _is_captured(shell))


def updates(shell: InteractiveShell | None) -> bool:
    """Return whether an output can be changed later.

    Consoles, nbclient and others that ignore changes, or may, do not say which cell
    they run.
    """
    if shell is None or _is_captured(shell):
        return False
    request = _request(shell)
    return _names_cell(request) and not _is_in_widget(request)


def is_console(shell: Any) -> bool:
    """Return whether somebody sits before a front end that shows plain text only."""
    request = {} if _is_captured(shell) else _request(shell)
    asks = request.get("content", {}).get("allow_stdin") is True
    return asks and not _names_cell(request)


def wrote(shell: Any) -> bool:
    """Return whether the running cell has written to a stream; IPython 9 notes it."""
    noted = getattr(shell.history_manager, "outputs", None) or {}
    return any(noted.get(shell.execution_count - back) for back in (0, 1))


def publish(
    data: dict[str, Any],
    metadata: dict[str, Any] | None = None,
    *,
    display_id: str = "",
    update: bool = False,
) -> bool:
    """Show something by its media types, and return whether that was possible.

    A publisher that fails may be the user's own: then the plain text is printed.
    """
    more: dict[str, Any] = {"transient": {"display_id": display_id}, "update": update}
    try:
        publish_display_data(data, metadata, **more if display_id else {})
    except Exception:
        if "text/plain" in data:
            write(f"{printable(data['text/plain'])}\n", sys.stdout)
        return False
    return True


def clear(*, wait: bool = False) -> None:
    """Clear the cell's outputs, or as soon as the next one comes."""
    with suppress(Exception):
        clear_output(wait=wait)


def _request(shell: Any) -> dict[str, Any]:
    """Return what a kernel was asked to do: here, to run a cell."""
    get_parent = getattr(getattr(shell, "kernel", None), "get_parent", dict)
    return get_parent() or {}


def _names_cell(request: dict[str, Any]) -> bool:
    return isinstance(request.get("metadata", {}).get("cellId"), str)


def _is_captured(shell: Any) -> bool:
    publisher = getattr(shell, "display_pub", None)
    own = getattr(shell, "display_pub_class", object)
    captures = isinstance(publisher, CapturingDisplayPublisher)
    return captures or not isinstance(publisher, own)


def _is_in_widget(request: dict[str, Any]) -> bool:
    """Return whether the output goes into an ``Output`` of ipywidgets."""
    widgets = getattr(sys.modules.get("ipywidgets.widgets.widget"), "_instances", {})
    number = request.get("header", {}).get("msg_id")
    return any(getattr(each, "msg_id", "") == number for each in [*widgets.values()])
