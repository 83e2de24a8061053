"""The servers that can answer: found by name or address, connected to, forgotten."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from h2o_magic.backends import registry
from h2o_magic.backends.base import Backend
from h2o_magic.backends.local import locate
from h2o_magic.backends.openai.address import read_address
from h2o_magic.backends.servers.connect import (
    REFUSED,
    Make,
    OpenedServer,
    open_server,
    probe,
)
from h2o_magic.backends.servers.credentials import Credentials, KeySource
from h2o_magic.backends.servers.known import (
    KnownServer,
    KnownServers,
    is_address,
    same_server,
    unknown_name,
)
from h2o_magic.backends.servers.model_cache import ModelCache
from h2o_magic.config import paths
from h2o_magic.config.url import check_base_url
from h2o_magic.errors import ConfigurationError, H2OMagicError, StatusError
from h2o_magic.prompts.secrets.scan import secrets_in

if TYPE_CHECKING:
    from h2o_magic.backends.servers.scan import OpenPort


class Servers:
    """The servers of one kernel, with their keys and their last lists of models."""

    def __init__(
        self,
        known: KnownServers | None = None,
        *,
        credentials: Credentials | None = None,
        model_cache: ModelCache | None = None,
        make: Make = registry.connect,
    ) -> None:
        self.credentials = credentials or Credentials()
        self.model_cache = model_cache or ModelCache()
        self._known = known or KnownServers()
        self._make = make
        self._unsaved: list[KnownServer] = []  # connected to, but in no file

    @classmethod
    def of_user(cls, say: Callable[[str], None] = warnings.warn) -> Servers:
        """Return those in the user's files; `say` takes what is wrong with these."""
        return cls(
            KnownServers(paths.servers_file(), say),
            model_cache=ModelCache(paths.model_lists_file(), say),
        )

    def known(self) -> tuple[KnownServer, ...]:
        return self._known.all()

    def key_texts(self) -> tuple[str, ...]:
        """Return the keys of all known servers that can be had without asking for them.

        A key in the keyring is among them once it was read; so is the local token.
        """
        known: Iterable[KnownServer] = ()
        with suppress(H2OMagicError, OSError):
            known = (*self.known(), *self._unsaved)
        keys = self.credentials.at_hand(entry.key for entry in known)
        return tuple(sorted({*keys, locate.known_token()} - {""}))

    def find(self, server: str) -> KnownServer:
        """Return what is known of a server, by name or address; nothing is sent."""
        named = next((e for e in self._unsaved if e.name and e.name == server), None)
        known = named or self._known.find(server)
        if known is not None:
            return known
        for entry in self._unsaved:
            if same_server(entry.url, server):
                return entry
        if is_address(server):
            return KnownServer("", server)
        if any(secrets_in(server)):
            raise ConfigurationError(
                "expected a server's address or name, got something else (not shown, "
                "since it may be a key): `%h2o connect ADDRESS --key-env VAR`"
            )
        raise unknown_name(server, [entry.name for entry in self.known()])

    def backend(self, server: str) -> Backend:
        """Return a server's backend; an unknown dialect is detected, and remembered."""
        entry = self.find(server)
        token = self.credentials.read(entry.key, entry.url)
        if not entry.dialect:
            entry, _ = probe(entry, token)
            self._unsaved.append(entry)
        return self._make(entry.dialect, entry.url, token)

    def connect(
        self,
        server: str,
        *,
        name: str = "",
        dialect: str = "",
        key: KeySource | None = None,
    ) -> OpenedServer:
        """Connect to a server, and keep it under a name once it has answered.

        A version segment such as ``/v1`` means the OpenAI-compatible API there. Empty
        are `name` for the present one or the host's, and `dialect` for the known one,
        which ``auto`` detects anew; another is believed. A `key` of None is the known
        source.
        """
        url = check_base_url(server) if is_address(server) else ""
        known = self.find(url or server)
        entry = _at_url(known, url) if url else known
        entry = replace(
            entry,
            name=name or entry.name,
            dialect={"": entry.dialect, registry.AUTO: ""}.get(dialect, dialect),
            key=entry.key if key is None else key,
        )
        forced = dialect not in ("", registry.AUTO)
        if forced:
            registry.find(dialect)  # raises an error if there is none
        if known not in self._unsaved:  # else the name is this server's here
            self._known.refuse_taken(entry)
        typed = self.credentials.has_typed(entry.url)
        if entry.key.kind == "prompt" and (key or not typed):
            self.credentials.prompt(entry.url)
        token = self.credentials.read(entry.key, entry.url)
        try:
            # One that never listed its models is no other server for that.
            listed = self.model_cache.get(entry.url) is not None
            opened = open_server(
                entry, token, self._make, believed=forced or not listed
            )
        except StatusError as error:
            if error.status in REFUSED:
                self.credentials.forget(entry.url)
            raise
        self.credentials.move(entry.url, opened.server.url)
        if opened.models is not None:
            self.model_cache.put(opened.server.url, opened.models)
        formerly = known.name if known.name != entry.name else ""
        return self._keep(replace(opened, formerly=formerly))

    def remember(self, entry: KnownServer) -> None:
        """Know a server in this kernel, without asking it.

        Its name is this server's here, even if another is known by that name.
        """
        self._drop_unsaved(entry)
        self._unsaved.append(entry)

    def forget(self, name: str) -> KnownServer:
        """Forget a known server, by name or address; return what was known of it."""
        known = self._known.find(name)
        here = next((each for each in self._unsaved if each.name == name), None)
        if here and known and not same_server(here.url, known.url):
            self._drop_unsaved(here)  # the other one of that name stays
            self.credentials.forget(here.url)
            return here
        entry = self._known.forget(name if known is None else known.name)
        self.credentials.forget(entry.url)
        self._drop_unsaved(entry)
        return entry

    def scan(self) -> tuple[OpenPort, ...]:
        from h2o_magic.backends.servers.scan import scan  # noqa: PLC0415

        return scan()

    def _keep(self, opened: OpenedServer) -> OpenedServer:
        """Keep a server; one that cannot be saved is known in this kernel."""
        entry = opened.server
        self._drop_unsaved(entry)
        try:
            return replace(opened, server=self._known.keep(entry, hint=opened.engine))
        except ConfigurationError as error:
            self._unsaved.append(entry)
            return replace(opened, problem=str(error))

    def _drop_unsaved(self, entry: KnownServer) -> None:
        self._unsaved = [
            each
            for each in self._unsaved
            if not (entry.name and each.name == entry.name)
            and not same_server(each.url, entry.url)
        ]


def _at_url(entry: KnownServer, url: str) -> KnownServer:
    """Return a known server; one to be detected anew if `url` names another version."""
    asked, known = read_address(url), read_address(entry.url)
    same = entry.dialect == "openai" and asked.places[0] == known.places[0]
    if url == asked.root or same:
        return entry
    return replace(entry, url=url, dialect="")
