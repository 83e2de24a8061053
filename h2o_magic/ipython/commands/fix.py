"""``%h2o fix``: explains the last error and offers the corrected cell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from h2o_magic.conversation.answer import Answer
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import reply
from h2o_magic.ipython.commands.usage import Arguments
from h2o_magic.ipython.display.result import code_for_cell
from h2o_magic.ipython.failures import Failure, get_failures
from h2o_magic.ipython.interrupts import AnswerStopped
from h2o_magic.ipython.options import AskOptions, parse_ask
from h2o_magic.prompts.prompt import Described, Prompt
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.secrets.known import Known, of_environment, of_servers
from h2o_magic.prompts.secrets.names import secrecy
from h2o_magic.prompts.secrets.scan import masked
from h2o_magic.prompts.secrets.values import holds_secret
from h2o_magic.prompts.texts import LongText
from h2o_magic.prompts.values import describe
from h2o_magic.rendering.tables import shorten

if TYPE_CHECKING:
    from h2o_magic.ipython.side_by_side import Answers

_QUESTION = (
    "A cell of my Jupyter notebook failed. Explain in a few sentences what went wrong, "
    "and why. Then write the whole corrected cell in one fenced block that begins with "
    "```python. Change no more than is needed."
)
#: Values that are described, and tokens of each: they help, the error counts.
_VALUES, _TOKENS = 12, 400
#: Shortest text of a secret variable that is masked wherever it stands.
_SHORTEST = 6

_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")


def fix(context: CommandContext, args: Arguments) -> Answer | Answers | None:
    """Explain the last error, and offer the corrected cell below."""
    options, extra = parse_ask(args.rest, context.option)
    if options.help:
        reply(context, "`%h2o fix [options]`: the options are those of `%h2o ask`.")
        return None
    _check(options, extra)
    shell = context.shell
    failure = None if shell is None else get_failures(shell).last
    if shell is None or failure is None:
        line = "No error to explain: run the failing cell, then `%h2o fix` again."
        reply(context, line)
        return None
    keys = context.session.connection.servers.key_texts()
    prompt = prompt_about(failure, shell.user_ns, keys)
    error = f"{failure.error}: {failure.message}".rstrip(": ")
    reply(context, "About `{cell}`: `{error}`", cell=failure.cell, error=error)
    settings = {**options.settings, "format": "markdown"}
    try:
        # It is a turn of the conversation, so that one can ask on.
        options = replace(options, settings=settings, raw=True)
        answer = context.ask(options, prompt)
    except AnswerStopped as stopped:
        raise AnswerStopped(f"{stopped} No corrected cell is offered.") from None
    if answer is None or isinstance(answer, dict):  # of several models: none counts
        return answer
    blocks, why_not = code_for_cell(answer)
    code = blocks[0].code.strip("\n") if blocks else ""
    if code and code.strip() == failure.source.strip():
        why_not = "it is the same as the failed one"
    if why_not:
        reply(context, f"No corrected cell is offered: {why_not}.")
        return answer
    context.offer(answer, code)
    where = "in the cell below" if hasattr(shell, "kernel") else "below"
    reply(context, f"The corrected cell is {where}; it has not been run.")
    return answer


def prompt_about(
    failure: Failure, namespace: dict[str, Any], keys: Iterable[str] = ()
) -> Prompt:
    """Return the question about a failure; `keys` are those of known servers."""
    known = (*of_servers(keys), *of_environment(os.environ))
    source = _masked(failure.source, namespace, known)
    traceback = _masked(failure.traceback, namespace, known)
    part = "" if failure.complete else ", without its middle"
    parts: list[str | Described] = [
        f"{_QUESTION}\n\nThe cell{part}:\n\n",
        LongText.of(source.lstrip("\n"), language="python"),
        "\n\nThe error:\n\n",
        LongText.of(traceback, language="text"),
    ]
    values = list(_values(failure, namespace, known))
    if values:
        parts += ["\n\nVariables that the cell names, as they are now:", *values]
    error = _masked(f"{failure.error}: {failure.message}", namespace, known)
    typed = f"What went wrong in my cell, and how is it corrected? {shorten(error)}"
    return Prompt(typed, tuple(parts))


def _check(options: AskOptions, extra: str) -> None:
    if extra:
        raise ConfigurationError(
            f"%h2o fix: expected options, got {extra!r}: it asks about the last error "
            "(to ask something else: `%h2o ask QUESTION`)"
        )
    given = "--as" if "format" in options.settings else "--schema"
    if "format" in options.settings or options.schema is not None:
        raise ConfigurationError(
            f"%h2o fix: `{given}` is not supported, because the answer is text with "
            "the corrected cell in it: leave it out"
        )


def _values(
    failure: Failure, namespace: dict[str, Any], known: Iterable[Known]
) -> Iterator[str | Described]:
    """Yield the parts of the question for each variable that the cell names."""
    names = [name for name in failure.names if name in namespace]
    for name in names[:_VALUES]:
        value = namespace[name]
        try:
            guard = Guard(name, os.environ, {})
            text = describe(value, name, guard=guard).text(_TOKENS)
        except ConfigurationError:
            yield f"\n\n`{name}`: left out, it may hold a secret or cannot be shown."
        else:
            yield f"\n\n`{name}` ({type(value).__name__}):\n\n"
            yield LongText.of(_masked(text, namespace, known), language="text")
    if len(names) > _VALUES:
        yield f"\n\nAnd {len(names) - _VALUES} more, left out."


def _masked(text: str, namespace: dict[str, Any], known: Iterable[Known]) -> str:
    """Return a text with ``***`` in place of its secrets.

    Those are the known ones, the values of variables whose names say they are secret,
    and what looks like a secret itself.
    """
    for name, value in tuple(namespace.items()):
        secret = isinstance(value, str) and len(value) >= _SHORTEST
        if secret and secrecy(name) != "no" and holds_secret(name, value):
            text = text.replace(value, "***")
    text = masked(text, known)
    return _HALF_A_CHARACTER.sub("\ufffd", text)  # which cannot be sent
