"""A question, checked, with everything that it is asked under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from h2o_magic.config.parameter import Value
from h2o_magic.config.replay import NO_REPLAY, ReplayChoice
from h2o_magic.errors import MessagesError, expect
from h2o_magic.prompts.prompt import Prompt
from h2o_magic.rendering.instructions import TABLE_SCHEMA, instruction

_ANY_JSON: Mapping[str, Any] = {"type": ["object", "array"]}


@dataclass(frozen=True, slots=True)
class Question:
    """A question, checked, with everything that it is asked under.

    Attributes
    ----------
    prompt : Prompt
        What was typed, with the values and images that it names.
    model, system : str
        As they are sent.
    thread : str
        The thread it belongs to.
    cell : str or None
        Key of the asking cell, whose earlier turn it replaces.
    replaces : int
        Id of a turn that it replaces instead, where that has no cell; 0 for none.
    continues : str
        The beginning of the answer, that of a turn which was cut off; empty for none.
    parameters : mapping
        The generation parameters that were set.
    model_chosen : bool
        False if the model was not chosen, so that the server's default is used.
    system_chosen : bool
        True if the system text was set, be it to none.
    strict : bool
        True refuses demo weights, and any other model.
    history : bool
        False asks outside the conversation: nothing of it is sent, nothing is kept.
    begins : bool
        True begins a new conversation.
    max_turns : int or None
        Most earlier turns to send; None for as many as fit.
    context : int
        The model's context in tokens, if the server does not say it.
    budget : int or None
        The most tokens for each value in the prompt; None for the usual number.
    vision : bool or None
        Whether the model takes images; None for what the server says.
    send_partial : bool
        True also sends incomplete answers as context.
    format : str
        The requested format of the answer.
    reasoning : str
        How reasoning is shown.
    schema : mapping or None
        The JSON schema that the answer has to fit.
    schema_type : type or None
        The type that the schema was made of, of which the answer's value is.
    replay : ReplayChoice
        Whether a stored answer is used, and from which folder.
    replay_speed : float
        How fast it is shown: 1 as it first came, 0 at once.
    fresh : bool
        True asks even if an answer is stored, and replaces that.
    shown : bool
        True if a ``%%h2o`` cell asks it, and shows the answer with its facts.
    """

    prompt: Prompt
    model: str
    thread: str
    system: str = ""
    cell: str | None = None
    replaces: int = 0
    continues: str = ""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    model_chosen: bool = True
    system_chosen: bool = True
    strict: bool = False
    history: bool = True
    begins: bool = False
    max_turns: int | None = None
    context: int = 4096
    budget: int | None = None
    vision: bool | None = None
    send_partial: bool = False
    format: str = "markdown"
    reasoning: str = "collapse"
    schema: Mapping[str, Any] | None = None
    schema_type: object = None
    replay: ReplayChoice = NO_REPLAY
    replay_speed: float = 0.0
    fresh: bool = False
    shown: bool = False

    @property
    def expects(self) -> str:
        """The format that the answer is read in: JSON, too, where only a schema is."""
        markdown = self.format == "markdown"
        return "json" if markdown and self.schema is not None else self.format

    @property
    def text(self) -> str:
        """What the user typed."""
        return self.prompt.typed

    @property
    def grammar(self) -> Mapping[str, Any] | None:
        """What a server that can holds the answer to; None for free text."""
        if self.schema:
            return self.schema
        if self.format == "table":
            return TABLE_SCHEMA
        return _ANY_JSON if self.format == "json" else None

    @property
    def told(self) -> str:
        """The system text with what the model is told about the answer's form."""
        form = instruction(self.format, self.schema, self.prompt.names)
        return "\n\n".join(filter(None, (self.system, form)))


def asked_with(question: str | Prompt) -> Prompt:
    """Return a question as a prompt; a MessagesError if nothing was typed."""
    if not isinstance(question, Prompt):
        expect("a question", question, str)
    prompt = question if isinstance(question, Prompt) else Prompt.of(question.strip())
    if not prompt.typed.strip():
        raise MessagesError("expected a question, got an empty one: write one")
    return prompt
