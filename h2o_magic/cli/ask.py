"""``h2o-magic ask``: one question, whose answer is streamed to the terminal.

The answer goes to the standard output, all else to the standard error, so that a pipe
or a file gets the answer alone.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from h2o_magic.chat.events import Notice, ReasoningDelta, Replaced, TextDelta
from h2o_magic.conversation.answer import Answer
from h2o_magic.conversation.preview import preview_plain
from h2o_magic.errors import ConfigurationError, H2OMagicError
from h2o_magic.ipython import sessions
from h2o_magic.ipython.display.result import render
from h2o_magic.ipython.options import AskOptions, help_text, parse_words
from h2o_magic.rendering import tables
from h2o_magic.rendering.footer import footer
from h2o_magic.rendering.schema import load

#: Options of a cell that mean nothing without a notebook, by what they are kept as.
_OF_A_NOTEBOOK = {
    "out": "--out",
    "quiet": "--quiet",
    "raw": "--raw",
    "new": "--new",
}
_SETTINGS_OF_A_NOTEBOOK = ("thread", "max_turns", "context", "send_partial")
_NOT_HERE = (*_OF_A_NOTEBOOK, *_SETTINGS_OF_A_NOTEBOOK, "history")
_USAGE = (
    "h2o-magic ask [options] QUESTION\n       ... | h2o-magic ask [options] [QUESTION]"
)
#: Formats whose answer can only be shown when it is whole.
_AT_THE_END = ("code", "json", "table")


def ask(words: Sequence[str]) -> int:
    """Ask what `words` say, and return the exit status.

    Parameters
    ----------
    words
        Options as in a ``%%h2o`` cell, and the question. Text that is piped in stands
        below the question, or is it.

    Returns
    -------
    int
        0; 1 where no answer came, or not a whole one; 130 where it was interrupted.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # no text is lost for one character
            stream.reconfigure(errors="replace")
    try:
        return _ask(words)
    except H2OMagicError as error:
        if _interrupted(error):  # and then its end has failed, too
            return _stopped()
        said = str(error).replace("%%h2o", "h2o-magic ask")
        _say(said.replace("`%h2o pull", "`h2o-magic pull"))
        return 1
    except KeyboardInterrupt:
        return _stopped()
    except BrokenPipeError:  # `| head` has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _ask(words: Sequence[str]) -> int:
    words, text = _divided(words)
    options, rest = parse_words(words)
    if options.help:
        _write(help_text(_USAGE, without=_NOT_HERE))
        return 0
    _refuse(options)
    session = sessions.session()
    for problem in (*session.settings.problems, *session.settings.unknown):
        _say(problem)
    schema = None if options.schema is None else load(options.schema)
    question = _question([*rest, *text])
    asked = {**options.settings, "history": False, "schema": schema}
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


def _divided(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the words before ``--``, and those after it, which are text."""
    if "--" not in words:
        return words, ()
    place = list(words).index("--")
    return words[:place], words[place + 1 :]


def _refuse(options: AskOptions) -> None:
    given = [name for key, name in _OF_A_NOTEBOOK.items() if getattr(options, key)]
    settings = [name for name in _SETTINGS_OF_A_NOTEBOOK if name in options.settings]
    given += [f"--{name.replace('_', '-')}" for name in settings]
    if given:
        raise ConfigurationError(
            f"h2o-magic ask: {given[0]} belongs to a notebook: leave it out"
        )


def _question(words: Sequence[str]) -> str:
    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
    question = "\n\n".join(filter(None, (" ".join(words).strip(), piped.strip())))
    if not question:
        raise ConfigurationError(
            'h2o-magic ask: expected a question: `h2o-magic ask "..."`, or text from a '
            "pipe"
        )
    return question


def _shown(answer: Answer, *, live: bool) -> int:
    """Show an answer as it comes, or at its end; return the exit status."""
    live = live and answer.question.format not in _AT_THE_END
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
    facts = replace(answer.facts, history=True)  # nobody expects a conversation here
    _say(f"[{' · '.join(footer(facts, terminal=True)).replace('`', '')}]")
    if error:
        raise ConfigurationError(error)
    return 0


def _at_the_end(answer: Answer) -> str:
    """Write a whole answer as its format wants it; return what is wrong with it."""
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
    """A line of the terminal that says what is waited for, and is taken back."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, text: str) -> None:
        """Show another text in its place; nothing where a file could not lose it."""
        if not sys.stderr.isatty():
            return
        if self._shown:
            sys.stderr.write("\r" + " " * len(self._shown) + "\r")
        self._shown = tables.one_line(text)
        sys.stderr.write(self._shown)
        sys.stderr.flush()


def _write(text: str) -> None:
    # A terminal would obey what a model writes; a file or a pipe gets it as it is.
    sys.stdout.write(tables.printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stderr.write(f"{tables.printable(text)}\n")
    sys.stderr.flush()
