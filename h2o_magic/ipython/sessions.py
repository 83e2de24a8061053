"""The running notebook's one session, shared by magics, panel and Python code."""

from __future__ import annotations

import atexit
import os
import sys
import warnings
import weakref
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import PurePath
from types import ModuleType
from typing import TYPE_CHECKING, Any

from h2o_magic.chat.turns import Thread, ThreadInfo
from h2o_magic.config import paths
from h2o_magic.config.definitions import MAIN
from h2o_magic.config.settings import Settings
from h2o_magic.conversation.kept_settings import restore
from h2o_magic.ipython.identity import Identity, RunningCell, identify

if TYPE_CHECKING:
    from h2o_magic.backends.servers.connect import Connected
    from h2o_magic.chat_panel import Panel
    from h2o_magic.conversation.record import Record
    from h2o_magic.conversation.session import Session
    from h2o_magic.ipython.opening import UserFiles


class NotebookState:
    """What a notebook has one of: its settings, running cell, session and panel."""

    def __init__(self, shell: Any = None) -> None:
        self.settings = Settings(os.environ)
        self.cell = RunningCell(shell)
        self.warn: Callable[[str], None] = _warn
        self.existing_session: Session | None = None
        self.panel: Panel | None = None
        self._shell = shell
        self._folder = paths.expanded("")  # where the notebook is, as a rule
        self._key = ""
        self._record: Record | None = None
        self.settings.watch(self._on_setting)

    @property
    def session(self) -> Session:
        """The session; it is created when it is first needed."""
        if self.existing_session is None:
            self.existing_session = _opening().open_session(
                self.user, self.record, self.settings, self.cell, self._folder
            )
        return self.existing_session

    @cached_property
    def user(self) -> UserFiles:
        """What the user has stored for all notebooks."""
        user: UserFiles = _opening().UserFiles(self._report)
        return user

    @property
    def record(self) -> Record:
        """The notebook's stored turns; they can be read without a session."""
        if self.existing_session is not None:
            return self.existing_session.record
        if self._record is None:
            self._record = self._open_record(self._identify())
        return self._record

    def find_notebook(self) -> None:
        """Open the notebook's own conversation, if only now a cell says which it is."""
        identity, session = self._identify(), self.existing_session
        if session is None or identity is None or not self._is_temporary:
            return
        if identity.key != self._key:
            self._move(session, identity)

    def restore_settings(self) -> str:
        """Use the notebook's server and model again; return which, if it had any."""
        kept = self.record.settings
        restore(self.settings, kept)
        if not kept:
            return ""
        server, _ = kept.get("server", ("", ""))
        now = self.settings["server"]
        instead = "" if server == now else f" instead of {_where(server)}"
        named = now or self.settings.is_set("model")
        model = f"`{self.settings['model']}` on " if named else ""
        return f"The next question goes to {model}{_where(now)}{instead}. "

    def remove_stale_turns(self) -> None:
        """Remove the turns of the cell that has run which it no longer asks for.

        It was edited: it asks less in a thread than it did. A thread in which it has
        not asked keeps its turns: they may be another's, copied by a fork or from a
        file. A cell that asks nothing at all keeps them as a deleted one does.
        """
        session = self.existing_session
        key, threads, asked = self.cell.key, self.cell.threads, self.cell.asked
        if session is None or key is None or not threads:
            return
        for thread, old in session.record.keys_of_cell(key):
            if thread in threads and (thread, old) not in asked:
                session.record.drop_cell(thread, old)
                session.changed(thread)

    def close(self) -> None:
        """Release what the session holds; the settings stay."""
        panel, self.panel = self.panel, None
        if panel is not None:
            panel.disconnect()
        session, self.existing_session = self.existing_session, None
        record, self._record = self._record, None
        if (held := session or record) is not None:
            held.close()

    def _identify(self) -> Identity | None:
        kernel = getattr(self._shell, "kernel", None)
        parent = getattr(kernel, "parent", None)
        return identify(
            name=str(self.settings["notebook"]),
            # Programs started from a notebook inherit its variables: a kernel counts.
            environ=os.environ if kernel is not None else {},
            namespace=getattr(self._shell, "user_ns", {}),
            cell=self.cell.id,
            connection_file=getattr(parent, "connection_file", ""),
        )

    def _open_record(self, identity: Identity | None) -> Record:
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
        self.warn(line)  # which may be replaced later

    def _on_setting(self, name: str) -> None:
        if name != "notebook" or (self.existing_session or self._record) is None:
            return
        session, identity = self.session, self._identify()
        if identity is not None and self._is_temporary:
            restored = self._move(session, identity)
        else:
            session.stop_background()
            session.record = self._open_record(identity)
            restored = session.threads()
        answers = self.restore_settings()
        if line := welcome_line(restored, current=session.thread, answers=answers):
            self.warn(line.replace("`", ""))

    @property
    def _is_temporary(self) -> bool:
        """Whether the conversation belongs to no notebook, and so does not last."""
        return not self._key or self._key.startswith("kernel:")

    def _move(self, session: Session, identity: Identity) -> tuple[ThreadInfo, ...]:
        """Add the turns to a notebook's conversation; return its threads so far."""
        session.stop_background()  # its partial answers are copied, too
        titles = session.record.own_titles()
        asked = [
            Thread(t.name, session.turns(t.name), titles.get(t.name, ""))
            for t in session.threads()
        ]
        session.record = self._open_record(identity)
        restored = session.threads()
        session.record.add(asked)
        session.changed(None)
        return restored


def _opening() -> ModuleType:
    from h2o_magic.ipython import opening  # noqa: PLC0415 - the extension loads faster

    return opening


_states: weakref.WeakKeyDictionary[Any, NotebookState] = weakref.WeakKeyDictionary()
_without_shell: list[NotebookState] = []


def get_state(shell: Any) -> NotebookState:
    """Return the state of a shell's notebook; None stands for a plain program."""
    if shell is None:
        if not _without_shell:
            _without_shell.append(NotebookState())
        return _without_shell[0]
    if shell not in _states:
        _states[shell] = NotebookState(shell)
    return _states[shell]


def close(shell: Any) -> None:
    """Release what a shell's session holds; its settings stay."""
    if shell in _states:
        _states[shell].close()


@atexit.register
def _close_all() -> None:
    """Close the files: closed, a store is one file, which can be copied."""
    for state in [*_states.values(), *_without_shell]:
        state.close()


def session() -> Session:
    """Return the running notebook's session; in a plain program, the program's.

    It is the one that the magics use: what is asked here is in their history, and what
    cells ask is in :meth:`~h2o_magic.conversation.session.Session.turns`.
    """
    ipython = sys.modules.get("IPython")
    return get_state(ipython.get_ipython() if ipython else None).session


def connect(
    server: str,
    *,
    name: str = "",
    dialect: str = "",
    key_env: str = "",
    key_ring: str = "",
    key_prompt: bool = False,
) -> Connected:
    """Use another server in the running notebook, and save it under a name.

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


def _where(server: object) -> str:
    return f"`{server}`" if server else "this machine"


def welcome_line(
    threads: Sequence[ThreadInfo],
    *,
    current: str = MAIN,
    copied_from: str = "",
    incomplete: bool = False,
    answers: str = "",
) -> str:
    """Return one line about what was restored; empty if nothing was.

    `answers` is a sentence about who answers in the notebook.
    """
    count = sum(thread.turns for thread in threads)
    if not count:
        return answers.rstrip()
    line = f"Restored {count:,} {'turn' if count == 1 else 'turns'} "
    if copied_from:
        line += f"copied from `{PurePath(copied_from).name}`"
    else:
        line += "of this notebook's conversation"
    line += f" in {len(threads)} threads" if len(threads) > 1 else ""
    line += f"; the current thread is `{current}`. " if current != MAIN else ". "
    if incomplete:
        line += (
            "The last answer is incomplete, unless another kernel is still writing it: "
            "`%h2o retry` asks again. "
        )
    return f"{line}{answers}`%h2o history` lists them, `%h2o reset` clears them."


def _warn(line: str) -> None:
    warnings.warn(line, stacklevel=2)
