"""Where an answer is kept in the notebook: `--out NAME`, `NAME_answer`, `_`, `Out`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2o_magic.errors import ConfigurationError

if TYPE_CHECKING:
    from h2o_magic.conversation.answer import Answer
    from h2o_magic.ipython.scope import Scope


def check_free(scope: Scope, answer: Answer, name: str) -> None:
    """Refuse a name whose `NAME_answer` is a variable of the user's."""
    beside = _beside(answer, name)
    if beside in scope.variables and not _is_answer(scope.variables[beside]):
        raise ConfigurationError(
            f"%%h2o --out: expected {beside} to be free for the text of the answer, "
            f"got a variable of yours: choose another name than {name!r}"
        )


def keep(
    scope: Scope, answer: Answer, problem: str, name: str | None, quiet: bool
) -> None:
    """Keep an ended answer: as a value, or as its text where that has a `problem`.

    Beside a value, its text is kept as `NAME_answer`.
    """
    text = answer.as_value.text(problem)
    value = text if text.error else answer.value()
    keep_value(scope, value, name, quiet)
    if name is not None and (beside := _beside(answer, name)):
        scope.assign(beside, text)


def keep_value(scope: Scope, value: object, name: str | None, quiet: bool) -> None:
    """Keep a value under a name, if there is one, and in `_` and `Out`."""
    if name is not None:
        scope.assign(name, value)
    if not quiet:
        scope.shell.displayhook.update_user_ns(value)


def _is_answer(value: object) -> bool:
    from h2o_magic.rendering.answer_text import AnswerText  # noqa: PLC0415 - rare

    return isinstance(value, AnswerText)


def _beside(answer: Answer, name: str) -> str:
    return f"{name}_answer" if answer.question.expects in ("json", "table") else ""
