"""``%h2o fix``: explains the last error and offers the corrected cell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython import failures
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import say
from h2o_magic.ipython.commands.usage import Given
from h2o_magic.ipython.failed_cell import Failure
from h2o_magic.ipython.interrupts import AnswerStopped
from h2o_magic.ipython.next_cell import code_for_cell, offer, where
from h2o_magic.ipython.options import AskOptions, parse_ask

if TYPE_CHECKING:
    from h2o_magic.conversation.answer import Answer

_ASKED = (
    "A cell of my Jupyter notebook failed. Explain in a few sentences what went wrong, "
    "and why. Then write the whole corrected cell in one fenced block that begins with "
    "```python. Change no more than is needed."
)
#: Values that are described, and characters of each: they help, the error counts.
_VALUES = 12
_CHARACTERS = 1_500
#: Shortest text of a secret variable that is taken out wherever it stands.
_SHORTEST = 6

_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")

_NO_ERROR = (
    "There is no error to explain: run the cell that fails, then `%h2o fix` again."
)


def fix(context: CommandContext, given: Given) -> None:
    """Explain the last error, and offer the corrected cell below."""
    options, extra = parse_ask(given.rest)
    if options.help:
        say(context, "`%h2o fix [options]`: options are those of `%h2o ask`.")
        return
    _refuse(options, extra)
    shell = context.shell
    failure = None if shell is None else failures.of(shell).last
    if shell is None or failure is None:
        say(context, _NO_ERROR)
        return
    question = question_about(failure, shell.user_ns)
    said = f"{failure.error}: {failure.message}".rstrip(": ")
    say(context, "About `{cell}`: `{error}`", cell=failure.cell, error=said)
    settings = {**options.settings, "format": "markdown"}
    answer = _ask(context, replace(options, settings=settings, raw=True), question)
    if answer is not None:
        _offer(context, answer, failure)


def question_about(failure: Failure, namespace: dict[str, Any]) -> str:
    """Return what is asked about a failure."""
    source = _hide(failure.source, namespace)
    traceback = _hide(failure.traceback, namespace)
    parts = [
        _ASKED,
        f"The cell{'' if failure.whole else ', without its middle'}:",
        _fenced(source, "python"),
        "The error:",
        _fenced(traceback, "text"),
    ]
    values = list(_values(failure, namespace))
    if values:
        parts += ["Variables that the cell names, as they are now:", *values]
    return "\n\n".join(parts)


def _refuse(options: AskOptions, extra: str) -> None:
    if extra:
        raise ConfigurationError(
            f"%h2o fix: expected options, got {extra!r}: it asks about the last error "
            "(to ask something else: `%h2o ask QUESTION`)"
        )
    given = "--as" if "format" in options.settings else "--schema"
    if "format" in options.settings or options.schema is not None:
        raise ConfigurationError(
            "%h2o fix: its answer is text with the corrected cell in it: leave out "
            f"`{given}`"
        )


def _ask(context: CommandContext, options: AskOptions, question: str) -> Answer | None:
    """Ask, in the conversation, so that one can ask on; say if it was stopped."""
    try:
        return context.ask(options, question)
    except AnswerStopped as stopped:
        raise AnswerStopped(f"{stopped} No corrected cell is offered.") from None


def _offer(context: CommandContext, answer: Answer, failure: Failure) -> None:
    """Put the answer's code into a new cell, or say why not."""
    found = code_for_cell(answer)
    why_not = found.why_not
    code = found.blocks[0].code.strip("\n") if found.blocks else ""
    if code and code.strip() == failure.source.strip():
        why_not = "the answer's is the one that failed"
    if why_not:
        say(context, f"No corrected cell is offered: {why_not}.")
        return
    offer(context.shell, code)
    say(context, f"The corrected cell is {where(context.shell)}; it has not been run.")


def _values(failure: Failure, namespace: dict[str, Any]) -> Iterator[str]:
    """Yield a part of the question for each variable that the cell names."""
    names = [name for name in failure.names if name in namespace]
    for name in names[:_VALUES]:
        try:
            text = _as_prompt(namespace[name], name)
        except ConfigurationError:
            yield f"`{name}`: left out, it may hold a secret or cannot be shown."
        else:
            kind = type(namespace[name]).__name__
            yield f"`{name}` ({kind}):\n\n{_fenced(_hide(text, namespace), 'text')}"
    if len(names) > _VALUES:
        yield f"And {len(names) - _VALUES} more, left out."


def _as_prompt(value: object, name: str) -> str:
    from h2o_magic.prompts.limits import Limits  # noqa: PLC0415
    from h2o_magic.prompts.values import as_prompt  # noqa: PLC0415

    limits = Limits(
        rows=8, columns=20, cell=80, items=20, text=200, characters=_CHARACTERS
    )
    return as_prompt(value, name, limits=limits, environment=os.environ)


def _hide(text: str, namespace: dict[str, Any]) -> str:
    """Return a text with ``***`` in the place of its secrets.

    Those are the values of variables whose names say they are secret, and what looks
    like a secret itself.
    """
    from h2o_magic.prompts.secrets.names import (  # noqa: PLC0415
        holds_secret,
        secrecy,
    )
    from h2o_magic.prompts.secrets.scan import (  # noqa: PLC0415
        masked,
        of_environment,
    )

    for name, value in tuple(namespace.items()):
        secret = isinstance(value, str) and len(value) >= _SHORTEST
        if secret and secrecy(name) != "no" and holds_secret(name, value):
            text = text.replace(value, "***")
    text = masked(text, of_environment(os.environ))
    return _HALF_A_CHARACTER.sub("\ufffd", text)  # which cannot be sent


def _fenced(text: str, language: str) -> str:
    """Return a text as a code block that nothing in it can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.strip(chr(10))}\n{fence}"
