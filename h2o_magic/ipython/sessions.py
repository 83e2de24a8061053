"""The running notebook's one session, shared by magics, panel and Python code."""

from __future__ import annotations

import atexit
import os
import sys
import warnings
import weakref
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from h2o_magic.config import paths
from h2o_magic.config.settings import Settings
from h2o_magic.ipython.cells import RunningCell
from h2o_magic.ipython.identity import Identity, identify

if TYPE_CHECKING:
    from h2o_magic.backends.servers.connect import Connected
    from h2o_magic.backends.servers.servers import Servers
    from h2o_magic.chat.turns import ThreadInfo
    from h2o_magic.config.aliases import Aliases
    from h2o_magic.config.presets import Presets
    from h2o_magic.conversation.record import Record
    from h2o_magic.conversation.session import Session


class Current:
    """What one notebook has one of: its settings, and its session."""

    def __init__(self, shell: Any = None) -> None:
        self.settings = Settings(os.environ)
        self.cell = RunningCell(shell)
        self.say: Callable[[str], None] = _warn
        self._shell = shell
        self._key = ""
        self._record: Record | None = None
        self._session: Session | None = None
        self.settings.watch(self._on_setting)

    @property
    def session(self) -> Session:
        """The session; it is made when it is first needed."""
        if self._session is None:
            from h2o_magic.conversation.session import Session  # noqa: PLC0415

            self._session = Session(
                record=self.record,
                settings=self.settings,
                servers=lambda: self.servers,
                aliases=self.aliases,
                presets=self.presets,
                cells=self.cell.next_key,
                coming_cells=self.cell.coming_key,
            )
        return self._session

    @property
    def record(self) -> Record:
        """Where the notebook's turns are kept; to look there needs no session."""
        if self._session is not None:
            return self._session.record
        if self._record is None:
            self._record = self._record_of(self._identify())
        return self._record

    @cached_property
    def servers(self) -> Servers:
        """The user's servers, and the keys that this kernel was told."""
        from h2o_magic.backends.servers.servers import Servers  # noqa: PLC0415

        return Servers.of_user(self._report)

    @cached_property
    def aliases(self) -> Aliases:
        """The user's names for models."""
        from h2o_magic.config.aliases import Aliases  # noqa: PLC0415

        return Aliases(paths.aliases_file(), self._report)

    @cached_property
    def presets(self) -> Presets:
        """The presets of parameters, the user's own among them."""
        from h2o_magic.config.presets import Presets  # noqa: PLC0415

        return Presets(paths.presets_file(), self._report)

    @property
    def made(self) -> Session | None:
        """The session if it is made, for those who do not need it."""
        return self._session

    def settle(self) -> None:
        """Go to the notebook's own conversation, if only now the notebook is known.

        A session may be made when the kernel starts, before any cell runs. What was
        asked since comes along.
        """
        identity = self._identify()
        session = self._session
        if session is None or identity is None or not self._passes:
            return
        if identity.key != self._key:
            self._move(session, identity)

    def take_out_what_is_not_asked_any_more(self) -> None:
        """Take out the turns of the cell that has run which it no longer asks for.

        It was edited: it asks less in a thread than it did. A thread in which it has
        not asked keeps its turns: they may be another's, copied by a fork or from a
        file. A cell that asks nothing at all keeps them as a deleted one does.
        """
        key, threads = self.cell.key, self.cell.threads
        if self._session is None or key is None or not threads:
            return
        asked, record = self.cell.asked, self._session.record
        for thread, old in record.keys_of_cell(key):
            if thread in threads and (thread, old) not in asked:
                record.drop_cell(thread, old)
                self._session.changed(thread)

    def close(self) -> None:
        """Give back what the session holds; the settings stay."""
        session, self._session = self._session, None
        record, self._record = self._record, None
        if session is not None:
            session.close()
        elif record is not None:
            record.close()

    def _identify(self) -> Identity | None:
        kernel = getattr(self._shell, "kernel", None)
        return identify(
            name=str(self.settings["notebook"]),
            # Programs started from a notebook inherit its variables: a kernel counts.
            environ=os.environ if kernel is not None else {},
            namespace=getattr(self._shell, "user_ns", {}),
            cell=self.cell.id,
            connection_file=getattr(
                getattr(kernel, "parent", None), "connection_file", ""
            ),
        )

    def _record_of(self, identity: Identity | None) -> Record:
        from h2o_magic.conversation.record import Record  # noqa: PLC0415

        self._key = identity.key if identity else ""
        if identity is None:
            return Record(None, "")
        return Record(
            paths.store_file(),
            identity.key,
            cell=identity.cell,
            file=identity.file,
            on_trouble=self._report,
        )

    def _report(self, line: str) -> None:
        self.say(line)  # who says it may change

    def _on_setting(self, name: str) -> None:
        if name != "notebook" or (self._session is None and self._record is None):
            return
        session = self.session
        from h2o_magic.ipython.welcome import welcome  # noqa: PLC0415

        identity = self._identify()
        if identity is not None and self._passes:
            back = self._move(session, identity)
        else:
            session.stop_background()
            session.record = self._record_of(identity)
            back = session.threads()
        if line := welcome(back, current=session.thread):
            self.say(line.replace("`", ""))

    @property
    def _passes(self) -> bool:
        """Whether the conversation belongs to no notebook, and so does not last."""
        return not self._key or self._key.startswith("kernel:")

    def _move(self, session: Session, identity: Identity) -> tuple[ThreadInfo, ...]:
        """Go to a notebook's conversation, with what was asked without one.

        Return the threads that it had before.
        """
        from h2o_magic.chat.turns import Thread  # noqa: PLC0415

        session.stop_background()  # what came of its answers comes along
        asked = [Thread(t.name, session.turns(t.name)) for t in session.threads()]
        session.record = self._record_of(identity)
        back = session.threads()
        session.record.add(asked)
        session.changed(None)
        return back


_current: weakref.WeakKeyDictionary[Any, Current] = weakref.WeakKeyDictionary()
_without_shell: list[Current] = []


def of(shell: Any) -> Current:
    """Return what belongs to `shell`; None stands for a program without one."""
    if shell is None:
        if not _without_shell:
            _without_shell.append(Current())
        return _without_shell[0]
    if shell not in _current:
        _current[shell] = Current(shell)
    return _current[shell]


def end(shell: Any) -> None:
    """Give back what belongs to `shell`; its settings stay."""
    if shell in _current:
        _current[shell].close()


@atexit.register
def _end_all() -> None:
    """Close the files: closed, a store is one file, which can be copied."""
    for found in [*_current.values(), *_without_shell]:
        found.close()


def session() -> Session:
    """Return the running notebook's session; in a plain program, the program's.

    It is the one that the magics use: what is asked here is in their history, and what
    cells ask is in :meth:`~h2o_magic.conversation.session.Session.turns`.
    """
    shell = None
    if "IPython" in sys.modules:
        from IPython.core.getipython import get_ipython  # noqa: PLC0415

        shell = get_ipython()
    return of(shell).session


def connect(
    server: str,
    *,
    name: str = "",
    dialect: str = "",
    key_env: str = "",
    key_ring: str = "",
    key_prompt: bool = False,
) -> Connected:
    """Let another server answer in the running notebook, and keep it under a name.

    The parameters, and the errors that are raised, are those of
    :meth:`~h2o_magic.conversation.session.Session.connect`.
    """
    return session().connect(
        server,
        name=name,
        dialect=dialect,
        key_env=key_env,
        key_ring=key_ring,
        key_prompt=key_prompt,
    )


def _warn(line: str) -> None:
    warnings.warn(line, stacklevel=2)
