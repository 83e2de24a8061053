"""The conversation as an output that needs no widget, for saved notebooks."""

from __future__ import annotations

from h2o_magic.chat.turns import Turn
from h2o_magic.config.units import counted
from h2o_magic.rendering.history import turn_markdown

#: At most as many of the last turns, and as many characters: it is in the notebook's
#: file, and the page renders it.
MOST_TURNS = 100
_CHARACTERS = 20_000

#: A front end shows no widget whose kernel is gone, and does not say what to do.
_HEAD = "*The chat as it was saved. Run this cell to go on with it.*"


def transcript(turns: tuple[Turn, ...]) -> str:
    """Return a thread's last turns as Markdown, which is also its own plain text.

    Nothing in it acts where it is shown.

    Parameters
    ----------
    turns
        The last turns of the thread, numbered and marked; more than
        :data:`MOST_TURNS` do not count.
    """
    shown: list[Turn] = []
    size = 0
    for turn in reversed(turns[-MOST_TURNS:]):
        size += len(turn.question) + len(turn.answer)
        if shown and size > _CHARACTERS:
            break
        shown.insert(0, turn)
    left_out = shown[0].number - 1 if shown else 0
    before = [_HEAD]
    if left_out:
        before.append(f"*({counted(left_out, 'earlier turn')} left out)*")
    if not shown:
        before.append("*(no turn yet)*")
    return "\n\n---\n\n".join([*before, *map(turn_markdown, shown)])
