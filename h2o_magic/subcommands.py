"""The subcommands of ``%h2o``: one function each, found by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from h2o_magic import tables
from h2o_magic.arguments import help_rows, help_text
from h2o_magic.catalogue import MODELS, find_model
from h2o_magic.display import show_markdown
from h2o_magic.errors import BackendError, ConfigurationError
from h2o_magic.nearest import did_you_mean

if TYPE_CHECKING:
    from h2o_magic.magics import H2OMagics

_SYNONYMS = {"": "help", "--help": "help", "-h": "help", "--version": "version"}

__all__ = ["SUBCOMMANDS", "Subcommand", "run", "show_help"]


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One subcommand of ``%h2o``.

    Attributes
    ----------
    name, usage : str
        The word that is typed, and what may follow it.
    help : str
        What it does, in a few words.
    run : callable
        Takes the magics and the rest of the line; raises ``H2OMagicError``.
    """

    name: str
    usage: str
    help: str
    run: Callable[[H2OMagics, str], None]


def run(magics: H2OMagics, line: str) -> None:
    """Run the subcommand that `line` begins with; without one, show help.

    Raises
    ------
    ConfigurationError
        If there is no such subcommand.
    """
    name, _, rest = line.strip().partition(" ")
    command = SUBCOMMANDS.get(_SYNONYMS.get(name, name))
    if command is None:
        raise ConfigurationError(
            f"%h2o: unknown subcommand {name!r}: {did_you_mean(name, SUBCOMMANDS)} "
            "(to ask on a line: `%h2o ask QUESTION`)"
        )
    command.run(magics, rest.strip())


def _ask(magics: H2OMagics, rest: str) -> None:
    magics.ask_line(rest)


def _models(magics: H2OMagics, rest: str) -> None:
    _no_arguments("models", rest)
    rows = [
        [
            f"{m.name} ✓" if m.name == magics.model else m.name,
            m.weights or "?",
            _size(m.size),
            "?" if m.context is None else f"{m.context:,} tokens",
            "in memory" if m.loaded else "",
            f"`%h2o pull {m.name}`" if m.demo and find_model(m.name) else "",
        ]
        for m in magics.session.models()
    ]
    head = ["model", "answers from", "size", "context", "", "real weights"]
    _show_table(magics, head, rows)


def _pull(magics: H2OMagics, rest: str) -> None:
    if not rest:
        known = ", ".join(MODELS)
        raise ConfigurationError(f"%h2o pull: expected a model, one of {known}")
    from h2o_magic.server.pull import pull  # noqa: PLC0415

    path = pull(rest)
    done = f"{rest}: {path.name} is here; the next answer comes from it."
    show_markdown(magics.shell, done, done)


def _reset(magics: H2OMagics, rest: str) -> None:
    _no_arguments("reset", rest)
    count = magics.session.reset()
    said = f"Forgot {count} {'turn' if count == 1 else 'turns'}: a new conversation."
    show_markdown(magics.shell, said, said)


def _status(magics: H2OMagics, rest: str) -> None:
    _no_arguments("status", rest)
    turns = magics.session.conversation.turns
    whole = sum(turn.status == "complete" for turn in turns)
    rows = [
        *_server_rows(magics.server),
        ["model", _model_and_weights(magics), _config("model")],
        ["system text", magics.system or "none", _config("system")],
        ["strict", "on" if magics.strict else "off", _config("strict")],
        ["conversation", f"{len(turns)} turns, {whole} of them whole", "`%h2o reset`"],
    ]
    _show_table(magics, ["", f"h2o_magic {_package_version()}", "change it"], rows)


def _model_and_weights(magics: H2OMagics) -> str:
    """Return the model, and what answers for it if a server runs that can tell."""
    from h2o_magic import embedded  # noqa: PLC0415

    if not magics.server and embedded.running() is None:
        return magics.model
    with suppress(BackendError):
        for model in magics.session.models():
            if model.name == magics.model and model.weights:
                return f"{magics.model}, answers from {model.weights}"
    return magics.model


def _config(trait: str) -> str:
    return f"`%config H2OMagics.{trait}`"


def _version(magics: H2OMagics, rest: str) -> None:
    _no_arguments("version", rest)
    show_markdown(magics.shell, *2 * (f"h2o_magic {_package_version()}",))


def _help(magics: H2OMagics, rest: str) -> None:
    _no_arguments("help", rest)
    show_help(magics)


_TABLE = (
    Subcommand("ask", "[options] QUESTION", "ask on a line", _ask),
    Subcommand("models", "", "the models, and which weights would answer", _models),
    Subcommand("status", "", "what runs, where, and with which settings", _status),
    Subcommand("reset", "", "forget the conversation and begin a new one", _reset),
    Subcommand("pull", "MODEL", "download a model's real weights", _pull),
    Subcommand("help", "", "this list, and the options of a question", _help),
    Subcommand("version", "", "the version of this package", _version),
)

#: Every subcommand by name, in the order in which help lists them.
SUBCOMMANDS: Mapping[str, Subcommand] = {c.name: c for c in _TABLE}


def show_help(magics: H2OMagics) -> None:
    """Show the subcommands and the options; nothing is sent."""
    lines = "\n".join(
        f"  %h2o {f'{command.name} {command.usage}':<24} {command.help}"
        for command in SUBCOMMANDS.values()
    )
    text = f"{help_text().rstrip()}\n\nsubcommands:\n{lines}"
    show_markdown(magics.shell, _help_markdown(), text)


def _help_markdown() -> str:
    commands = [["`%%h2o [options]`", "ask what stands on the lines below"]]
    commands += [
        [f"`%h2o {f'{command.name} {command.usage}'.strip()}`", command.help]
        for command in SUBCOMMANDS.values()
    ]
    return (
        f"{tables.as_markdown(['command', 'what it does'], commands)}\n\n"
        f"{tables.as_markdown(['option', 'meaning', 'default'], help_rows())}"
    )


def _no_arguments(name: str, rest: str) -> None:
    if rest:
        raise ConfigurationError(
            f"%h2o {name}: expected nothing after it, got {rest!r}"
        )


def _server_rows(server: str) -> list[list[str]]:
    change = _config("server")
    if server:
        return [["server", server, change]]
    from h2o_magic import embedded, places  # noqa: PLC0415

    state = embedded.running()
    log = ["server's log", f"`{places.log_file()}`", ""]
    if state is None and not embedded.installed():
        missing = 'not installed: `pip install "h2o-magic[local]"`'
        return [["server", missing, change]]
    if state is None:
        return [["server", "local, not running: a question starts it", change], log]
    where = f"local, `{state.endpoint.url}`, process {state.pid}"
    return [
        ["server", f"{where}, up {state.uptime / 60:.0f} min", change],
        ["answering", f"{state.busy_slots} of {state.slots} answers at once", ""],
        ["in memory", ", ".join(state.loaded) or "no model yet", ""],
        log,
    ]


def _package_version() -> str:
    from importlib.metadata import version  # noqa: PLC0415

    return version("h2o-magic")


def _show_table(magics: H2OMagics, head: list[str], rows: list[list[str]]) -> None:
    markdown, plain = tables.as_markdown(head, rows), tables.as_text(head, rows)
    show_markdown(magics.shell, markdown, plain)


def _size(size: int | None) -> str:
    if size is None:
        return "?"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
