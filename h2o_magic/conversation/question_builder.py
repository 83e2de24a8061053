"""From words and options to a question, checked and with all it is asked under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from h2o_magic.chat.turns import Turn
from h2o_magic.config.parameters import CHAT_PARAMETERS, checked, explicit_parameters
from h2o_magic.config.replay import ReplayChoice
from h2o_magic.config.settings import Settings
from h2o_magic.conversation import model_choice
from h2o_magic.conversation.connection import Connection
from h2o_magic.conversation.question import Question, asked_with
from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.prompt import Appended, Attached, Prompt

#: The settings that a question takes as they are.
_COPIED = (
    "system",
    "thread",
    "strict",
    "max_turns",
    "context",
    "budget",
    "vision",
    "send_partial",
    "format",
    "reasoning",
    "replay_speed",
)


class QuestionBuilder:
    """Makes questions under the settings in force."""

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self._settings = settings
        self._connection = connection

    def question(
        self,
        text: str | Prompt,
        options: Mapping[str, object],
        *,
        attach: Iterable[object] = (),
        history: bool = True,
        begins: bool = False,
        schema: object = None,
        fresh: bool = False,
    ) -> Question:
        """Return a question of no cell, with the arguments of `Session.ask`."""
        prompt = asked_with(text).with_attached(self._attached(attach))
        if begins and not history:
            raise ConfigurationError(
                "expected `new` or `history=False`, got both: a question outside the "
                "conversation cannot begin one"
            )
        grammar: dict[str, Any] | None = None
        if schema is not None:
            from h2o_magic.rendering.schema import as_schema  # noqa: PLC0415

            grammar = as_schema(schema)
        settings = self._settings.merged(options)
        # One of the two for this question takes the place of the other for all.
        if options.get("temperature") == 0 and "do_sample" not in options:
            settings["do_sample"] = None
        if options.get("do_sample") is True and "temperature" not in options:
            settings["temperature"] = settings["temperature"] or None
        return Question(
            prompt=prompt,
            model=self._connection.resolve(str(settings["model"])),
            parameters=checked({name: settings[name] for name in CHAT_PARAMETERS}),
            model_chosen="model" in options or model_choice.is_chosen(self._settings),
            system_chosen="system" in options or self._settings.is_set("system"),
            history=history,
            begins=begins,
            fresh=fresh,
            replay=ReplayChoice.of(str(settings["replay"])),
            schema=grammar,
            schema_type=None if isinstance(schema, Mapping) else schema,
            **{name: cast(Any, settings[name]) for name in _COPIED},
        )

    def _attached(self, items: Iterable[object]) -> list[Attached | Appended]:
        items = [items] if isinstance(items, str | bytes) else list(items)
        if not items:
            return []
        from h2o_magic.prompts.attachments import attachment  # noqa: PLC0415

        keys = self._connection.servers.key_texts()
        return [attachment(item, keys=keys) for item in items]

    def again(self, turn: Turn, thread: str, options: Mapping[str, object]) -> Question:
        """Return a turn's question for its place, with `options` that differ."""
        if "rows" in turn.facts:
            raise ConfigurationError(
                "this turn is a run over a table: run its cell again, which asks only "
                "the rows that have no answer"
            )
        before: dict[str, object] = {"system": turn.system}
        if turn.model:
            before["model"] = turn.model
            if turn.images and "model" not in options:
                before["vision"] = True  # it has seen them
        sent = turn.facts.get("parameters")
        if isinstance(sent, Mapping):
            before |= {**dict.fromkeys(CHAT_PARAMETERS), **explicit_parameters(sent)}
        parts = (turn.sent or turn.question,)
        images = tuple(map(Attached, turn.images))
        prompt = Prompt(
            turn.question,
            parts,
            images=images,
            was_sent=True,
            sent_files=turn.file_names,
        )
        given = {**before, **options, "thread": thread}
        question = self.question(prompt, given, fresh=True)
        if not turn.system and "system" not in options:
            question = replace(question, system_chosen=False)
        return in_place_of(turn, question)


def in_place_of(turn: Turn, question: Question) -> Question:
    """Return a question that takes the place and the cell of a turn."""
    return replace(
        question,
        cell=turn.cell,
        replaces=turn.id,
        begins=question.begins or turn.begins,
    )
