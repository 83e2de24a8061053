"""``%h2o connect``: which server answers."""

from __future__ import annotations

from h2o_magic.backends import registry
from h2o_magic.backends.servers.known import KnownServer, same_server
from h2o_magic.config.definitions import LOCAL
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import filled, say, say_all, show_table
from h2o_magic.ipython.commands.usage import Given
from h2o_magic.rendering.tables import Verbatim

_OPTIONS = ("--name", "--dialect", "--key-env", "--key-ring", "--key-prompt")


def connect(context: CommandContext, given: Given) -> None:
    """Go to a server, forget one, look for some, or list the known ones."""
    server = given.text("SERVER")
    for switch in ("--forget", "--scan"):
        others = [option for option in _OPTIONS if option in given]
        if switch in given and others:
            raise ConfigurationError(
                f"%h2o connect: {switch} takes nothing more: leave out {others[0]}"
            )
    if "--scan" in given:
        _refuse_server(server)
        _scan(context)
    elif server is None:
        _refuse_options(given)
        _list(context)
    elif "--forget" in given:
        _forget(context, server)
    else:
        _go(context, server, given)


def _go(context: CommandContext, server: str, given: Given) -> None:
    connected = context.session.connect(
        server,
        name=given.text("--name") or "",
        dialect=given.text("--dialect") or "",
        key_env=given.text("--key-env") or "",
        key_ring=given.text("--key-ring") or "",
        key_prompt="--key-prompt" in given,
    )
    say_all(
        context, [filled("{line}", line=line) for line in str(connected).split("\n")]
    )


def _forget(context: CommandContext, server: str) -> None:
    before = context.session.settings["server"]
    gone = context.session.forget_server(server)
    now = context.session.settings["server"]
    left = "" if now == before else " The local server answers from now on."
    say(context, "Forgotten: {name} ({url})." + left, name=gone.name, url=gone.url)


def _refuse_server(server: str | None) -> None:
    if server is not None:
        raise ConfigurationError(
            "%h2o connect: --scan looks on this machine only: leave out the server"
        )


def _refuse_options(given: Given) -> None:
    if given.texts:
        raise ConfigurationError(
            f"%h2o connect: expected SERVER with {next(iter(given.texts))}, got "
            "nothing: an address or a known server's name"
        )


def _list(context: CommandContext) -> None:
    current = str(context.session.settings["server"])
    known = list(context.session.servers.known())
    rows = [
        [
            f"{LOCAL} ✓" if not current else LOCAL,
            "this machine, started when needed",
            registry.label("gpt-gm"),
            "its own",
        ]
    ]
    rows += [_row(server, current) for server in known]
    if current and not any("✓" in row[0] for row in rows):
        rows.append(_row_of_unknown(context, current))
    note = filled("`%h2o connect http://HOST:PORT` goes to another, and keeps it.")
    show_table(context, ["server", "address", "dialect", "key"], rows, [note])


def _row_of_unknown(context: CommandContext, current: str) -> list[str]:
    """Return the row of a current server that is not kept, or is no longer."""
    try:
        return _row(context.session.servers.find(current), current)
    except ConfigurationError:
        return [Verbatim(f"{current} ✓"), "not known any more", "?", "?"]


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
        filled("No supported server at {url} ({why}).", url=port.url, why=port.why)
        for port in ports
        if port.found is None
    ]
    if rows:
        show_table(context, ["address", "what answers", "to go there"], rows, others)
    else:
        none = filled("No server answers on the usual ports of this machine.")
        say_all(context, [none, *others])
