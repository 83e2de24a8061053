"""Tab completion: what fits where the cursor stands in an ``h2o`` cell or line.

:class:`h2o_magic.ipython.extension.Completion` calls it; nothing here is imported
before the first completion of text that names h2o.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from IPython.core.completer import SimpleCompletion, SimpleMatcherResult

from h2o_magic.ipython.completion import lines, names
from h2o_magic.ipython.completion.cursor import CellLine, Command, Prompt, place_of
from h2o_magic.ipython.completion.values import Values, visible
from h2o_magic.ipython.completion.words import Offer

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["complete"]

#: As many completions as IPython shows.
_MOST = 500

#: IPython's matchers for ``\alpha`` and the like, which is welcome in prose, too.
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

    Outside ``h2o`` cells and lines that is nothing, and other completions stay as they
    are. Inside them others are left out, also where nothing fits: a question is no
    Python.

    Parameters
    ----------
    shell
        The shell whose names and settings count.
    context
        The text and the cursor, in characters.
    """
    place = place_of(context.full_text, context.cursor_line, context.cursor_position)
    match place:
        case CellLine():
            fragment, offers = lines.on_cell_line(place, Values(shell))
        case Command():
            fragment, offers = lines.on_command(place, Values(shell))
        case Prompt():
            fragment, offers = names.in_braces(place, visible(shell))
        case None:
            return {"completions": []}
    return _result(fragment, offers[:_MOST])


def _result(fragment: str, offers: Sequence[Offer]) -> SimpleMatcherResult:
    found = [SimpleCompletion(text=text, type=kind) for text, kind in offers]
    return {
        "completions": found or _Nothing(),  # type: ignore[typeddict-item]
        "matched_fragment": fragment,
        "ordered": True,
        "suppress": True,
        "do_not_suppress": _BACKSLASH,
    }


class _Nothing:
    """No completion, and none of other matchers either.

    IPython lets a matcher keep others out only if it has found something, and it asks
    for the length to know.
    """

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[SimpleCompletion]:
        return iter(())
