"""JSON schemas for answers: made from what a user has, and checked against."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.rendering.schema_shape import shaped, shown
from h2o_magic.rendering.tables import shorten
from h2o_magic.rendering.type_schema import schema_of_type

_MOST_PROBLEMS = 10
_LONGEST_REASON = 180


def as_schema(source: object) -> dict[str, Any]:
    """Return a JSON schema from a user's object.

    Parameters
    ----------
    source
        A JSON schema as a mapping, a pydantic model class, a dataclass, a TypedDict,
        or a type made of them (``list[Row]``).

    Raises
    ------
    ConfigurationError
        If it is anything else, or is plainly no schema; `problems` finds the rest.
    MissingExtraError
        If jsonschema is not installed.
    """
    # Looked for, not imported: that takes two seconds, and the question can go before.
    if importlib.util.find_spec("jsonschema") is None:
        raise _missing()
    if isinstance(source, Mapping):
        return shaped(_plain(source))
    make = getattr(source, "model_json_schema", None)
    if isinstance(source, type) and callable(make):
        return _of_model(source, make)
    return _plain(schema_of_type(source))


def load(path: str | Path) -> dict[str, Any]:
    """Return the JSON object in a file; a ConfigurationError if it is none."""
    try:
        file = Path(os.path.expanduser(path))
        document = json.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise ConfigurationError(
                f"{path} is neither a variable nor a file: expected a type, a JSON "
                "schema or the path of a file with one"
            ) from error
        reason = error.strerror or error
        raise ConfigurationError(
            f"cannot read the schema {path}: {reason}; give a file with a JSON schema"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"expected JSON in the schema file {path}: {error}"
        ) from error
    if not isinstance(document, dict):
        raise ConfigurationError(
            f"expected a JSON object in the schema file {path}, got {shown(document)}"
        )
    return document


def get_ready() -> None:
    """Import jsonschema beside what goes on: two seconds, which :func:`problems` saves.

    While it is imported, whatever else runs waits for some milliseconds now and then.
    """
    threading.Thread(target=_jsonschema, daemon=True).start()


class Checker:
    """Checks JSON values against one schema; for several threads.

    A ConfigurationError if the schema itself is not valid.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        kind = _validator(schema)
        self._referencing = importlib.import_module("referencing")
        # An empty registry: nothing that a schema refers to is ever fetched.
        self._validator = kind(
            schema,
            format_checker=kind.FORMAT_CHECKER,
            registry=self._referencing.Registry(),
        )

    def problems(self, value: object) -> list[str]:
        """Return where a value does not fit: one line each, 10 at most."""
        try:
            found = sorted(self._validator.iter_errors(value), key=_order)
        except self._referencing.exceptions.Unresolvable as error:
            raise ConfigurationError(
                f"the schema refers to something outside it: {error}"
            ) from error
        except RecursionError as error:
            raise ConfigurationError("the schema refers to itself endlessly") from error
        lines = [line for error in found for line in _lines(error)]
        return list(dict.fromkeys(lines))[:_MOST_PROBLEMS]


def problems(value: object, schema: Mapping[str, Any]) -> list[str]:
    """Return where a JSON value does not fit `schema`: one line each, 10 at most.

    A ConfigurationError if the schema itself is not valid.
    """
    return Checker(schema).problems(value)


def _missing() -> MissingExtraError:
    return MissingExtraError("an answer with a schema", "json")


def _jsonschema() -> ModuleType:
    try:
        return importlib.import_module("jsonschema")
    except ImportError as error:
        raise _missing() from error


def _validator(schema: Mapping[str, Any]) -> Any:
    """Return jsonschema's class for `schema`, which it finds valid."""
    library = _jsonschema()
    kind = library.validators.validator_for(
        schema, default=library.Draft202012Validator
    )
    try:
        kind.check_schema(schema)
    except library.exceptions.SchemaError as error:
        place = _place(error, whole="the schema")
        raise ConfigurationError(
            f"expected a valid JSON schema: {place}: {_reason(error)}"
        ) from error
    return kind


def _plain(source: Mapping[Any, Any]) -> dict[str, Any]:
    try:
        copy = json.loads(json.dumps(dict(source), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"expected a JSON schema of JSON values: {error}"
        ) from error
    return dict(copy)


def _of_model(model: type, make: Any) -> dict[str, Any]:
    try:
        return dict(make())
    except Exception as error:  # whatever the model's own code raises
        first = str(error).splitlines()[:1] or [repr(error)]
        raise ConfigurationError(
            f"{model.__name__} has no JSON schema: {first[0]}"
        ) from error


def _order(error: Any) -> list[tuple[bool, int, str]]:
    steps = error.absolute_path
    return [(isinstance(s, str), s if isinstance(s, int) else 0, str(s)) for s in steps]


def _lines(error: Any) -> Iterator[str]:
    if error.validator in ("anyOf", "oneOf") and error.context:
        yield from _branches(error)
    else:
        yield f"{_place(error)}: {_reason(error)}"


def _branches(error: Any) -> Iterator[str]:
    """Yield the problems of the branch that fits best: those that lie deepest."""
    here = len(error.absolute_path)
    kinds = [e for e in error.context if e.validator == "type"]
    at_once = [e for e in kinds if len(e.absolute_path) == here]
    if len(at_once) == len(error.context):
        wanted = " or ".join(dict.fromkeys(_types(e.validator_value) for e in at_once))
        yield f"{_place(error)}: {_got(wanted, error)}"
        return
    outside = {e.schema_path[0] for e in at_once}
    branches: dict[Any, list[Any]] = {}
    for inner in error.context:
        if inner.schema_path[0] not in outside:
            branches.setdefault(inner.schema_path[0], []).append(inner)
    if not branches:
        yield f"{_place(error)}: {_reason(error)}"
        return
    # A wrong constant says that another branch was meant.
    nearest = min(
        branches.values(),
        key=lambda errors: (any(e.validator == "const" for e in errors), len(errors)),
    )
    for inner in nearest:
        yield from _lines(inner)


def _place(error: Any, whole: str = "the answer") -> str:
    """Return where an error is: ``rows[2].age``."""
    path: str = error.json_path.removeprefix("$").removeprefix(".")
    return path or whole


def _reason(error: Any) -> str:
    reason = _REASONS.get(error.validator)
    if reason is None:
        return shorten(error.message, _LONGEST_REASON)
    return reason(error.validator_value, error)


def _misses(names: list[str], error: Any) -> str:
    missing = [name for name in names if name not in error.instance]
    # jsonschema reports each by itself; its message begins with the name.
    own = [name for name in missing if error.message.startswith(repr(name))]
    return f"missing {', '.join(map(repr, own or missing))}"


def _got(wanted: str, error: Any) -> str:
    return f"expected {wanted}, got {shown(error.instance)}"


#: The text for a broken rule, from its value in the schema and jsonschema's error.
_REASONS: Mapping[str, Callable[[Any, Any], str]] = {
    "type": lambda rule, e: _got(_types(rule), e),
    "enum": lambda rule, e: _got(f"one of {', '.join(map(shown, rule))}", e),
    "const": lambda rule, e: _got(shown(rule), e),
    "required": _misses,
    "format": lambda rule, e: _got(f"the format {rule!r}", e),
    "pattern": lambda rule, e: _got(f"text matching {rule!r}", e),
    "minItems": lambda rule, e: f"expected {rule} items or more, got {len(e.instance)}",
    "maxItems": lambda rule, e: f"expected {rule} items at most, got {len(e.instance)}",
    "minimum": lambda rule, e: _got(f"at least {rule}", e),
    "maximum": lambda rule, e: _got(f"at most {rule}", e),
}


def _types(rule: object) -> str:
    return " or ".join(map(str, rule)) if isinstance(rule, list) else str(rule)
