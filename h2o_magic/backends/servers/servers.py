"""The servers that can answer: found by name or address, connected to, forgotten.

What is needed for that is put together here: the known servers, their keys, and the
dialects that were found out. A server is looked at only when it is used.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from h2o_magic.backends import registry
from h2o_magic.backends.base import Backend
from h2o_magic.backends.servers.connect import (
    REFUSED,
    Make,
    Reached,
    looked_at,
    reached,
)
from h2o_magic.backends.servers.credentials import Keys, KeySource
from h2o_magic.backends.servers.known import (
    KnownServer,
    KnownServers,
    same_server,
    unknown_name,
)
from h2o_magic.backends.servers.model_cache import ModelLists
from h2o_magic.config import paths
from h2o_magic.config.url import check_base_url
from h2o_magic.errors import ConfigurationError, StatusError

if TYPE_CHECKING:
    from h2o_magic.backends.servers.scan import OpenPort

#: A host and a port, without what goes before them.
_ADDRESS = re.compile(r"[\w.-]+:\d+(/.*)?")


class Servers:
    """The servers of one kernel.

    Parameters
    ----------
    known
        Those with a name; None for none.
    keys
        Where their keys are read; None for the process's environment.
    lists
        Their last lists of models; None for none.
    make
        Makes a backend of a dialect, an address and a key.
    """

    def __init__(
        self,
        known: KnownServers | None = None,
        *,
        keys: Keys | None = None,
        lists: ModelLists | None = None,
        make: Make = registry.connect,
    ) -> None:
        self.keys = Keys() if keys is None else keys
        self.lists = ModelLists() if lists is None else lists
        self._known = KnownServers() if known is None else known
        self._make = make
        self._here: list[KnownServer] = []  # reached, but in no file

    @classmethod
    def of_user(cls, say: Callable[[str], None] = warnings.warn) -> Servers:
        """Return those that the user's files name; `say` takes what is amiss there."""
        return cls(
            KnownServers(paths.servers_file(), say),
            lists=ModelLists(paths.model_lists_file(), say),
        )

    def known(self) -> tuple[KnownServer, ...]:
        """Return the servers that have a name."""
        return self._known.all()

    def find(self, server: str) -> KnownServer:
        """Return what is known of a server; nothing is sent.

        Parameters
        ----------
        server
            Its name, or its address.

        Raises
        ------
        ConfigurationError
            If no server has the name, and it is no address.
        """
        known = self._known.find(server)
        if known is not None:
            return known
        for entry in self._here:
            if entry.name == server or same_server(entry.url, server):
                return entry
        if _ADDRESS.fullmatch(server):
            raise ConfigurationError(
                "expected an address that begins with http:// or https://, got "
                f"{server}: write http://{server}"
            )
        if "/" not in server:
            raise unknown_name(server, [entry.name for entry in self.known()])
        return KnownServer("", server)

    def backend(self, server: str) -> Backend:
        """Return the way to a server.

        Of one whose dialect is not known, it is found out now, and remembered.

        Parameters
        ----------
        server
            Its name or address.

        Raises
        ------
        ConfigurationError
            If there is none of the name, or its key is missing.
        BackendError
            If its dialect must be found out and cannot.
        """
        entry = self.find(server)
        token = self.keys.read(entry.key, entry.url)
        if not entry.dialect:
            entry, _ = looked_at(entry, token)
            self._here.append(entry)
        return self._make(entry.dialect, entry.url, token)

    def reach(
        self,
        server: str,
        *,
        name: str = "",
        dialect: str = "",
        key: KeySource | None = None,
    ) -> Reached:
        """Connect to a server, and keep it under a name.

        Only a server that answers is kept, and what was known of it is replaced only
        then.

        Parameters
        ----------
        server
            An address, or the name of a known server. An address with a version
            segment such as ``/v1`` is that of an OpenAI-compatible API, also where
            something else is known to be.
        name
            What to call it; empty for its name, or one after its address.
        dialect
            What it speaks; ``auto`` finds it out, also of a known one; empty for what
            is known, or else finding it out.
        key
            Where its key comes from; None for what is known, or else no key. A key
            that the user is to be asked for is asked for now.

        Raises
        ------
        ConfigurationError
            If an argument is refused, the key is missing, or the name is taken.
        BackendError
            If the server does not answer, or refuses the key.
        """
        url = check_base_url(server) if "/" in server else ""
        known = self.find(url or server)
        entry = _as_written(known, url) if url else known
        entry = replace(
            entry,
            name=name or entry.name,
            dialect={"": entry.dialect, registry.AUTO: ""}.get(dialect, dialect),
            key=entry.key if key is None else key,
        )
        forced = dialect not in ("", registry.AUTO)
        if forced:
            registry.find(dialect)  # raises an error if there is none
        self._known.refuse_taken(entry)
        if entry.key.kind == "prompt" and (key or not self.keys.holds(entry.url)):
            self.keys.ask(entry.url)
        token = self.keys.read(entry.key, entry.url)
        try:
            found = reached(entry, token, self._make, forced=forced)
        except StatusError as error:
            if error.status in REFUSED:
                self.keys.drop(entry.url)
            raise
        if found.models is not None:
            self.lists.keep(entry.url, found.models)
        formerly = known.name if known.name != entry.name else ""
        return self._kept(replace(found, formerly=formerly))

    def forget(self, name: str) -> KnownServer:
        """Forget a known server, by name or address; return what was known of it.

        Raises
        ------
        ConfigurationError
            If there is none.
        """
        known = self._known.find(name)
        entry = self._known.forget(name if known is None else known.name)
        self.keys.drop(entry.url)
        self._here = [e for e in self._here if not same_server(e.url, entry.url)]
        return entry

    def scan(self) -> tuple[OpenPort, ...]:
        """Ask this machine, on the ports that servers usually have, what answers.

        No other machine is asked, and nothing is kept.
        """
        from h2o_magic.backends.servers.scan import scan  # noqa: PLC0415

        return scan()

    def _kept(self, found: Reached) -> Reached:
        """Keep a server; one that cannot be is known in this kernel."""
        entry = found.server
        self._here = [e for e in self._here if not same_server(e.url, entry.url)]
        try:
            return replace(found, server=self._known.keep(entry, hint=found.engine))
        except ConfigurationError as error:
            self._here.append(entry)
            return replace(found, problem=str(error))


def _as_written(entry: KnownServer, url: str) -> KnownServer:
    """Return what is known of a server, if its address is written so.

    Who writes a version segment means the OpenAI-compatible API that is there.
    """
    from h2o_magic.backends.openai.flavour import split_address  # noqa: PLC0415

    root, version = split_address(url)
    same = entry.dialect == "openai" and split_address(entry.url)[1] == version
    if url == root or same:
        return entry
    return replace(entry, url=url, dialect="")
