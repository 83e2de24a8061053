"""From words and options to a question, checked and with all it is asked under."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from h2o_magic import model_choice
from h2o_magic.errors import ConfigurationError, MessagesError
from h2o_magic.expecting import expect
from h2o_magic.parameters import CHAT_PARAMETERS, checked, set_before
from h2o_magic.question import Question
from h2o_magic.settings import Settings
from h2o_magic.turns import Turn

__all__ = ["Posing"]

#: The settings that a question takes along as they are.
_OF_A_QUESTION = (
    "model",
    "system",
    "thread",
    "strict",
    "max_turns",
    "context",
    "send_partial",
    "format",
    "reasoning",
)


class Posing:
    """Makes questions under the settings in force.

    Parameters
    ----------
    settings
        The settings in force.
    model
        Returns the model that a name stands for.
    """

    def __init__(self, settings: Settings, model: Callable[[str], str]) -> None:
        self._settings = settings
        self._model = model

    def question(
        self,
        text: str,
        options: Mapping[str, object],
        *,
        history: bool = True,
        begins: bool = False,
        schema: object = None,
    ) -> Question:
        """Return a question of no cell, checked.

        The parameters are those of `NotebookSession.ask`, which says `new` for
        `begins`.

        Raises
        ------
        ConfigurationError
            If an option is unknown or refused.
        MessagesError
            If the text is empty.
        """
        grammar = _as_schema(schema)
        text = _not_empty(text)
        if begins and not history:
            raise ConfigurationError(
                "expected `new` or `history=False`, got both: a question outside the "
                "conversation cannot begin one"
            )
        question = self._under(text, options)
        return replace(question, history=history, begins=begins, schema=grammar)

    def again(self, turn: Turn, thread: str, options: Mapping[str, object]) -> Question:
        """Return the question of a turn of `thread` once more, for the turn's place.

        `options` are those that are to differ from what it was asked under.
        """
        question = self._under(
            _not_empty(turn.question),
            {**_asked_under(turn), **options, "thread": thread},
        )
        if not turn.system and "system" not in options:
            question = replace(question, system_chosen=False)
        return replace(question, cell=turn.cell, replaces=turn.id, begins=turn.begins)

    def _under(self, text: str, options: Mapping[str, object]) -> Question:
        """Return a question under `options`."""
        settings = self._settings.merged(options)
        # One of the two for this question takes the place of the other for all.
        if options.get("temperature") == 0 and "do_sample" not in options:
            settings["do_sample"] = None
        if options.get("do_sample") is True and "temperature" not in options:
            settings["temperature"] = settings["temperature"] or None
        settings["model"] = self._model(str(settings["model"]))
        return Question(
            text=text,
            parameters=checked({name: settings[name] for name in CHAT_PARAMETERS}),
            model_chosen="model" in options or model_choice.is_chosen(self._settings),
            system_chosen="system" in options or self._settings.chosen("system"),
            **{name: cast(Any, settings[name]) for name in _OF_A_QUESTION},
        )


def _not_empty(text: str) -> str:
    """Return a question's text without white space around it."""
    expect("a question", text, str)
    if not text.strip():
        raise MessagesError("expected a question, got an empty one: write one")
    return text.strip()


def _as_schema(source: object) -> dict[str, Any] | None:
    if source is None:
        return None
    from h2o_magic.schemas import as_schema  # noqa: PLC0415

    return as_schema(source)


def _asked_under(turn: Turn) -> dict[str, object]:
    """Return the settings that a turn was asked under, as far as they are known."""
    options: dict[str, object] = {"system": turn.system}
    if turn.model:
        options["model"] = turn.model
    sent = turn.facts.get("parameters")
    if isinstance(sent, Mapping):
        options |= {**dict.fromkeys(CHAT_PARAMETERS), **set_before(sent)}
    return options
