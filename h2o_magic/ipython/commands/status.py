"""``%h2o status``: what runs, where, and with which settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from h2o_magic.backends import registry
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.models import title_of
from h2o_magic.config.parameter import Value
from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.config.setting import Setting
from h2o_magic.config.settings import Settings, origin_in_words
from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import filled, show_table
from h2o_magic.ipython.commands.usage import Given
from h2o_magic.rendering.tables import Verbatim, shorten

if TYPE_CHECKING:
    from h2o_magic.backends.base import ModelInfo
    from h2o_magic.conversation.session import Session

_ONLY = {"context": ", unless the server says it"}  # when a value counts

#: What no value means, and what an empty text does.
_NONE = {"max_turns": "as many as fit"}
_EMPTY = {"system": "none", "notebook": "the notebook's own file"}

_KEEP = (
    "The conversation is in memory only: `%config H2OMagics.notebook = 'NAME'` keeps "
    "it under a name."
)
_CHANGE = (
    "`%config H2OMagics.model = 'falcon-7b'` changes a setting, "
    "`H2O_MAGIC_MODEL` in the environment does so for all notebooks."
)


def status(context: CommandContext, _: Given) -> None:
    """Show what runs, where, and with which settings."""
    session = context.session
    info = session.current_model()
    rows = [
        *_server_rows(session),
        _model_row(session, info),
        *_setting_rows(session.settings, info),
        *_conversation_rows(session),
    ]
    show_table(context, ["", "value", "from"], rows, list(_notes(session)))


def _server_rows(session: Session) -> list[list[str]]:
    server = str(session.settings["server"])
    origin = origin_in_words(session.settings.origin("server"))
    if server:
        return _other_server_rows(session, server, origin)
    from h2o_magic.backends.local import locate  # noqa: PLC0415

    state = locate.running()
    log = ["server's log", f"`{locate.log_file()}`", ""]
    if state is None and not locate.installed():
        return [["server", str(MissingExtraError("the local server", "local")), origin]]
    if state is None:
        return [["server", "local, not running: a question starts it", origin], log]
    where = f"local, `{state.endpoint.url}`, process {state.pid}"
    return [
        ["server", f"{where}, up {state.uptime / 60:.0f} min", origin],
        ["answering", f"{state.busy_slots} of {state.slots} answers at once", ""],
        ["in memory", ", ".join(state.loaded) or "no model yet", ""],
        log,
    ]


def _other_server_rows(session: Session, server: str, origin: str) -> list[list[str]]:
    try:
        known = session.servers.find(server)
    except ConfigurationError as error:
        return [["server", Verbatim(error), origin]]
    named = f"{known.name}, {known.url}" if known.name else known.url
    dialect = registry.label(known.dialect) or "found out by the first question"
    return [
        ["server", Verbatim(named), origin],
        ["dialect", Verbatim(dialect), ""],
        ["key", Verbatim(known.key), ""],
    ]


def _model_row(session: Session, info: ModelInfo | None) -> list[str]:
    """Return the model, what answers for it where that is known, and who chose it."""
    named = str(session.settings["model"])
    chosen = session.aliases.model(named)
    shown = chosen if chosen == named else f"{named} → {chosen}"
    if info is not None and info.answered_by:
        shown += f", not here: {title_of(info.answered_by)} answers"
    elif info is not None and info.weights:
        shown += f", {info.weights}"
    return ["model", Verbatim(shown), origin_in_words(session.settings.origin("model"))]


def _setting_rows(settings: Settings, info: ModelInfo | None) -> Iterator[list[str]]:
    """Yield a row for each setting that has none yet.

    A generation parameter that nobody has set has the model's own value, where that is
    known, and is left out otherwise: nothing is sent of it.
    """
    for name, setting in SETTINGS.items():
        if name in ("server", "model"):
            continue
        value, origin = settings[name], origin_in_words(settings.origin(name))
        recommended = info.recommended_system if info is not None else None
        if name == "system" and recommended and not settings.chosen(name):
            text, by = recommended
            yield [name, shorten(str(text)), by]
        elif name not in CHAT_PARAMETERS or value is not None:
            yield [name, _value(setting, value), origin]
        elif info is not None and name in info.sampling:
            own, by = info.sampling[name]
            yield [name, _value(setting, own), by]


def _value(setting: Setting, value: Value | None) -> str:
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
    return shown + _ONLY.get(setting.name, "")


def _conversation_rows(session: Session) -> list[list[str]]:
    counts, path = session.counts(), session.record.path
    turns = counted(sum(counts.values()), "turn")
    size = f"{turns}, {counts.get('complete', 0):,} of them whole"
    return [
        ["conversation", size, "`%h2o history`"],
        ["kept in", "in memory only" if path is None else Verbatim(path), ""],
    ]


def _notes(session: Session) -> Iterator[tuple[str, str]]:
    """Yield what a table has no room for: what is amiss, and how to change things."""
    trouble = session.record.trouble
    if trouble:
        yield filled("The conversation is in memory only: {why}", why=trouble)
    elif session.record.path is None:
        yield filled(_KEEP)
    for text in (*session.settings.problems, *session.settings.unknown):
        yield filled("From the environment: {text}", text=text)
    yield filled(_CHANGE)
