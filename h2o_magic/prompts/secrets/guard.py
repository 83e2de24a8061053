"""Refuses to put secrets into a prompt by accident."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.secrets.known import (
    USUAL_VARIABLES,
    of_environment,
    of_notebook,
    of_servers,
)
from h2o_magic.prompts.secrets.looks import looks_like_key, looks_random, unmasked
from h2o_magic.prompts.secrets.names import Secrecy, secrecy
from h2o_magic.prompts.secrets.scan import masked, secrets_in
from h2o_magic.prompts.secrets.values import holds_secret

_MOST_NAMES = 1000
#: Records have few fields; these are a setting's name and its value.
_MOST_FIELDS = 20
_NAME_FIELDS = {"name", "key", "field", "header", "variable", "setting", "parameter"}
_VALUE_FIELDS = {"value", "val"}
#: Texts up to this length are shown whole, and so checked where they are shown.
_SHORT = 40
#: Characters of an item or a cell that are searched for what looks like a secret.
_SEARCHED = 20_000
_LONGEST_NAME = 80
_LABEL = re.compile(r"[A-Za-z_ ]*")
_SECRET_TYPES = {"SecretStr", "SecretBytes", "Secret"}
_SECRET_PACKAGES = {"pydantic", "starlette", "prefect"}


class Guard:
    """Checks one value before it goes into a prompt; each check raises.

    `expression` is what named it, for the errors. The secrets of `environment` and of
    the notebook's `variables` are found wherever they stand, and so are `keys`: the
    texts of the keys of all known servers.
    """

    def __init__(
        self,
        expression: str,
        environment: Mapping[str, str],
        variables: Mapping[str, object],
        keys: Iterable[str] = (),
    ) -> None:
        self._environment = environment
        self._keys = list(of_servers(keys))
        named = [*of_environment(environment), *of_notebook(variables)]
        self._known = [*self._keys, *named]
        self._expression = masked(expression, self._keys)

    def name(self, name: str, value: object) -> None:
        """Check a value that the prompt names so."""
        if _is_secret(name, value):
            advice = "remove it, or type it into the prompt yourself"
            raise self._refusal("it looks like a secret", advice)
        self._record(value)
        if isinstance(value, (bytes, bytearray)):
            self.text(value.decode("latin-1"))

    def entry(self, name: object, value: object) -> None:
        """Check a value that stands under a name in another: an item, an attribute."""
        if _is_secret(name, value):
            raise self._part_refusal(f"{self._part(name)} looks like a secret")
        self._record(value)
        if found := self._found(value) or self._found(name):
            raise self._part_refusal(f"{self._part(name)} holds {found}", name)

    def pair(self, first: object, second: object) -> None:
        """Check two values side by side, which may be a name and its value."""
        how = secrecy(first)
        if how == "no" or not isinstance(second, (str, bytes)) or _is_word(second):
            return
        random = isinstance(second, str) and looks_random(second)
        if (random or how != "maybe") and _is_secret(first, second):
            raise self._part_refusal(f"{self._part(first)} looks like a secret")

    def column(self, name: object, values: Iterable[object]) -> None:
        """Check the values of a column that are shown; each is read once."""
        how = secrecy(name)
        for value in values:
            if how != "no" and _is_in_column(how, value) and holds_secret(name, value):
                why = f"{self._part(name, 'column ')} looks like secrets"
                raise self._part_refusal(why)
            if found := self._found(value):
                why = f"{self._part(name, 'column ')} holds {found}"
                raise self._part_refusal(why, name)

    def names(self, names: Iterable[object]) -> None:
        """Check that the names of a value's parts are not those of the environment."""
        given = {name for name in islice(names, _MOST_NAMES) if isinstance(name, str)}
        for found in secrets_in("\n".join(given), self._keys):
            raise self._part_refusal(f"one of its names holds {found.what}")
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
        self.text(text)
        for name, value in islice(list(attributes.items()), _MOST_NAMES):
            if secrecy(name) == "no" or not isinstance(value, str):
                continue
            if unmasked(value) and value in text:
                self.entry(name, value)

    def masked(self, text: str) -> str:
        """Return a text with its secrets masked."""
        return masked(text, self._known)

    def file(self, name: str, text: str) -> None:
        """Check the text of a file that is called so."""
        for found in secrets_in(text, self._known):
            raise ConfigurationError(
                f"{self.masked(name)} was not attached: it holds {found.what}; remove "
                "it, or type what you want to send into the prompt yourself"
            )

    def text(self, text: str) -> None:
        """Check a text for secrets that are known, or that look like one."""
        for found in secrets_in(text, self._known):
            advice = "remove it, or type what you want to send into the prompt yourself"
            raise self._refusal(f"it holds {found.what}", advice)

    def _record(self, value: object) -> None:
        """Check a value that may be a name with its value."""
        if isinstance(value, (tuple, list)) and len(value) == 2:
            if isinstance(value, tuple) or not _is_label(value[1]):
                self.pair(*value)
        elif isinstance(value, dict) and len(value) <= _MOST_FIELDS:
            fields = {str(name).lower(): each for name, each in value.items()}
            for name in fields.keys() & _NAME_FIELDS:
                for each in fields.keys() & _VALUE_FIELDS:
                    self.pair(fields[name], fields[each])

    def _found(self, value: object) -> str:
        """Return what a text holds of which a part may be shown, or nothing."""
        if isinstance(value, (bytes, bytearray)):
            value = value.decode("latin-1")
        if not isinstance(value, str):
            return ""
        is_short = len(value) <= _SHORT
        known = self._keys if is_short else self._known
        found = [each.what for each in known if any(each.places(value))]
        if not found and not is_short:
            found = [each.what for each in islice(secrets_in(value[:_SEARCHED]), 1)]
        return found[0] if found else ""

    def _part(self, name: object, kind: str = "") -> str:
        """Return what a part is called, unless its name holds a secret itself."""
        if isinstance(name, bytes):
            name = name.decode("utf-8", "replace")
        if isinstance(name, str) and not name:
            return "an item of it"
        if name is None:
            return f"a {kind or 'part '}of it that has no name"
        text = repr(name)
        long = len(text) > _LONGEST_NAME or looks_like_key(text.strip("'\""))
        if long or masked(text, self._known) != text:
            return f"a {kind or 'part '}of it that has no ordinary name"
        return f"its {kind}{text}"

    def _part_refusal(self, why: str, name: object = "name") -> ConfigurationError:
        if name is None:  # as in a Series: it has no part that could be named
            return self._refusal(why, "remove it, or type what you need yourself")
        index = "['name']" if name else "[0]"  # of a list
        part = f"name the part you need, such as `{{{self._expression}{index}}}`"
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


def _is_in_column(how: Secrecy, value: object) -> bool:
    """Return whether a value under such a column's name is rather no word or number."""
    if how == "surely" or not isinstance(value, str):
        return how != "maybe"
    return looks_random(value) if how == "maybe" else looks_like_key(value)


def _is_word(value: str | bytes) -> bool:
    """Return whether what stands beside a name is a short word, or a name itself."""
    if isinstance(value, bytes):
        return False
    is_name = secrecy(value) != "no" and value.replace("_", "").isalpha()
    return is_name or (len(value) < 8 and value.isalpha())


def _is_label(value: object) -> bool:
    """Return whether a value is a name or words, as in a list of columns."""
    return isinstance(value, str) and len(value) < 16 and bool(_LABEL.fullmatch(value))
