"""``%h2o threads``, ``thread`` and ``fork``: which thread is asked."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from h2o_magic.amounts import counted
from h2o_magic.errors import ConfigurationError
from h2o_magic.listing import THREAD_HEAD, thread_rows
from h2o_magic.nearest import did_you_mean
from h2o_magic.subcommands.showing import say, show_table
from h2o_magic.subcommands.usage import Given

if TYPE_CHECKING:
    from h2o_magic.magics import H2OMagics

__all__ = ["fork", "named_thread", "thread", "threads"]


def threads(magics: H2OMagics, _: Given) -> None:
    """List the threads, the current one marked."""
    session = magics.session
    rows = thread_rows(session.threads(), session.thread, datetime.now())
    show_table(magics, THREAD_HEAD, rows)


def thread(magics: H2OMagics, given: Given) -> None:
    """Go to a thread, or say which is current."""
    session, name = magics.session, given.text("NAME")
    if name is None:
        turns = counted(_count(magics, session.thread), "turn")
        say(magics, f"The current thread is {{name}}: {turns}.", name=session.thread)
        return
    session.thread = name
    count = _count(magics, name)
    size = counted(count, "turn") if count else "new, no turns yet"
    say(magics, f"Now in thread {{name}}: {size}.", name=name)


def fork(magics: H2OMagics, given: Given) -> None:
    """Copy the beginning of a thread into a new one, and go there."""
    session, new = magics.session, given["NEW"]
    source = named_thread(magics, given)
    count = session.fork(
        new,
        at=given.number("--at"),
        thread=source,
        overwrite="--overwrite" in given,
    )
    session.thread = new
    say(
        magics,
        f"Copied {counted(count, 'turn')} of {{source}}. Now in thread {{new}}.",
        source=source,
        new=new,
    )


def named_thread(magics: H2OMagics, given: Given) -> str:
    """Return the thread that ``--thread`` names, or the current one.

    Raises
    ------
    ConfigurationError
        If there is none of that name.
    """
    session, name = magics.session, given.text("--thread")
    if name is None or name == session.thread:
        return session.thread
    known = session.record.thread_names()
    if name not in known:
        raise ConfigurationError(
            f"%h2o {given.command}: there is no thread {name!r}: "
            f"{did_you_mean(name, known or [session.thread])}"
        )
    return name


def _count(magics: H2OMagics, name: str) -> int:
    return sum(magics.session.counts(name).values())
