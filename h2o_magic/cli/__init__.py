"""The command ``h2o-magic``: ask, serve, pull, models, rm.

The server is imported only by the commands that need it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.errors import H2OMagicError, MissingExtraError

__all__ = ["main"]

_IDLE = SETTINGS["server_idle_minutes"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, None for the process's own, and return the exit status.

    It is 0, 2 after an error (of ``ask``: 1), and 130 after an interrupt.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["ask"]:  # its options are those of cells
        from h2o_magic.cli.ask import ask  # noqa: PLC0415 - only here

        return ask(words[1:])
    options = _parser().parse_args(words)
    try:
        options.command(options)
    except ImportError as error:
        if (error.name or "").startswith("h2o_magic"):
            raise
        return _fail(MissingExtraError("the local server", "local"))
    except H2OMagicError as error:
        return _fail(error)
    except KeyboardInterrupt as stopped:
        print(*stopped.args, file=sys.stderr)  # noqa: T201
        return 130
    return 0


def _fail(error: Exception) -> int:
    print(error, file=sys.stderr)  # noqa: T201
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="h2o-magic",
        description="Ask a language model, and manage local models and their server.",
    )
    version = importlib.metadata.version("h2o-magic")
    parser.add_argument("--version", action="version", version=f"h2o-magic {version}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("ask", help="ask a question, with the options of %%%%h2o cells")
    _add_serve(commands)
    pull = commands.add_parser("pull", help="download a model's weights")
    pull.add_argument(
        "name", help="smollm2-135m, llama-13b, ..., or owner/repository[:file.gguf]"
    )
    pull.set_defaults(command=_pull)
    models = commands.add_parser("models", help="list the models and their weights")
    models.set_defaults(command=_models)
    remove = commands.add_parser("rm", help="remove a model's downloaded weights")
    remove.add_argument("name", help="as for pull")
    remove.set_defaults(command=_remove)
    return parser


def _add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    serve = commands.add_parser("serve", help="run a server; notebooks start their own")
    add = serve.add_argument
    add("--host", default="127.0.0.1", help="name or address to listen on")
    add("--port", type=int, default=0, help="port; 0 for any free one")
    add("--slots", type=int, default=4, help="answers generated at once (default 4)")
    add("--queue", type=int, default=64, help="answers that may wait (default 64)")
    add(
        "--idle-minutes",
        type=float,
        help=f"stop after this long without a request, 0: never (default "
        f"{_IDLE.default:g}, or {_IDLE.variable}; with a token file 0)",
    )
    add(
        "--grace",
        type=float,
        help="seconds for running answers to finish after a signal (default 0; with a "
        "token file 30)",
    )
    add("--models", help="offer only these models: NAME[,NAME...]")
    add(
        "--token-file",
        type=Path,
        help="share the server with users who have this file's token; it must be "
        "readable by you only",
    )
    add(
        "--memory",
        type=_size,
        help="memory for all models together, weights and contexts: 8GB, 7.5GiB, 500MB "
        "(default: three quarters of this machine's)",
    )
    add("--runtime-file", type=Path, help="where to write address and token")
    add("--log-file", type=Path, help="where to write the log (default: stderr)")
    serve.set_defaults(command=_serve)


def _serve(options: argparse.Namespace) -> None:
    from h2o_magic.config.paths import runtime_file  # noqa: PLC0415 - only here
    from h2o_magic.server.run_settings import Settings  # noqa: PLC0415 - the extra
    from h2o_magic.server.serve import serve  # noqa: PLC0415 - the extra

    shared = options.token_file is not None
    idle, grace, models = options.idle_minutes, options.grace, options.models
    if idle is None:
        text = os.environ.get(_IDLE.variable)
        value = _IDLE.parse(text) if text else _IDLE.default
        idle = 0.0 if shared else value
    serve(
        Settings(
            host=options.host,
            port=options.port,
            slots=options.slots,
            queue=options.queue,
            idle_minutes=idle,
            memory=options.memory,
            grace=(30.0 if shared else 0.0) if grace is None else grace,
            models=None if models is None else tuple(map(str.strip, models.split(","))),
            token_file=options.token_file,
            runtime_file=options.runtime_file or (None if shared else runtime_file()),
            log_file=options.log_file,
        )
    )


def _size(text: str) -> int:
    from h2o_magic.config.units import parse_size  # noqa: PLC0415 - only here

    try:
        return parse_size(text)
    except H2OMagicError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _pull(options: argparse.Namespace) -> None:
    from h2o_magic.ipython.display.download import TerminalPull  # noqa: PLC0415 - only here
    from h2o_magic.weights.pull import pull  # noqa: PLC0415 - the extra

    view = TerminalPull(options.name, sys.stderr, "h2o-magic pull")
    try:
        print(pull(_absolute(options.name), view.update).path)  # noqa: T201
    except KeyboardInterrupt:
        raise KeyboardInterrupt(view.stopped()) from None


def _absolute(name: str) -> str:
    """Return the absolute path of an existing file; any other name unchanged."""
    file = Path(name)
    return str(file.resolve()) if file.is_file() else name


def _models(_options: argparse.Namespace) -> None:
    from h2o_magic.config.models import title_of  # noqa: PLC0415 - only here
    from h2o_magic.config.units import size_in_words  # noqa: PLC0415 - only here
    from h2o_magic.rendering import tables  # noqa: PLC0415 - only here
    from h2o_magic.weights.listing import list_models  # noqa: PLC0415 - the extra

    rows = []
    for model in list_models(()):
        size = "?" if model["size"] is None else size_in_words(model["size"])
        row = [
            tables.Verbatim(model["weights"]),
            size,
            tables.Verbatim(model["license"]),
        ]
        if model["answered_by"]:
            row = [f"{title_of(model['answered_by'])} stands in", "", ""]
        rows.append([tables.Verbatim(model["name"]), *row])
    print(tables.as_text(["model", "answers from", "size", "licence"], rows))  # noqa: T201


def _remove(options: argparse.Namespace) -> None:
    from h2o_magic.backends.local import locate  # noqa: PLC0415 - only here
    from h2o_magic.config.units import size_in_words  # noqa: PLC0415 - only here
    from h2o_magic.weights.remove import remove  # noqa: PLC0415 - the extra

    notes: list[str] = []
    freed = remove(_absolute(options.name), locate.unload_models, notes.append)
    words = "; ".join([f"removed, {size_in_words(freed)} freed", *notes])
    print(f"{options.name}: {words}")  # noqa: T201
