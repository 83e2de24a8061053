"""``%h2o threads``, ``thread`` and ``fork``: which thread is asked."""

from __future__ import annotations

from datetime import datetime

from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import say, show_table
from h2o_magic.ipython.commands.usage import Given
from h2o_magic.rendering.history import THREAD_HEAD, thread_rows


def threads(context: CommandContext, _: Given) -> None:
    """List the threads, the current one marked."""
    session = context.session
    rows = thread_rows(session.threads(), session.thread, datetime.now())
    show_table(context, THREAD_HEAD, rows)


def thread(context: CommandContext, given: Given) -> None:
    """Go to a thread, or say which is current."""
    session, name = context.session, given.text("NAME")
    if name is None:
        turns = counted(_count(context, session.thread), "turn")
        say(context, f"The current thread is {{name}}: {turns}.", name=session.thread)
        return
    session.thread = name
    count = _count(context, name)
    size = counted(count, "turn") if count else "new, no turns yet"
    say(context, f"Now in thread {{name}}: {size}.", name=name)


def fork(context: CommandContext, given: Given) -> None:
    """Copy the beginning of a thread into a new one, and go there."""
    session, new = context.session, given["NEW"]
    source = named_thread(context, given)
    count = session.fork(
        new,
        at=given.number("--at"),
        thread=source,
        overwrite="--overwrite" in given,
    )
    session.thread = new
    say(
        context,
        f"Copied {counted(count, 'turn')} of {{source}}. Now in thread {{new}}.",
        source=source,
        new=new,
    )


def named_thread(context: CommandContext, given: Given) -> str:
    """Return the thread that ``--thread`` names, or the current one."""
    session, name = context.session, given.text("--thread")
    if name is None or name == session.thread:
        return session.thread
    known = session.record.thread_names()
    if name not in known:
        raise ConfigurationError(
            f"%h2o {given.command}: there is no thread {name!r}: "
            f"{did_you_mean(name, known or [session.thread])}"
        )
    return name


def _count(context: CommandContext, name: str) -> int:
    return sum(context.session.counts(name).values())
