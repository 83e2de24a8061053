"""``%h2o status``: what runs, where, and with which settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from h2o_magic.backends import registry
from h2o_magic.backends.local import locate
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.models import title_of
from h2o_magic.config.parameter import Parameter, Value
from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.config.replay import ReplayChoice
from h2o_magic.config.settings import Settings
from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import Both, fill, show_table
from h2o_magic.ipython.commands.usage import Arguments
from h2o_magic.rendering.tables import Verbatim, shorten

if TYPE_CHECKING:
    from h2o_magic.backends.base import ModelInfo
    from h2o_magic.conversation.session import Session

#: What None means, and what an empty text does.
_NONE = {
    "max_turns": "as many as fit",
    "budget": "1,000 tokens, fewer for small models",
    "vision": "what the server says",
}
_EMPTY = {"system": "none", "notebook": "the notebook's own file"}


def status(context: CommandContext, _: Arguments) -> None:
    """Show server, model, settings and storage."""
    session = context.session
    info = session.current_model()
    counts, path = session.counts(), session.record.path
    turns = counted(sum(counts.values()), "turn")
    rows = [
        *_server_rows(session),
        _model_row(session, info),
        *_setting_rows(session.settings, info),
        [
            "conversation",
            f"{turns}, {counts.get('complete', 0):,} of them complete",
            "`%h2o history`",
        ],
        ["saved in", "memory only" if path is None else Verbatim(path), ""],
        *_replay_rows(session),
    ]
    show_table(context, ["", "value", "from"], rows, below=list(_notes(session)))


def _server_rows(session: Session) -> list[list[str]]:
    server = str(session.settings["server"])
    origin = session.settings.origin("server")
    if server:
        try:
            known = session.servers.find(server)
        except ConfigurationError as error:
            return [["server", Verbatim(error), origin]]
        named = f"{known.name}, {known.url}" if known.name else known.url
        dialect = registry.label(known.dialect) or "detected by the first question"
        return [
            ["server", Verbatim(named), origin],
            ["dialect", Verbatim(dialect), ""],
            ["key", Verbatim(known.key), ""],
        ]
    state = locate.find_running()
    log = ["server log", Verbatim(locate.log_file()), ""]
    if state is None and not locate.is_installed():
        return [["server", str(MissingExtraError("the local server", "local")), origin]]
    if state is None:
        return [["server", "local, not running: a question starts it", origin], log]
    where = f"local, `{state.endpoint.url}`, process {state.pid}"
    return [
        ["server", f"{where}, up {state.uptime / 60:.0f} min", origin],
        ["busy", f"{state.busy_slots} of {state.slots} slots", ""],
        ["in memory", Verbatim(", ".join(state.loaded) or "no model yet"), ""],
        log,
    ]


def _model_row(session: Session, info: ModelInfo | None) -> list[str]:
    name = str(session.settings["model"])
    chosen = session.aliases.model(name)
    shown = chosen if chosen == name else f"{name} → {chosen}"
    if info is not None and info.answered_by:
        shown += f", not installed: {title_of(info.answered_by)} answers"
    elif info is not None and info.weights:
        shown += f", {info.weights}"
    return ["model", Verbatim(shown), session.settings.origin("model")]


def _setting_rows(settings: Settings, info: ModelInfo | None) -> Iterator[list[str]]:
    """Yield a row for each other setting.

    A generation parameter that is not set has the model's own value, where that is
    known, and is left out otherwise: nothing is sent of it.
    """
    for name, setting in SETTINGS.items():
        if name in ("server", "model"):
            continue
        value, origin = settings[name], settings.origin(name)
        recommended = info.recommended_system if info is not None else None
        if name == "system" and recommended and not settings.is_set(name):
            text, by = recommended
            yield [name, shorten(str(text)), Verbatim(by)]
        elif name not in CHAT_PARAMETERS or value is not None:
            yield [name, _value(setting, value), origin]
        elif info is not None and name in info.sampling:
            own, by = info.sampling[name]
            yield [name, _value(setting, own), Verbatim(by)]


def _replay_rows(session: Session) -> Iterator[list[str]]:
    choice = ReplayChoice.of(str(session.settings["replay"]))
    replays = session.connection.replays
    counts, used = str(replays.counts), choice.mode != "off"
    if used or counts:
        yield ["stored answers", counts or "none used so far", ""]
    if used:
        yield ["stored in", Verbatim(replays.folder(choice)), ""]


def _value(setting: Parameter, value: Value | None) -> str:
    if value is None:
        return _NONE.get(setting.name, "the server decides")
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return shorten(", ".join(map(repr, value)))
    if isinstance(value, Mapping):
        return Verbatim(shorten(setting.write(value)))
    if isinstance(value, str):
        return shorten(value) if value else _EMPTY.get(setting.name, "none")
    shown = f"{value:,} {setting.unit}" if setting.unit else str(value)
    reported = setting.name == "context"
    return f"{shown}, unless the server reports it" if reported else shown


def _notes(session: Session) -> Iterator[Both]:
    """Yield what a table has no room for: problems, and how to change settings."""
    if trouble := session.record.trouble:
        yield fill("The conversation is in memory only: {why}", why=trouble)
    elif session.record.path is None:
        yield fill(
            "The conversation is in memory only: `%config H2OMagics.notebook = 'NAME'` "
            "saves it under a name."
        )
    for text in (*session.settings.problems, *session.settings.unknown):
        yield fill("From the environment: {text}", text=text)
    yield fill(
        "`%config H2OMagics.model = 'falcon-7b'` changes a setting for this notebook, "
        "`H2O_MAGIC_MODEL` in the environment for all notebooks."
    )
