"""``%h2o pull`` and ``%h2o rm``: the weights on this machine."""

from __future__ import annotations

from h2o_magic.config.models import MODELS
from h2o_magic.config.units import size_in_words
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import say
from h2o_magic.ipython.commands.usage import Given
from h2o_magic.ipython.interrupts import AnswerStopped


def pull(context: CommandContext, given: Given) -> None:
    """Download a model's real weights."""
    from h2o_magic.ipython.display.download import make_pull_view  # noqa: PLC0415

    model = _model(given)
    view = make_pull_view(context.shell, model)
    try:
        context.session.pull(model, view.tell)
    except KeyboardInterrupt:
        raise AnswerStopped(view.stopped()) from None


def remove(context: CommandContext, given: Given) -> None:
    """Remove a model's downloaded weights."""
    model = _model(given)
    stays: list[str] = []
    freed = context.session.remove_weights(model, stays.append)
    words = "; ".join([f"removed, {size_in_words(freed)} freed", *stays])
    say(context, "{model}: {words}.", model=model, words=words)


def _model(given: Given) -> str:
    """Return the rest of the line: a path may have blanks in it."""
    if not given.rest:
        raise ConfigurationError(
            f"%h2o {given.command}: expected a model, one of {', '.join(MODELS)}, "
            "owner/repository or owner/repository:file.gguf"
        )
    return given.rest
