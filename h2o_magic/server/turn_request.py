"""The body of ``POST /conversation/{id}``, checked as the gpt-gm service checked it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from h2o_magic.errors import ConfigurationError
from h2o_magic.server.answer_schema import check_schema
from h2o_magic.server.sampling import WrongTypeError

__all__ = ["SchemaError", "TurnRequest", "parse_turn"]


class SchemaError(ConfigurationError):
    """A request's body is not what the service takes; it answers 500 to such."""


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """What a client asks for.

    Attributes
    ----------
    inputs : str
        The question, trimmed.
    message_id, response_id : str or None
        Ids under which question and answer are to be stored.
    retried : str or None
        Id of the stored question that this one replaces, with all that came after it.
    stream : bool
        Send events as they come; else one JSON answer.
    details : bool
        Say in the last event how the answer came about.
    strict : bool
        Refuse to answer from demo weights.
    parameters : dict
        Generation parameters, unchecked.
    json_schema : dict or None
        JSON schema that the answer is to have. Ours: the old service had none.
    """

    inputs: str
    message_id: str | None
    response_id: str | None
    retried: str | None
    stream: bool
    details: bool
    strict: bool
    parameters: Mapping[str, Any]
    json_schema: Mapping[str, Any] | None = None


def parse_turn(body: object) -> TurnRequest:
    """Check a request's body.

    Raises
    ------
    SchemaError
        Where the old service answered 500.
    WrongTypeError
        Where its engine answered 422 and plain text.
    ValidationError
        If the JSON schema cannot be one.
    """
    if not isinstance(body, dict):
        raise SchemaError("expected a JSON object as the body")
    options = body.get("options")
    if not isinstance(options, dict):
        raise SchemaError("expected an object `options`")
    message_id = _uuid(options, "id")
    parameters = body.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise WrongTypeError(
            "Failed to deserialize the JSON body into the target type: "
            "parameters: invalid type, expected struct GenerateParameters"
        )
    _refuse_web_search(options)
    return TurnRequest(
        inputs=_inputs(body),
        message_id=message_id,
        response_id=_uuid(options, "response_id"),
        retried=message_id if _flag(options, "is_retry") else None,
        stream=body.get("stream") is True,
        details=parameters.get("details") is True,
        strict=options.get("strict") is True,
        parameters=parameters,
        json_schema=check_schema(options.get("json_schema")),
    )


def _inputs(body: Mapping[str, Any]) -> str:
    inputs = body.get("inputs")
    if not isinstance(inputs, str) or not inputs.strip():
        raise SchemaError("expected `inputs` to be a text that is not blank")
    return inputs.strip()


def _uuid(options: Mapping[str, Any], key: str) -> str | None:
    if key not in options:
        return None
    try:
        return str(UUID(options[key]))
    except (ValueError, AttributeError, TypeError) as error:
        raise SchemaError(f"expected `options.{key}` to be a UUID") from error


def _flag(options: Mapping[str, Any], key: str) -> bool:
    value = options.get(key, False)
    if not isinstance(value, bool):
        raise SchemaError(f"expected `options.{key}` to be true or false")
    return value


def _refuse_web_search(options: Mapping[str, Any]) -> None:
    # No search is ever stored here, so every id is an unknown one.
    if options.get("web_search_id", "") != "":
        raise SchemaError("expected no `options.web_search_id`: there is no web search")
