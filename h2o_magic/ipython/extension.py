"""Load the magics into a shell, and remove them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.getipython import get_ipython
from traitlets import TraitError

from h2o_magic.errors import ConfigurationError, MisuseError
from h2o_magic.ipython import sessions
from h2o_magic.ipython.failures import clear_failures, get_failures
from h2o_magic.ipython.magics import H2OMagics
from h2o_magic.ipython.question_mark import TRANSFORMERS

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext
    from IPython.core.interactiveshell import InteractiveShell

    from h2o_magic.chat_panel import Panel, Place


def load(shell: InteractiveShell) -> None:
    """Register the magics, once; a second call changes nothing."""
    if _loaded(shell) is not None:
        return
    try:
        magics = H2OMagics(shell, state=sessions.get_state(shell))
    except TraitError as error:  # a setting in ipython_config.py
        raise UsageError(" ".join(str(error).split())) from error
    shell.register_magics(magics)
    for event, callback in _callbacks(shell, magics):
        shell.events.register(event, callback)
    magics.errors = get_failures(shell).tracebacks
    shell.Completer.custom_matchers.append(_matcher(shell))
    shell.input_transformers_cleanup.append(ask_without_body)
    shell.input_transformer_manager.token_transformers += TRANSFORMERS
    # Only a cell's request tells which notebook it is; if the kernel loads the
    # extension at its start, the first `%%h2o` does.
    get_parent = getattr(getattr(shell, "kernel", None), "get_parent", None)
    with magics.show_warnings(*magics.settings.problems):
        if get_parent is not None and get_parent():
            magics.welcome()


def unload(shell: InteractiveShell) -> None:
    """Remove everything that :func:`load` put into the shell."""
    magics = _loaded(shell)
    if magics is None:
        return
    sessions.close(shell)
    magics.disconnect()
    for event, callback in _callbacks(shell, magics):
        shell.events.unregister(event, callback)
    clear_failures(shell)
    matchers = shell.Completer.custom_matchers
    matchers[:] = [m for m in matchers if not getattr(m, "completes_h2o", False)]
    shell.input_transformers_cleanup.remove(ask_without_body)
    for transformer in TRANSFORMERS:
        shell.input_transformer_manager.token_transformers.remove(transformer)
    configurables: list[Any] = shell.configurables
    configurables.remove(magics)
    manager = shell.magics_manager
    manager.registry.pop(type(magics).__name__, None)
    for kind in ("line", "cell"):
        manager.magics[kind].pop("h2o", None)


def panel(place: Place = "cell") -> Panel:
    """Return the chat panel on the notebook's conversation, for its cell to show.

    A notebook has one, which several cells can show; after its `close`, a new one. The
    extension is loaded if it is not yet.

    Parameters
    ----------
    place
        ``"cell"``, or where JupyterLab and Notebook 7 dock it: ``"right"`` in the
        sidebar, ``"tab"`` beside the notebook. Elsewhere it is shown in the cell.

    Raises
    ------
    ConfigurationError
        If `place` is no place of a panel.
    MisuseError
        If there is no notebook.
    """
    if place not in ("cell", "right", "tab"):
        raise ConfigurationError(
            f"expected a place of the panel ('cell', 'right' or 'tab'), got {place!r}"
        )
    shell: Any = get_ipython()
    if shell is None:
        raise MisuseError("a panel needs a notebook: open one in JupyterLab")
    load(shell)
    magics: H2OMagics = shell.magics_manager.registry[H2OMagics.__name__]
    return magics.runner.panel(place)


def _callbacks(
    shell: InteractiveShell, magics: H2OMagics
) -> list[tuple[str, Callable[..., None]]]:
    return [
        ("pre_run_cell", magics.on_cell),
        ("post_run_cell", magics.on_cell_end),
        ("post_run_cell", get_failures(shell).note),
    ]


def _matcher(shell: InteractiveShell) -> Callable[[CompletionContext], Any]:
    """Return the matcher that completes ``h2o`` cells and lines."""

    def complete_h2o(context: CompletionContext) -> Any:
        if "%h2o" not in context.full_text:
            return {"completions": []}
        from h2o_magic.ipython.completion import complete  # noqa: PLC0415

        return complete(shell, context)

    matcher: Any = complete_h2o
    matcher.completes_h2o = True
    matcher.matcher_api_version = 2
    matcher.matcher_identifier = "h2o_magic"
    matcher.matcher_priority = 1000  # first, so that it can keep others out
    return complete_h2o


def ask_without_body(lines: list[str]) -> list[str]:
    """Turn a ``%%h2o`` cell that has only its first line into the line magic.

    IPython refuses a cell magic without a body before it is called, so
    ``%%h2o --help`` alone could not help, nor an empty cell explain itself.
    """
    text = [line for line in lines if line.strip()]
    if len(text) != 1 or text[0].split()[0] != "%%h2o":
        return lines
    if text[0].split()[1:2] == ["map"]:  # a body, so that the magic is called
        return [f"{text[0].rstrip()}\n", "\n"]
    return [text[0].replace("%%h2o", "%h2o ask", 1)]


# IPython leaves such transformers out when it asks whether a cell is complete: in a
# terminal the first line of a ``%%h2o`` cell must wait for the lines below it.
ask_without_body.has_side_effects = True  # type: ignore[attr-defined]


def _loaded(shell: InteractiveShell) -> H2OMagics | None:
    found = shell.magics_manager.registry.get(H2OMagics.__name__)
    return found if isinstance(found, H2OMagics) else None
