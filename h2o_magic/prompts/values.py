"""Values of the notebook as text that a model can read.

No package is imported for them: a table is recognized by its type's name, and read by
its own methods.
"""

from __future__ import annotations

import re

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.kinds import Job, described
from h2o_magic.prompts.limits import error_text
from h2o_magic.prompts.prompt import Described
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.tables.kinds import is_table

# The last name in ``config.keys['api_key'][0]``.
_LAST_NAME = re.compile(r"([^\W\d]\w*|(?<=\[')[^']*(?=')|(?<=\[\")[^\"]*(?=\"))")
#: More tokens than any text has.
_ALL = 10**9


def describe(
    value: object,
    expression: str,
    *,
    spec: str = "",
    question: str = "",
    guard: Guard | None = None,
) -> Described:
    """Return a value as it is now, to be written as text of any length.

    Parameters
    ----------
    value
        What is described.
    expression
        What named it in the prompt, for the errors: ``df.columns``.
    spec
        What is wanted of it: ``""`` for a description, ``"50"`` for so many of its
        rows, items or lines; of a table also ``"rows"`` and ``"schema"``.
    question
        What is asked: columns of a table that it names come first.
    guard
        Refuses secrets; without one, those that look like secrets by themselves.

    Raises
    ------
    ConfigurationError
        If it has no text that says what is in it, or a secret, or no such `spec`.
    """
    guard = guard or Guard(expression, {}, {})
    try:
        guard.name(_last_name(expression), value)
        if isinstance(value, str):
            guard.text(value)
        found = described(value, Job(expression, spec, question, guard))
        if not is_table(value):  # which has been checked as far as it is shown
            guard.text(found.text(_ALL))
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"`{{{expression}}}` cannot be written as text: "
            f"{type(value).__name__} raised {error_text(error)}"
        ) from error
    return found


def _last_name(expression: str) -> str:
    names = _LAST_NAME.findall(expression)
    return names[-1] if names else ""
