"""Refuses to put secrets into a prompt by accident."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

_MOST_NAMES = 1000
_SECRET_TYPES = {"SecretStr", "SecretBytes", "Secret"}
_SECRET_PACKAGES = {"pydantic", "starlette", "prefect"}


class Guard:
    """Checks one value before it goes into a prompt; each check raises."""

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
        if _is_secret(name, value):
            advice = "remove it, or type it into the prompt yourself"
            raise self._refusal("it looks like a secret", advice)

    def entry(self, name: object, value: object) -> None:
        if _is_secret(name, value):
            raise self._part_refusal(f"its {_quoted(name)} looks like a secret")

    def pair(self, first: object, second: object) -> None:
        """Check two values side by side, which may be a name and its value."""
        is_word = isinstance(second, str) and len(second) < 8 and second.isalpha()
        if isinstance(second, str) and not is_word and secrecy(first) == "surely":
            self.entry(first, second)

    def column(self, name: object, values: Iterable[object]) -> None:
        how = secrecy(name)
        if how == "no":
            return
        for value in values:
            sure = how == "surely" or (isinstance(value, str) and looks_random(value))
            if sure and holds_secret(name, value):
                column = f"its column {_quoted(name)}"
                raise self._part_refusal(f"{column} looks like secrets")

    def names(self, names: Iterable[object]) -> None:
        """Check that the names of a value's parts are not those of the environment."""
        given = {name for name in islice(names, _MOST_NAMES) if isinstance(name, str)}
        shared = len(given & self._environment.keys())
        usual = len(given & USUAL_VARIABLES)
        if usual >= 3 or (shared >= 5 and shared * 2 >= len(given)):
            raise self.environment()

    def environment(self) -> ConfigurationError:
        return self._refusal(
            "it holds the environment of the process, with its keys and passwords",
            f"name the variable you need, such as `{{{self._expression}['HOME']}}`",
        )

    def hidden_in(self, text: str, attributes: Mapping[str, object]) -> None:
        """Check that the text of an object shows none of its secret attributes."""
        for name, value in islice(list(attributes.items()), _MOST_NAMES):
            if secrecy(name) == "no" or not isinstance(value, str):
                continue
            if unmasked(value) and value in text:
                self.entry(name, value)

    def text(self, text: str) -> None:
        """Check a text for secrets that are known, or that look like one."""
        for found in secrets_in(text, self._known):
            advice = "remove it, or type what you want to send into the prompt yourself"
            raise self._refusal(f"it holds {found.what}", advice)

    def _part_refusal(self, why: str) -> ConfigurationError:
        part = f"name the part you need, such as `{{{self._expression}['name']}}`"
        return self._refusal(why, f"{part}, or type it into the prompt yourself")

    def _refusal(self, why: str, advice: str) -> ConfigurationError:
        expression = f"`{{{self._expression}}}`"
        return ConfigurationError(
            f"{expression} was not put into the prompt: {why}; {advice}"
        )


def _is_secret(name: object, value: object) -> bool:
    return _is_of_secret_type(value) or (
        secrecy(name) != "no" and holds_secret(name, value)
    )


def _is_of_secret_type(value: object) -> bool:
    return any(
        kind.__name__ in _SECRET_TYPES
        and kind.__module__.partition(".")[0] in _SECRET_PACKAGES
        for kind in type(value).__mro__
    )


def _quoted(name: object) -> str:
    return repr(name.decode("utf-8", "replace") if isinstance(name, bytes) else name)
