"""``h2o-magic ask``: one question, whose answer is streamed to the terminal.

Only the answer goes to standard output; everything else goes to standard error.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from h2o_magic.chat.events import Notice, ReasoningDelta, Replaced, TextDelta
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.conversation.answer import Answer
from h2o_magic.conversation.preview import preview_plain
from h2o_magic.errors import ConfigurationError, H2OMagicError
from h2o_magic.ipython import sessions
from h2o_magic.ipython.display.result import render
from h2o_magic.ipython.options import AskOptions, help_text, parse_words
from h2o_magic.rendering import tables
from h2o_magic.rendering.footer import footer
from h2o_magic.rendering.schema import load

#: Options and settings of a cell that require a notebook.
_OPTIONS = ("out", "quiet", "raw", "new")
_SETTINGS = ("thread", "max_turns", "context", "send_partial", "evaluate")
_USAGE = (
    "h2o-magic ask [options] QUESTION\n       ... | h2o-magic ask [options] [QUESTION]"
)
#: Formats whose answer can only be shown when it is complete.
_NOT_STREAMED = ("code", "json", "table")


def ask(words: Sequence[str]) -> int:
    """Ask a question, and return the exit status.

    Parameters
    ----------
    words
        Options as in a ``%%h2o`` cell, and the question. Text from a pipe is put below
        the question, or is the question.

    Returns
    -------
    int
        0; 1 without a complete answer; 130 after an interrupt.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # one character must not lose the rest
            stream.reconfigure(errors="replace")
    try:
        return _ask(words)
    except H2OMagicError as error:
        if _interrupted(error):  # and stopping failed, too
            return _stopped()
        message = str(error).replace("%%h2o", "h2o-magic ask")
        _say(re.sub("`%h2o (?=pull|models|ask)", "`h2o-magic ", message))
        return 1
    except KeyboardInterrupt:
        return _stopped()
    except BrokenPipeError:  # from `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _ask(words: Sequence[str]) -> int:
    options, rest = parse_words(words)
    if options.help:
        _write(help_text(_USAGE, without=(*_OPTIONS, *_SETTINGS, "history")))
        return 0
    _check_options(options)
    session = sessions.session()
    for problem in (*session.settings.problems, *session.settings.unknown):
        _say(problem)
    schema = None if options.schema is None else load(options.schema)
    question = _question(rest)
    asked = {**options.settings, "history": False, "schema": schema}
    asked["attach"] = options.attach
    if options.preview:
        shown = session.preview(question, cell=None, **asked)  # type: ignore[arg-type]
        _write(f"{preview_plain(shown)}\n")
        return 0
    answer = session.ask(question, cell=None, **asked)  # type: ignore[arg-type]
    return _shown(answer, live=options.live)


def _stopped() -> int:
    _say("\nStopped.")
    return 130


def _interrupted(error: BaseException | None) -> bool:
    """Return whether an error came while an interrupt was being handled."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _check_options(options: AskOptions) -> None:
    given = [name for name in _OPTIONS if getattr(options, name)]
    given += [name for name in _SETTINGS if name in options.settings]
    if given:
        row = SETTINGS.get(given[0])
        option = row.option if row else f"--{given[0]}"
        raise ConfigurationError(
            f"h2o-magic ask: {option} requires a notebook: leave it out"
        )


def _question(words: Sequence[str]) -> str:
    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
    question = "\n\n".join(filter(None, (" ".join(words).strip(), piped.strip())))
    if not question:
        raise ConfigurationError(
            'h2o-magic ask: expected a question: `h2o-magic ask "..."`, or a pipe'
        )
    return question


def _shown(answer: Answer, *, live: bool) -> int:
    """Stream an answer, or print it at its end; return the exit status."""
    live = live and answer.question.format not in _NOT_STREAMED
    live = live and answer.question.schema is None
    notice = _NoticeLine()
    try:
        with closing(iter(answer)) as events:  # type: ignore[type-var]
            for event in events:
                match event:
                    case Notice(text):
                        notice.show(text)
                    case ReasoningDelta(text) if answer.question.reasoning == "show":
                        notice.show("")
                        sys.stderr.write(tables.printable(text))
                    case TextDelta(text) if live:
                        notice.show("")
                        _write(text)
                    case Replaced(text) if live:
                        _write(f"\n{text}")
                    case _:
                        pass
    except (H2OMagicError, KeyboardInterrupt):
        if live and answer.text:
            _write("\n")
        raise
    finally:
        notice.show("")
    error = "" if live else _at_the_end(answer)
    if live and not answer.text.endswith("\n"):
        _write("\n")
    facts = replace(answer.facts, history=True)  # so that it is not mentioned
    _say(f"[{' · '.join(footer(facts, terminal=True)).replace('`', '')}]")
    if error:
        raise ConfigurationError(error)
    return 0


def _at_the_end(answer: Answer) -> str:
    """Print an answer in its format; return what is wrong with it."""
    made, format_ = render(answer), answer.question.format
    if made.error or made.value is None or (format_ == "code" and not made.value):
        _write(f"{answer.text}\n")
        return made.error or ("the answer has no code" if format_ == "code" else "")
    if isinstance(made.value, str) and format_ == "code":
        _write(f"{made.value}\n")
    elif isinstance(made.value, tuple) and format_ == "table":
        columns, rows = made.value
        lines = [[tables.Verbatim(cell) for cell in line] for line in (columns, *rows)]
        _write(f"{tables.as_text(lines[0], lines[1:])}\n")
    else:
        _write(json.dumps(made.value, ensure_ascii=False, indent=2) + "\n")
    return ""


class _NoticeLine:
    """A line of the terminal that shows what is waited for, and is erased."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, text: str) -> None:
        """Replace the text; in a file, which cannot be erased, nothing is shown."""
        if not sys.stderr.isatty():
            return
        if self._shown:
            sys.stderr.write("\r" + " " * len(self._shown) + "\r")
        self._shown = tables.one_line(text)
        sys.stderr.write(self._shown)
        sys.stderr.flush()


def _write(text: str) -> None:
    # A terminal would interpret control characters in an answer.
    sys.stdout.write(tables.printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stderr.write(f"{tables.printable(text)}\n")
    sys.stderr.flush()
