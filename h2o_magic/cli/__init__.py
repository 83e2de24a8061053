"""The command ``h2o-magic``: ask, serve, pull, models, rm, replay.

Each imports its own module, since the server is an extra.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.units import parse_size
from h2o_magic.errors import H2OMagicError, MissingExtraError
from h2o_magic.rendering.streams import write

__all__ = ["main"]

_IDLE = SETTINGS["server_idle_minutes"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, None for the process's own, and return the exit status.

    It is 0, 2 after an error (of ``ask``: 1), 130 after an interrupt, and 1 if what was
    to be printed could not be, or ``replay verify`` has found a problem.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if words[:1] == ["ask"]:  # its options are those of cells
            status: int = import_module("h2o_magic.cli.ask").ask(words[1:])
            return status
        options = _parser().parse_args(words)
        module, _, function = options.command.partition(":")
        command = getattr(import_module(f"h2o_magic.cli.{module}"), function)
        return command(options) or 0
    except ImportError as error:
        if (error.name or "").startswith("h2o_magic"):
            raise
        return _fail(MissingExtraError("the local server", "local"))
    except H2OMagicError as error:
        return _fail(error)
    except KeyboardInterrupt as stopped:
        write(" ".join(map(str, stopped.args)) + "\n", sys.stderr)
        return 130


def _fail(error: Exception) -> int:
    write(f"{error}\n", sys.stderr)
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
    pull.set_defaults(command="models:pull")
    models = commands.add_parser("models", help="list the models and their weights")
    models.set_defaults(command="models:models")
    remove = commands.add_parser("rm", help="remove a model's downloaded weights")
    remove.add_argument("name", help="as for pull")
    remove.set_defaults(command="models:rm")
    _add_replay(commands)
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
    serve.set_defaults(command="serve:run")


def _add_replay(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    replay = commands.add_parser("replay", help="look after a folder of stored answers")
    actions = replay.add_subparsers(required=True, metavar="ACTION")
    ls = _replay_action(actions, "ls", "list the answers, the newest first")
    ls.add_argument(
        "--last",
        type=_count,
        default=100,
        metavar="N",
        help="only the newest N, 0: all (default 100)",
    )
    show = _replay_action(actions, "show", "show what was asked, and the answer")
    show.add_argument(
        "key", metavar="KEY", help="the first digits of its key, or its file"
    )
    prune = _replay_action(actions, "prune", "remove answers that no cell uses")
    prune.add_argument(
        "notebooks",
        nargs="+",
        type=Path,
        metavar="NOTEBOOK",
        help="a notebook that was run and saved, whose answers stay",
    )
    add = prune.add_argument
    add("--dry-run", action="store_true", help="only show what would be removed")
    add("--all", action="store_true", help="also those that no %%%%h2o cell asked")
    _replay_action(actions, "verify", "read all files, and say what is wrong")


def _replay_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=text, description=f"{text.capitalize()}.")
    action.add_argument(
        "folder", type=Path, metavar="FOLDER", help="a folder of stored answers"
    )
    action.set_defaults(command=f"replay:{name}")
    return action


def _count(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a number, 0 or above, got {text!r}")


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except H2OMagicError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
