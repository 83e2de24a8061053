"""``h2o-magic ask``: one question, whose answer is streamed to the terminal.

Only the answer goes to standard output; everything else goes to standard error.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

from h2o_magic.chat.events import Notice, ReasoningDelta, Replaced, TextDelta
from h2o_magic.cli.output import after, put
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.conversation.answer import Answer
from h2o_magic.conversation.preview import preview_plain
from h2o_magic.errors import ConfigurationError, H2OMagicError
from h2o_magic.ipython import sessions
from h2o_magic.ipython.display.result import render
from h2o_magic.ipython.display.status_line import StatusLine
from h2o_magic.ipython.display.terminal import AnswerStream, answer_stream
from h2o_magic.ipython.options import AskOptions, help_text, parse_words
from h2o_magic.rendering import tables
from h2o_magic.rendering.footer import plain_footer
from h2o_magic.rendering.literal import printable
from h2o_magic.rendering.schema import load
from h2o_magic.rendering.streams import is_terminal, write

#: Options and settings of a cell that require a notebook.
_OPTIONS = ("out", "quiet", "raw", "new", "use")
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
    if isinstance(sys.stdin, io.TextIOWrapper):  # one character must not lose the rest
        sys.stdin.reconfigure(errors="replace")
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


def _ask(words: Sequence[str]) -> int:
    options, rest = parse_words(words)
    if options.help:
        return put(help_text(_USAGE, without=(*_OPTIONS, *_SETTINGS, "history")))
    _check_options(options)
    sessions.get_state(None).warn = _say
    session = sessions.session()
    for problem in (*session.settings.problems, *session.settings.unknown):
        _say(problem)
    schema = None if options.schema is None else load(options.schema)
    question = _question(rest)
    asked = {**options.settings, "history": False, "schema": schema}
    asked |= {"attach": options.attach, "fresh": options.fresh}
    if options.preview:
        shown = session.preview(question, cell=None, **asked)  # type: ignore[arg-type]
        return put(f"{preview_plain(shown)}\n")
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
    piped = "" if sys.stdin is None or is_terminal(sys.stdin) else sys.stdin.read()
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
    markdown = answer.question.expects == "markdown"
    with answer_stream(sys.stdout, markdown=markdown) as output:
        try:
            _stream(answer, output, live=live)
        finally:
            if live and answer.text:
                output.end("" if answer.text.endswith("\n") else "\n")
        error = "" if live else _at_the_end(answer, output)
    if output.error:
        return after(output.error)
    facts = replace(answer.facts, history=True)  # so that it is not mentioned
    _say(f"[{plain_footer(facts, terminal=True)}]")
    if error:
        raise ConfigurationError(error)
    return 0


def _stream(answer: Answer, output: AnswerStream, *, live: bool) -> None:
    """Receive an answer, until nobody reads it any longer, as of ``| head``."""
    notice = StatusLine(sys.stderr)
    with ExitStack() as stack:
        stack.callback(notice.erase)
        for event in stack.enter_context(closing(iter(answer))):  # type: ignore[type-var]
            match event:
                case Notice():
                    notice.show(event.words)
                case ReasoningDelta(text) if answer.question.reasoning == "show":
                    notice.erase()
                    write(printable(text), sys.stderr)
                case TextDelta(text) if live:
                    notice.erase()
                    output.write(text)
                case Replaced(text) if live:
                    output.replace(text)
                case _:
                    pass
            if output.error:
                break


def _at_the_end(answer: Answer, output: AnswerStream) -> str:
    """Print an answer in its format; return what is wrong with it."""
    made, format_ = render(answer), answer.question.format
    if made.error or made.value is None or (format_ == "code" and not made.value):
        output.write(answer.text)
        output.end("\n")
        return made.error or ("the answer has no code" if format_ == "code" else "")
    if isinstance(made.value, str) and format_ == "code":
        shown = made.value
    elif isinstance(made.value, tuple) and format_ == "table":
        columns, rows = made.value
        lines = [[tables.Verbatim(cell) for cell in line] for line in (columns, *rows)]
        shown = tables.as_text(lines[0], lines[1:])
    else:
        shown = json.dumps(made.value, ensure_ascii=False, indent=2)
    output.write(f"{shown}\n")
    return ""


def _say(text: str) -> None:
    write(f"{printable(text)}\n", sys.stderr)
