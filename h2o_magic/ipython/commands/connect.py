"""``%h2o connect``: which server answers."""

from __future__ import annotations

from contextlib import suppress

from h2o_magic.backends import registry
from h2o_magic.backends.servers.known import KnownServer, same_server
from h2o_magic.config.definitions import LOCAL
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import fill, reply, reply_all, show_table
from h2o_magic.ipython.commands.usage import Arguments
from h2o_magic.rendering.tables import Verbatim

_OPTIONS = ("--name", "--dialect", "--key-env", "--key-ring", "--key-prompt")


def connect(context: CommandContext, args: Arguments) -> None:
    """Use another server: its address, its name, or local.

    Without SERVER, list the known ones; --scan searches this machine.
    """
    session, server = context.session, args.get("SERVER")
    _check(args, server)
    if "--scan" in args:
        _scan(context)
    elif server is None:
        _list(context)
    elif "--forget" in args:
        before = session.settings["server"]
        removed = session.forget_server(server)
        line = "Removed {name} ({url})."
        if session.settings["server"] != before:
            line += " Using the local server from now on."
        reply(context, line, name=removed.name, url=removed.url)
    else:
        connected = session.connect(
            server,
            name=args.get("--name") or "",
            dialect=args.get("--dialect") or "",
            key_env=args.get("--key-env") or "",
            key_ring=args.get("--key-ring") or "",
            key_prompt="--key-prompt" in args,
        )
        lines = str(connected).split("\n")
        reply_all(context, [fill("{line}", line=line) for line in lines])


def _check(args: Arguments, server: str | None) -> None:
    others = [option for option in _OPTIONS if option in args]
    for switch in ("--forget", "--scan"):
        if switch in args and others:
            raise ConfigurationError(
                f"%h2o connect: {switch} takes no other options: leave out {others[0]}"
            )
    if "--scan" in args and server is not None:
        raise ConfigurationError(
            "%h2o connect: --scan searches only this machine: leave out the server"
        )
    if server is None and args and "--scan" not in args:
        raise ConfigurationError(
            f"%h2o connect: expected SERVER with {next(iter(args))}, got "
            "nothing: give an address or a known server's name"
        )


def _list(context: CommandContext) -> None:
    servers = context.session.servers
    current = str(context.session.settings["server"])
    local = LOCAL if current else f"{LOCAL} ✓"
    dialect = registry.label("openai")
    rows = [[local, "this machine, started on demand", dialect, "its own"]]
    with suppress(ConfigurationError):  # a name may be another server's here
        current = servers.find(current).url if current else ""
    rows += [_row(server, current) for server in servers.known()]
    if current and not any("✓" in row[0] for row in rows):
        try:  # the current server was not saved, or is no longer
            rows.append(_row(servers.find(current), current))
        except ConfigurationError:
            rows.append([Verbatim(f"{current} ✓"), "removed", "?", "?"])
    note = fill("`%h2o connect http://HOST:PORT` connects to another, and saves it.")
    show_table(context, ["server", "address", "dialect", "key"], rows, below=[note])


def _row(server: KnownServer, current: str) -> list[str]:
    is_current = current == server.name or same_server(server.url, current)
    return [
        Verbatim(f"{server.name} ✓".lstrip() if is_current else server.name),
        Verbatim(server.url),
        Verbatim(registry.label(server.dialect) or "?"),
        Verbatim(server.key),
    ]


def _scan(context: CommandContext) -> None:
    ports = context.session.servers.scan()
    rows = [
        [
            Verbatim(port.url),
            Verbatim(f"{found}, requires a key" if found.refused else found),
            f"`%h2o connect {port.url} --name {port.name}`",
        ]
        for port in ports
        if (found := port.found) is not None
    ]
    others = [
        fill("Open, but not a known server: {url} ({why}).", url=port.url, why=port.why)
        for port in ports
        if port.found is None
    ]
    if rows:
        show_table(context, ["address", "server", "to connect"], rows, below=others)
    else:
        none = fill("No server found on the usual ports of this machine.")
        reply_all(context, [none, *others])
