"""``%h2o reset``, ``drop``, ``undo``, ``redo`` and ``retry``: changing the turns."""

from __future__ import annotations

from h2o_magic.chat.turns import Change, ChangeKind
from h2o_magic.config.command_line import quote
from h2o_magic.config.units import counted
from h2o_magic.conversation.answer import Answer
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import reply
from h2o_magic.ipython.commands.threads import named_thread
from h2o_magic.ipython.commands.usage import Arguments
from h2o_magic.ipython.options import parse_ask
from h2o_magic.rendering.tables import shorten

#: The changes that can fill a thread at once.
_NEW_TURNS = ("fork", "import")

#: What is shown when a change was undone, and when it was redone.
_MESSAGES: dict[ChangeKind, tuple[str, str]] = {
    "ask": (
        "Removed the last question and its answer from {threads}.",
        "Restored the question and its answer in {threads}.",
    ),
    "replace": (
        "Restored the previous answer in {threads}.",
        "Restored the newer answer in {threads}.",
    ),
    "reset": ("Restored {turns} of {threads}.", "Cleared {turns} of {threads} again."),
    "drop": ("Restored {turns} of {threads}.", "Removed {turns} from {threads} again."),
    "fork": (
        "Removed the copy from {threads}: {turns}.",
        "Restored the copy in {threads}: {turns}.",
    ),
    "import": (
        "Removed the imported turns from {threads}: {turns}.",
        "Restored the imported turns in {threads}: {turns}.",
    ),
    "choose": (
        "Restored the previous answer in {threads}.",
        "Restored the other answer in {threads}.",
    ),
}


def reset(context: CommandContext, args: Arguments) -> None:
    """Clear a thread and start over; --erase deletes the turns from disk, too."""
    session = context.session
    erase, everything = "--erase" in args, "--all" in args
    # What was cleared before can still be erased, under the name it had.
    name = _thread(context, args) if erase else named_thread(context, args)
    count = session.reset(name, everything=everything, erase=erase)
    turns = counted(count, "turn")
    threads = "all threads" if everything else "{name}"
    empty = "no thread has turns" if everything else "{name} has no turns"
    if count and erase:
        where = "memory" if session.record.path is None else "disk"
        line = (
            f"Erased {turns} of {threads}, and everything that undo could restore, "
            f"from {where}. This cannot be undone."
        )
    elif count:
        starts = "start" if everything else "starts"
        line = f"Cleared {turns}: {threads} {starts} over. "
        line += _how_to_undo(name != session.thread and not everything)
    elif erase:  # turns that had been cleared before may have been erased now
        line = f"Nothing left to erase: {empty}, and none that undo could restore."
    else:
        line = f"Nothing to clear: {empty}."
    reply(context, line, name=name, quoted=quote(name))


def drop(context: CommandContext, args: Arguments) -> None:
    """Remove one turn from a thread."""
    name = named_thread(context, args)
    number = int(args["N"])
    turn = context.session.drop(number, name)
    reply(
        context,
        f"Removed turn {number} from {{name}}: “{{question}}”. "
        f"{_how_to_undo(name != context.session.thread)}",
        name=name,
        quoted=quote(name),
        question=shorten(turn.question),
    )


def undo(context: CommandContext, args: Arguments) -> None:
    """Undo the last change of a thread."""
    name = _thread(context, args)
    change = context.session.undo(name)
    if change is None:
        reply(context, "Nothing to undo in {name}.", name=name)
        return
    line = _MESSAGES[change.kind][0]
    left, turns = _leave_empty_thread(context, change)
    if turns:
        line += (
            f" Switched to thread {{current}}: {counted(turns, 'turn')}. "
            "`%h2o redo --thread {left}` restores it."
        )
    _reply_change(context, change, line, current=context.session.thread, left=left)


def redo(context: CommandContext, args: Arguments) -> None:
    """Redo the change that was undone last."""
    name = _thread(context, args)
    change = context.session.redo(name)
    if change is None:
        reply(context, "Nothing to redo in {name}.", name=name)
        return
    line = _MESSAGES[change.kind][1]
    if change.kind in _NEW_TURNS and name != context.session.thread:
        line += " Switch to it: `%h2o thread {there}`."
    _reply_change(context, change, line, there=quote(name))


def retry(context: CommandContext, args: Arguments) -> Answer | None:
    """Ask the last question again; the new answer replaces the old one."""
    options, extra = parse_ask(args.rest, context.option)
    if extra:
        raise ConfigurationError(
            f"%h2o retry: expected options, got {extra!r}: it asks the last question "
            "again (to ask another: `%h2o ask QUESTION`)"
        )
    if options.help:
        context.ask(options, "")
        return None
    return context.retry(options)


def _how_to_undo(elsewhere: bool) -> str:
    """Say how to undo a change; `elsewhere`: of a thread that is not current."""
    return f"`%h2o undo{' --thread {quoted}' if elsewhere else ''}` reverts this."


def _thread(context: CommandContext, args: Arguments) -> str:
    """Return the thread that is named, which may have lost all of its turns."""
    return args.get("--thread") or context.session.thread


def _leave_empty_thread(context: CommandContext, change: Change) -> tuple[str, int]:
    """Switch to the thread asked last if undoing left the current one empty."""
    session, left = context.session, context.session.thread
    others = session.threads()
    emptied = left in change.threads and all(info.name != left for info in others)
    if change.kind not in _NEW_TURNS or not emptied or not others:
        return "", 0
    latest = max(others, key=lambda info: info.last_asked)
    session.thread = latest.name
    return quote(left), latest.turns


def _reply_change(
    context: CommandContext, change: Change, line: str, **texts: str
) -> None:
    *others, last = change.threads
    threads = f"{', '.join(others)} and {last}" if others else last
    turns = counted(change.turns, "turn")
    reply(context, line, **texts, turns=turns, threads=threads)
