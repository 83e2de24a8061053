"""``%h2o status``: what runs, where, and with which settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from h2o_magic.amounts import counted
from h2o_magic.backends.dialects import DIALECTS
from h2o_magic.errors import BackendError, ConfigurationError
from h2o_magic.listing import cut
from h2o_magic.parameters import PARAMETERS, Value
from h2o_magic.settings import SETTINGS, Setting, Settings
from h2o_magic.subcommands.showing import filled, show_table
from h2o_magic.subcommands.usage import Given
from h2o_magic.tables import Verbatim

if TYPE_CHECKING:
    from h2o_magic.magics import H2OMagics
    from h2o_magic.notebook import NotebookSession

__all__ = ["status"]

_UNSENT = "not sent to this server"
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


def status(magics: H2OMagics, _: Given) -> None:
    """Show what runs, where, and with which settings."""
    session = magics.session
    rows = [
        *_server_rows(session),
        ["model", _model_and_weights(session), session.settings.origin("model")],
        *_setting_rows(session.settings, _unsent(session)),
        *_conversation_rows(session),
    ]
    show_table(magics, ["", "value", "from"], rows, list(_notes(session)))


def _server_rows(session: NotebookSession) -> list[list[str]]:
    server = str(session.settings["server"])
    origin = session.settings.origin("server")
    if server:
        return _other_server_rows(session, server, origin)
    from h2o_magic import embedded  # noqa: PLC0415

    state = embedded.running()
    log = ["server's log", f"`{embedded.log_file()}`", ""]
    if state is None and not embedded.installed():
        missing = 'not installed: `pip install "h2o-magic[local]"`'
        return [["server", missing, origin]]
    if state is None:
        return [["server", "local, not running: a question starts it", origin], log]
    where = f"local, `{state.endpoint.url}`, process {state.pid}"
    return [
        ["server", f"{where}, up {state.uptime / 60:.0f} min", origin],
        ["answering", f"{state.busy_slots} of {state.slots} answers at once", ""],
        ["in memory", ", ".join(state.loaded) or "no model yet", ""],
        log,
    ]


def _other_server_rows(
    session: NotebookSession, server: str, origin: str
) -> list[list[str]]:
    try:
        known = session.servers.find(server)
    except ConfigurationError as error:
        return [["server", Verbatim(error), origin]]
    named = f"{known.name}, {known.url}" if known.name else known.url
    dialect = DIALECTS.get(known.dialect, "found out by the first question")
    return [
        ["server", Verbatim(named), origin],
        ["dialect", dialect, ""],
        ["key", Verbatim(known.key), ""],
    ]


def _model_and_weights(session: NotebookSession) -> str:
    """Return the model, and what answers for it if a server runs that can tell."""
    from h2o_magic import embedded  # noqa: PLC0415

    named = str(session.settings["model"])
    chosen = session.aliases.model(named)
    shown = chosen if chosen == named else f"{named} → {chosen}"
    if session.settings["server"] or embedded.running() is not None:
        with suppress(BackendError, ConfigurationError):
            for model in session.models():
                if model.name == chosen and model.weights:
                    return Verbatim(f"{shown}, answers from {model.weights}")
    return Verbatim(shown)


def _unsent(session: NotebookSession) -> frozenset[str]:
    """Return the parameters that the server does not get where nobody chose them."""
    server = str(session.settings["server"])
    if not server:
        return frozenset()
    try:
        dialect = session.servers.find(server).dialect
    except ConfigurationError:
        return frozenset()
    from h2o_magic.backends.openai.parameters import WITHOUT_DEFAULT  # noqa: PLC0415

    # A chat-ui takes no parameter at all.
    unsent = {"openai": WITHOUT_DEFAULT, "chat-ui": frozenset(PARAMETERS)}
    names = unsent.get(dialect, frozenset())
    return frozenset(name for name in names if not session.settings.chosen(name))


def _setting_rows(settings: Settings, unsent: frozenset[str]) -> list[list[str]]:
    """Return a row for each setting that has none yet.

    A generation parameter that nobody has set and that has no default is left out.
    """
    return [
        [
            name,
            _UNSENT if name in unsent else _value(setting, settings[name]),
            settings.origin(name),
        ]
        for name, setting in SETTINGS.items()
        if name not in ("server", "model")
        and (
            name not in PARAMETERS
            or settings[name] is not None
            or settings.chosen(name)
        )
    ]


def _value(setting: Setting, value: Value | None) -> str:
    if value is None:
        return _NONE.get(setting.name, "the server decides")
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return cut(", ".join(map(repr, value)))
    if isinstance(value, str):
        return cut(value) if value else _EMPTY.get(setting.name, "none")
    shown = f"{value:,} {setting.unit}" if setting.unit else str(value)
    return shown + _ONLY.get(setting.name, "")


def _conversation_rows(session: NotebookSession) -> list[list[str]]:
    counts, path = session.counts(), session.record.path
    turns = counted(sum(counts.values()), "turn")
    size = f"{turns}, {counts.get('complete', 0):,} of them whole"
    return [
        ["conversation", size, "`%h2o history`"],
        ["kept in", "in memory only" if path is None else Verbatim(path), ""],
    ]


def _notes(session: NotebookSession) -> Iterator[tuple[str, str]]:
    """Yield what a table has no room for: what is amiss, and how to change things."""
    trouble = session.record.trouble
    if trouble:
        yield filled("The conversation is in memory only: {why}", why=trouble)
    elif session.record.path is None:
        yield filled(_KEEP)
    for text in (*session.settings.problems, *session.settings.unknown):
        yield filled("From the environment: {text}", text=text)
    yield filled(_CHANGE)
