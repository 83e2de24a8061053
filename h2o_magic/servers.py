"""The servers that can answer: found by name or address, and connected to.

What is needed for that is put together here: the known servers, their keys, and the
dialects that were found out. A server is looked at only when it is used.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from h2o_magic import places
from h2o_magic.backends import Backend, ModelInfo
from h2o_magic.backends import connect as backends
from h2o_magic.backends.dialects import DIALECTS
from h2o_magic.endpoint import Endpoint, check_base_url
from h2o_magic.errors import ConfigurationError, ProtocolError, StatusError
from h2o_magic.keys import NO_KEY, Keys, KeySource
from h2o_magic.known_servers import (
    KnownServer,
    KnownServers,
    same_server,
    unknown_name,
)
from h2o_magic.model_lists import ModelLists

if TYPE_CHECKING:
    from h2o_magic.backends.detect import Found
    from h2o_magic.scanning import Answering

__all__ = ["Reached", "Servers"]

_REFUSED = (401, 403)
#: A host and a port, without what goes before them.
_ADDRESS = re.compile(r"[\w.-]+:\d+(/.*)?")


@dataclass(frozen=True, slots=True)
class Reached:
    """A server that was reached.

    Attributes
    ----------
    server : KnownServer
        What is known of it now.
    backend : Backend
        The way to it.
    models : tuple of ModelInfo or None
        What it offers; None if it does not say.
    what : str
        What it was found to be, in words; of a known one, its dialect.
    how : str
        The answer that it was known by; empty if it was not asked what it is.
    problem : str
        Why it is not kept for other notebooks; empty if it is.
    """

    server: KnownServer
    backend: Backend
    models: tuple[ModelInfo, ...] | None
    what: str
    how: str = ""
    problem: str = ""


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
        make: Callable[[str, str, str | None], Backend] = backends.connect,
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
            KnownServers(places.servers_file(), say),
            lists=ModelLists(places.model_lists_file(), say),
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
            Its name or address; empty for the local one, which is started by need.

        Raises
        ------
        ConfigurationError
            If there is none of the name, or its key is missing.
        BackendError
            If its dialect must be found out and cannot.
        """
        if not server:
            return backends.local()
        entry = self.find(server)
        token = self.keys.read(entry.key, entry.url)
        if not entry.dialect:
            entry, _ = self._looked_at(entry, token)
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
            An address, or the name of a known server.
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
        entry = self.find(server if "/" not in server else check_base_url(server))
        entry = replace(
            entry,
            name=name or entry.name,
            dialect={"": entry.dialect, "auto": ""}.get(dialect, dialect),
            key=entry.key if key is None else key,
        )
        self._known.refuse_taken(entry)
        if entry.key.kind == "prompt" and (key or not self.keys.holds(entry.url)):
            self.keys.ask(entry.url)
        try:
            forced = dialect not in ("", "auto")
            return self._kept(*self._reached(entry, forced=forced))
        except StatusError as error:
            if error.status in _REFUSED:
                self.keys.drop(entry.url)
            raise

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

    def scan(self) -> tuple[Answering, ...]:
        """Ask this machine, on the ports that servers usually have, what answers.

        No other machine is asked, and nothing is kept.
        """
        from h2o_magic.scanning import scan  # noqa: PLC0415

        return scan()

    def _reached(
        self, entry: KnownServer, *, forced: bool = False
    ) -> tuple[Reached, str]:
        """Reach a server; return it, and a name for it if it has none.

        A dialect that is `forced` must not be another than it is found to speak. If a
        known one gives no list of models, another server may have taken its address:
        it is found out anew.
        """
        token = self.keys.read(entry.key, entry.url)
        what, how, engine = DIALECTS.get(entry.dialect, ""), "", ""
        listed = sure = forced
        if not entry.dialect:
            entry, found = self._looked_at(entry, token)
            what, how, engine, sure = found.kind, found.how, found.engine, True
        elif forced:
            listed = _agreed(entry, token)
        backend = self._make(entry.dialect, entry.url, token)
        try:
            models = _models_of(backend, entry)
        except BaseException:
            backend.close()
            raise
        if forced and not listed and entry.dialect == "gpt-gm":
            models = None  # those are the known ones, which the server never named
        if models is not None:
            self.lists.keep(entry.url, models)
        elif not sure:
            with suppress(ProtocolError):  # then it is what it was, without a list
                other = self._reached(replace(entry, dialect=""))
                backend.close()
                return other
        return Reached(entry, backend, models, what, how), engine

    def _looked_at(
        self, entry: KnownServer, token: str | None
    ) -> tuple[KnownServer, Found]:
        """Find out a server's dialect."""
        from h2o_magic.backends.detect import detect  # noqa: PLC0415

        found = detect(Endpoint(entry.url, token))
        if found.refused:
            raise _refusal(found.kind, entry, 401)
        return replace(entry, dialect=found.dialect), found

    def _kept(self, reached: Reached, hint: str) -> Reached:
        """Keep a server; one that cannot be is known in this kernel."""
        entry = reached.server
        self._here = [e for e in self._here if not same_server(e.url, entry.url)]
        try:
            return replace(reached, server=self._known.keep(entry, hint=hint))
        except ConfigurationError as error:
            self._here.append(entry)
            return replace(reached, problem=str(error))


def _agreed(entry: KnownServer, token: str | None) -> bool:
    """Return whether a server was found to speak what it is said to speak.

    Raises
    ------
    ConfigurationError
        If it was found to speak something else.
    """
    from h2o_magic.backends.detect import detect  # noqa: PLC0415

    try:
        found = detect(Endpoint(entry.url, token))
    except ProtocolError:
        return False  # it may be one that shows no list
    # A server of this package speaks two, and has them at one address.
    both = found.engine == "h2o_magic" and entry.dialect in ("gpt-gm", "openai")
    if found.dialect != entry.dialect and not both:
        raise ConfigurationError(
            f"expected a server that speaks {entry.dialect} at {entry.url}, found "
            f"{found} ({found.how}): leave `--dialect` out, or name {found.dialect}"
        )
    return True


def _models_of(backend: Backend, entry: KnownServer) -> tuple[ModelInfo, ...] | None:
    """Return a server's models; None if it has no list of them."""
    try:
        return tuple(backend.models())
    except ProtocolError:
        return None
    except StatusError as error:
        if error.status in _REFUSED:
            raise _refusal(DIALECTS[entry.dialect], entry, error.status) from None
        if error.status in (404, 405, 501):
            return None
        raise


def _refusal(what: str, entry: KnownServer, status: int) -> StatusError:
    """Return the error for a server that does not take the key, or wants one."""
    if entry.key == NO_KEY:
        said = "wants a key: name the variable that it is in, as in"
    else:
        said = f"refuses the key ({entry.key}): check it, or name another, as in"
    return StatusError(
        f"{what} at {entry.url} {said} `%h2o connect {entry.url} --key-env VAR`",
        status=status,
    )
