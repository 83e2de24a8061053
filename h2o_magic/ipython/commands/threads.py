"""``%h2o threads``, ``thread`` and ``fork``: the threads of a notebook."""

from __future__ import annotations

from datetime import datetime

from h2o_magic.chat.turns import ThreadInfo
from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import reply, show_table
from h2o_magic.ipython.commands.usage import Arguments
from h2o_magic.rendering.history import THREAD_HEAD, thread_rows


def threads(context: CommandContext, _: Arguments) -> None:
    """List the threads of this notebook."""
    session = context.session
    current = ThreadInfo(session.thread, 0, title=session.title())
    rows = thread_rows(session.threads(), current, datetime.now())
    show_table(context, THREAD_HEAD, rows)


def thread(context: CommandContext, args: Arguments) -> None:
    """Switch to a thread, old or new, or show the current one; --title renames it."""
    session, name = context.session, args.get("NAME")
    if name is not None:
        session.thread = name
    if "--title" in args:
        session.rename(args["--title"])
    count = sum(session.counts(session.thread).values())
    if name is None:
        line = f"The current thread is {{name}}: {counted(count, 'turn')}."
    elif count:
        line = f"Switched to thread {{name}}: {counted(count, 'turn')}."
    else:
        line = "Switched to a new thread {name}."
    if "--title" in args:
        line += " Its title is “{title}”."
    reply(context, line, name=session.thread, title=session.title())


def fork(context: CommandContext, args: Arguments) -> None:
    """Copy turns 1 to N to a new thread, and switch to it."""
    session, new = context.session, args["NEW"]
    source = named_thread(context, args)
    count = session.fork(
        new, at=args.number("--at"), thread=source, overwrite="--overwrite" in args
    )
    session.thread = new
    line = f"Copied {counted(count, 'turn')} of {{source}}. Switched to thread {{new}}."
    reply(context, line, source=source, new=new)


def named_thread(context: CommandContext, args: Arguments) -> str:
    """Return the thread that ``--thread`` names, or the current one."""
    session, name = context.session, args.get("--thread")
    if name is None or name == session.thread:
        return session.thread
    known = session.record.thread_names()
    if name not in known:
        raise ConfigurationError(
            f"%h2o {args.command}: there is no thread {name!r}: "
            f"{did_you_mean(name, known or [session.thread])}"
        )
    return name
