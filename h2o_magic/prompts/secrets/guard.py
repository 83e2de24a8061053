"""Refuses what must not go into a prompt by accident: secrets of the process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.secrets.names import (
    holds_secret,
    looks_random,
    secrecy,
    unmasked,
)
from h2o_magic.prompts.secrets.scan import (
    USUAL_VARIABLES,
    of_environment,
    of_notebook,
    secrets_in,
)

_ENOUGH = 3
_LOOKED_AT = 1000

_SECRET_TYPES = {"SecretStr", "SecretBytes", "Secret"}


class Guard:
    """Checks one value on its way into a prompt."""

    def __init__(
        self,
        expression: str,
        environment: Mapping[str, str],
        variables: Mapping[str, object],
    ) -> None:
        self._expression = expression
        self._environment = environment
        self._known = [*of_environment(environment), *of_notebook(variables)]

    def name(self, name: str, value: object) -> None:
        """Check a value that goes in under its own name."""
        if is_secret_type(value) or (
            secrecy(name) != "no" and holds_secret(name, value)
        ):
            raise ConfigurationError(
                f"`{{{self._expression}}}` looks like a secret and was not put into "
                "the prompt: leave it out, or write it there yourself if you mean to "
                "send it"
            )

    def entry(self, name: object, value: object) -> None:
        """Check a named part of the value."""
        if is_secret_type(value) or (
            secrecy(name) != "no" and holds_secret(name, value)
        ):
            raise self._refusal(f"its {_quoted(name)} looks like a secret")

    def pair(self, first: object, second: object) -> None:
        """Check two values side by side, which may be a name and what it names."""
        telling = isinstance(second, str) and (len(second) >= 8 or not second.isalpha())
        if telling and secrecy(first) == "surely":
            self.entry(first, second)

    def column(self, name: object, values: Iterable[object]) -> None:
        """Check a column of a table."""
        how = secrecy(name)
        if how == "no":
            return
        for value in values:
            sure = how == "surely" or (isinstance(value, str) and looks_random(value))
            if sure and holds_secret(name, value):
                raise self._refusal(f"its column {_quoted(name)} looks like secrets")

    def names(self, names: Iterable[object]) -> None:
        """Check that the names of a value's parts are not those of the environment."""
        given = {name for name in islice(names, _LOOKED_AT) if isinstance(name, str)}
        usual = given & USUAL_VARIABLES
        shared = len(given & self._environment.keys()) if self._environment else 0
        if len(usual) >= _ENOUGH or (shared >= 5 and shared * 2 >= len(given)):
            raise self.environment()

    def environment(self) -> ConfigurationError:
        """Return the error for the variables of the process as a whole."""
        return ConfigurationError(
            f"`{{{self._expression}}}` holds the process's environment, where keys and "
            "passwords stand, and was not put into the prompt: name the variable that "
            f"you need, like `{{{self._expression}['HOME']}}`"
        )

    def hidden_in(self, text: str, names: Mapping[str, object]) -> None:
        """Check that the text of an object shows none of its secret attributes."""
        for name, value in islice(list(names.items()), _LOOKED_AT):
            if secrecy(name) == "no" or not isinstance(value, str):
                continue
            if unmasked(value) and value in text:
                self.entry(name, value)

    def text(self, text: str) -> None:
        """Check a text for secrets that are known, or that look like one."""
        for found in secrets_in(text, self._known):
            raise ConfigurationError(
                f"`{{{self._expression}}}` was not put into the prompt: it holds "
                f"{found.what}. Leave it out, or write what you mean to send into the "
                "prompt yourself"
            )

    def _refusal(self, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"`{{{self._expression}}}` was not put into the prompt: {why}. Name the "
            f"part that you need, like `{{{self._expression}['name']}}`, or write it "
            "into the prompt yourself"
        )


def is_secret_type(value: object) -> bool:
    """Return whether a value is of a type that exists to keep secrets."""
    lineage: Sequence[type] = type(value).__mro__
    return any(
        kind.__name__ in _SECRET_TYPES
        and kind.__module__.partition(".")[0] in {"pydantic", "starlette", "prefect"}
        for kind in lineage
    )


def _quoted(name: object) -> str:
    return repr(name.decode("utf-8", "replace") if isinstance(name, bytes) else name)
