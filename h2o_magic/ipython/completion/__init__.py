"""Tab completion: what fits where the cursor stands in an ``h2o`` cell or line.

Nothing here is imported before the first completion of text that names h2o.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from IPython.core.completer import SimpleCompletion, SimpleMatcherResult

from h2o_magic.ipython.completion import lines, tables
from h2o_magic.ipython.completion.cursor import CellLine, Command, Prompt, place_of
from h2o_magic.ipython.completion.values import Values

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["complete"]

#: As many completions as IPython shows.
_MOST = 500

#: IPython's matchers for ``\alpha`` and the like, which are welcome in prose, too.
_BACKSLASH = {
    "IPCompleter.latex_name_matcher",
    "IPCompleter.unicode_name_matcher",
    "back_latex_name_matcher",
    "back_unicode_name_matcher",
    "IPCompleter.fwd_unicode_matcher",
}


def complete(
    shell: InteractiveShell, context: CompletionContext
) -> SimpleMatcherResult:
    """Return what fits at the cursor, as IPython's matchers do.

    Inside ``h2o`` cells and lines the completions of others are suppressed, even where
    nothing fits: a question is not Python.
    """
    place = place_of(context.full_text, context.cursor_line, context.cursor_position)
    match place:
        case CellLine() if (line := tables.after_map(place)) is not None:
            fragment, offers = tables.on_map_line(line, Values(shell))
        case CellLine():
            fragment, offers = lines.on_cell_line(place, Values(shell))
        case Command():
            fragment, offers = lines.on_command(place, Values(shell))
        case Prompt():
            fragment, offers = tables.in_braces(place, Values(shell))
        case None:
            return {"completions": []}
    found = [SimpleCompletion(text=o.text, type=o.kind) for o in offers[:_MOST]]
    return {
        "completions": found or _Nothing(),  # type: ignore[typeddict-item]
        "matched_fragment": fragment,
        "ordered": True,
        "suppress": True,
        "do_not_suppress": _BACKSLASH,
    }


class _Nothing:
    """No completion, but a length: only then IPython suppresses other matchers."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[SimpleCompletion]:
        return iter(())
