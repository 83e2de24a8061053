"""``%h2o reset``, ``drop``, ``undo``, ``redo`` and ``retry``: changing the turns."""

from __future__ import annotations

import shlex

from h2o_magic.chat.turns import Change, ChangeKind
from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import say
from h2o_magic.ipython.commands.threads import named_thread
from h2o_magic.ipython.commands.usage import Given
from h2o_magic.ipython.options import parse_ask
from h2o_magic.rendering.tables import shorten

#: The changes that can fill a thread at once.
_NEW_TURNS = ("fork", "import")

#: What is said when a change was taken back, and when it was made again.
_SAID: dict[ChangeKind, tuple[str, str]] = {
    "ask": (
        "Took back the last question of {threads} and its answer.",
        "The question and its answer are in {threads} again.",
    ),
    "replace": (
        "The answer that {threads} had before is back.",
        "The newer answer is in {threads} again.",
    ),
    "reset": (
        "{turns} of {threads} {are} back.",
        "Forgot {turns} of {threads} again.",
    ),
    "drop": (
        "{turns} of {threads} {are} back.",
        "Took {turns} out of {threads} again.",
    ),
    "fork": (
        "Took the copy out of {threads}: {turns}.",
        "The copy is in {threads} again: {turns}.",
    ),
    "import": (
        "Took what came from a file out of {threads}: {turns}.",
        "What came from a file is in {threads} again: {turns}.",
    ),
    "choose": (
        "The answer that {threads} had before is back.",
        "The other answer is in {threads} again.",
    ),
}


def reset(context: CommandContext, given: Given) -> None:
    """Forget a thread, or all of them."""
    erase, everything = "--erase" in given, "--all" in given
    # What was forgotten before can still be erased, under the name it had.
    name = _named(context, given) if erase else named_thread(context, given)
    count = context.session.reset(name, everything=everything, erase=erase)
    turns = counted(count, "turn")
    if not count:
        said = _said_of_nothing(everything=everything, erase=erase)
    elif erase:
        whose = "all threads" if everything else "{name}"
        where = "memory" if context.session.record.path is None else "the disk too"
        said = (
            f"Erased {turns} of {whose}, and what could be brought back, from {where}. "
            "This cannot be undone."
        )
    else:
        whose = "all threads begin anew" if everything else "{name} begins anew"
        elsewhere = name != context.session.thread and not everything
        said = f"Forgot {turns}: {whose}. {_taking_back(elsewhere)}"
    say(context, said, name=name, typed=shlex.quote(name))


def _said_of_nothing(*, everything: bool, erase: bool) -> str:
    whose = "no thread has turns" if everything else "{name} has no turns"
    if not erase:
        return f"There is nothing to forget: {whose}."
    # True also where turns that had been forgotten before were erased now.
    return (
        f"There is nothing left to erase: {whose}, and none that could be brought back."
    )


def drop(context: CommandContext, given: Given) -> None:
    """Take one turn out of a thread."""
    name = named_thread(context, given)
    number = int(given["N"])
    turn = context.session.drop(number, name)
    say(
        context,
        f"Took turn {number} out of {{name}}: “{{question}}”. "
        f"{_taking_back(name != context.session.thread)}",
        name=name,
        typed=shlex.quote(name),
        question=shorten(turn.question),
    )


def undo(context: CommandContext, given: Given) -> None:
    """Take the last change of a thread back."""
    name = _named(context, given)
    change = context.session.undo(name)
    if change is None:
        say(context, "There is nothing to take back in {name}.", name=name)
        return
    said = _SAID[change.kind][0]
    left, turns = _leave_empty_thread(context, change)
    if turns:
        said += (
            f" Now in thread {{current}}: {counted(turns, 'turn')}. "
            "`%h2o redo --thread {left}` makes it again."
        )
    _say_change(context, change, said, current=context.session.thread, left=left)


def redo(context: CommandContext, given: Given) -> None:
    """Make the change again that was taken back last."""
    name = _named(context, given)
    change = context.session.redo(name)
    if change is None:
        say(context, "There is nothing to make again in {name}.", name=name)
        return
    said = _SAID[change.kind][1]
    if change.kind in _NEW_TURNS and name != context.session.thread:
        said += " Go there: `%h2o thread {there}`."
    _say_change(context, change, said, there=shlex.quote(name))


def retry(context: CommandContext, given: Given) -> None:
    """Ask the last question again; its new answer takes the place of the old one."""
    options, extra = parse_ask(given.rest)
    if extra:
        raise ConfigurationError(
            f"%h2o retry: expected options, got {extra!r}: it asks the last question "
            "again (to ask another: `%h2o ask QUESTION`)"
        )
    if options.help:
        context.show_help()
    else:
        context.retry(options)


def _taking_back(elsewhere: bool) -> str:
    """Say how to take a change back; `elsewhere`: of a thread that is not current."""
    return f"`%h2o undo{' --thread {typed}' if elsewhere else ''}` takes it back."


def _named(context: CommandContext, given: Given) -> str:
    """Return the thread that is named, which may have lost all of its turns."""
    return given.text("--thread") or context.session.thread


def _leave_empty_thread(context: CommandContext, change: Change) -> tuple[str, int]:
    """Go to the thread asked last if undoing left the current one empty."""
    session, left = context.session, context.session.thread
    others = session.threads()
    emptied = left in change.threads and all(info.name != left for info in others)
    if change.kind not in _NEW_TURNS or not emptied or not others:
        return "", 0
    latest = max(others, key=lambda info: info.last_asked)
    session.thread = latest.name
    return shlex.quote(left), latest.turns


def _say_change(
    context: CommandContext, change: Change, sentence: str, **texts: str
) -> None:
    say(
        context,
        sentence,
        **texts,
        turns=counted(change.turns, "turn"),
        are="is" if change.turns == 1 else "are",
        threads=_listed(change.threads),
    )


def _listed(names: tuple[str, ...]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
