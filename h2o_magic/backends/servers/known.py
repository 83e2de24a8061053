"""The servers that this user has connected to, by name. No key is kept with them."""

from __future__ import annotations

import ipaddress
import itertools
import re
import warnings
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from h2o_magic.backends.openai import address
from h2o_magic.backends.servers.credentials import NO_KEY, KeySource
from h2o_magic.config.definitions import LOCAL, SERVER_NAME
from h2o_magic.config.json_file import PrivateFile
from h2o_magic.config.url import check_base_url, is_this_machine
from h2o_magic.errors import ConfigurationError, did_you_mean

#: Names that an error lists.
_MAX_NAMES = 5


@dataclass(frozen=True, slots=True)
class KnownServer:
    """A server by its address; an unknown name or dialect is empty."""

    name: str
    url: str
    dialect: str = ""
    key: KeySource = NO_KEY

    def __post_init__(self) -> None:
        if self.name and (
            not re.fullmatch(SERVER_NAME, self.name) or self.name == LOCAL
        ):
            raise ConfigurationError(
                "expected a server name of 1 to 40 letters, digits, '_' and '-' that "
                f"starts with a letter or digit and is not {LOCAL!r}, "
                f"got {self.name!r:.60}"
            )
        object.__setattr__(self, "url", check_base_url(self.url))


class KnownServers:
    """The servers that are known by name, in a file or, without one, in memory."""

    def __init__(
        self, path: Path | None = None, say: Callable[[str], None] = warnings.warn
    ) -> None:
        self._file = PrivateFile(
            path, what="known servers", load=_load, dump=_dump, say=say
        )

    def all(self) -> tuple[KnownServer, ...]:
        return tuple(self._file.read().values())

    def find(self, server: str) -> KnownServer | None:
        known = self._file.read()
        at = (entry for entry in known.values() if same_server(entry.url, server))
        return known.get(server) or next(at, None)

    def keep(self, server: KnownServer, *, hint: str = "") -> KnownServer:
        """Keep a server in place of what was known of its address; return it named."""
        kept: list[KnownServer] = []

        def put(known: dict[str, KnownServer]) -> dict[str, KnownServer]:
            others = {
                name: entry
                for name, entry in known.items()
                if not same_server(entry.url, server.url)
            }
            name = server.name or _free_name(server, hint, others)
            named = replace(server, name=name)
            _refuse_taken(named, known)
            kept.append(named)
            # It stays in its place, if it keeps its name.
            stay = {n: e for n, e in known.items() if n in others or n == named.name}
            return {**stay, named.name: named}

        self._file.change(put)
        return kept[-1]

    def refuse_taken(self, server: KnownServer) -> None:
        _refuse_taken(server, self._file.read())

    def forget(self, name: str) -> KnownServer:
        removed: list[KnownServer] = []

        def drop(known: dict[str, KnownServer]) -> dict[str, KnownServer]:
            if name not in known:
                raise unknown_name(name, known)
            removed.append(known.pop(name))
            return known

        self._file.change(drop)
        return removed[-1]


def is_address(server: str) -> bool:
    """Return whether a server is named by its address: no name has such signs."""
    return re.search(r"[/:.]", server) is not None


def same_server(one: str, other: str) -> bool:
    """Return whether two addresses, or names, are the same server's."""
    try:
        return address.same_server(one, other)
    except ConfigurationError:
        return one == other  # a name


def unknown_name(name: str, known: Iterable[str]) -> ConfigurationError:
    return ConfigurationError(
        f"unknown server {name!r}: "
        f"{did_you_mean(name, [*known, LOCAL], most=_MAX_NAMES)} "
        "(`%h2o connect` lists them, `%h2o connect http://HOST:PORT` adds one)"
    )


def _refuse_taken(server: KnownServer, known: Mapping[str, KnownServer]) -> None:
    other = known.get(server.name)
    if other is not None and not same_server(other.url, server.url):
        raise ConfigurationError(
            f"the name {other.name} is taken by {other.url}: choose another, or remove "
            f"that server with `%h2o connect {other.name} --forget`"
        )


def suggested_name(url: str, hint: str) -> str:
    """Return a name for a server: after its host, or `hint` on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        ipaddress.ip_address(host)
        words = f"server-{host}"
    except ValueError:
        words = host.partition(".")[0]
    words = hint if is_this_machine(host) else words
    name = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:30].rstrip("-")
    return name if name not in ("", LOCAL) else "server"


def _free_name(server: KnownServer, hint: str, taken: Container[str]) -> str:
    name = suggested_name(server.url, hint or server.dialect)
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(n for n in itertools.chain([name], numbered) if n not in taken)


def _load(name: str, value: Any) -> KnownServer:
    kind: Any
    ((kind, where),) = value.get("key", {"none": ""}).items()
    dialect: object = value["dialect"]
    if not name or not dialect or not isinstance(dialect, str):
        raise ValueError("it has no name, or no dialect")
    return KnownServer(name, value["url"], dialect, KeySource(kind, where))


def _dump(server: KnownServer) -> dict[str, Any]:
    kept: dict[str, Any] = {"url": server.url, "dialect": server.dialect}
    if server.key.kind != "none":
        kept["key"] = {server.key.kind: server.key.name}
    return kept
