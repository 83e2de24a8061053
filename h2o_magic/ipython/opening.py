"""The session of a notebook, and what the user has stored for all notebooks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from h2o_magic.backends.servers.servers import Servers
from h2o_magic.config import paths
from h2o_magic.config.aliases import Aliases
from h2o_magic.config.presets import Presets
from h2o_magic.config.settings import Settings
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.session import Session
from h2o_magic.ipython.identity import RunningCell


class UserFiles:
    """The user's servers, aliases and presets, read when they are first needed.

    `report` is called with one line if a file of theirs cannot be used.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.report = report

    @cached_property
    def servers(self) -> Servers:
        """The known servers, with the keys typed into this kernel."""
        return Servers.of_user(self.report)

    @cached_property
    def aliases(self) -> Aliases:
        """The user's names for models."""
        return Aliases(paths.aliases_file(), self.report)

    @cached_property
    def presets(self) -> Presets:
        """The presets of parameters, the user's own among them."""
        return Presets(paths.presets_file(), self.report)


def open_session(
    user: UserFiles,
    record: Record,
    settings: Settings,
    cell: RunningCell,
    folder: Path,
) -> Session:
    """Return a notebook's session; its answers are stored below `folder`."""
    return Session(
        record=record,
        settings=settings,
        servers=lambda: user.servers,
        aliases=user.aliases,
        presets=user.presets,
        cells=cell.next_key,
        coming_cells=cell.coming_key,
        folder=folder,
        warn=user.report,
    )
