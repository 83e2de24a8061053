"""The values that questions and options name, read for the model or for an option."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.completion.harmless import runs_no_code
from h2o_magic.ipython.scope import Scope, formatted
from h2o_magic.prompts.arrays import is_array
from h2o_magic.prompts.expand import expand, follow
from h2o_magic.prompts.fields import Field, fields
from h2o_magic.prompts.glance import weight
from h2o_magic.prompts.images import as_image
from h2o_magic.prompts.prompt import Attached, Described, Prompt
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.stable import stable
from h2o_magic.prompts.texts import LongText
from h2o_magic.prompts.values import describe


class NotebookReader:
    """Reads the values of a scope; what holds one of the `keys` is refused."""

    def __init__(
        self, scope: Scope, keys: Callable[[], Iterable[str]], *, evaluates: bool
    ) -> None:
        self.evaluates = evaluates
        self.lookup = scope.lookup
        self._scope = scope
        self._keys = keys

    def prompt(self, question: str) -> Prompt:
        """Return the prompt of a question, with the values that it names in braces."""
        with self._masked_errors():
            return expand(question, self)

    def evaluate(self, source: str, format_: str) -> object:
        value = self._scope.evaluate(source)
        text = formatted(value, format_)
        made = isinstance(text, str) and not isinstance(value, str)
        return stable(str(text), value) if made else text

    def describe(
        self, value: object, expression: str, *, spec: str, question: str
    ) -> Described:
        guard = self.guard(expression)
        return describe(value, expression, spec=spec, question=question, guard=guard)

    def image(self, value: object, expression: str) -> Attached | None:
        try:
            image = as_image(value, expression)
            required = not is_array(value)
        except ConfigurationError:
            raise
        except Exception:  # of a foreign object; describing it will say what is wrong
            return None
        # A model without eyes can still read an array's numbers.
        return None if image is None else Attached(image, required)

    def guard(self, expression: str) -> Guard:
        variables = self._scope.variables
        return Guard(expression, os.environ, variables, tuple(self._keys()))

    def option(self, word: str) -> str:
        """Return a word of the options with the values that it names in place."""
        text, end = "", 0
        with self._masked_errors():
            for place in fields(word):
                if isinstance(place, Field) and not place.spec:
                    new = self._option_value(place, whole=place.text == word)
                    text, end = f"{text}{word[end : place.start]}{new}", place.end
        return text + word[end:]

    @contextmanager
    def _masked_errors(self) -> Iterator[None]:
        """Mask the secrets in what other objects say of an error, such as a key."""
        try:
            yield
        except ConfigurationError as error:
            said = str(error)
            if (shown := self.guard("").masked(said)) == said:
                raise
            raise ConfigurationError(shown) from None

    def _option_value(self, place: Field, *, whole: bool) -> str:
        try:
            value = follow(self.lookup(place.name), place)
        except KeyError:
            if not whole:
                return place.text
            raise ConfigurationError(
                f"`{place.text}` is not a variable: write a value, or define it first"
            ) from None
        if not isinstance(value, str | int | float | Path):
            raise ConfigurationError(
                f"`{place.text}`: an option takes text or a number, and this is of "
                f"type {type(value).__qualname__}"
            )
        guard = self.guard(place.expression)
        guard.name(place.expression, value)
        guard.text(str(value))
        return str(value)


class NamesReader:
    """Knows the names of a scope, and reads none of their values."""

    evaluates = True  # what is not is noted here, with what a panel has for it

    def __init__(
        self,
        scope: Scope,
        keys: Callable[[], Iterable[str]] = tuple,
        *,
        evaluates: bool,
    ) -> None:
        self.lookup = scope.lookup
        self._scope = scope
        self._keys = keys
        self._evaluates = evaluates
        self._notes: list[str] = []

    def describe(self, *_: object, **__: object) -> Described:
        return LongText("")

    def image(self, *_: object) -> None:
        pass

    def evaluate(self, source: str, format_: str) -> None:
        if not self._evaluates:
            self._notes.append(
                f"`{{{source}{format_}}}` is not evaluated: `evaluate` in the "
                "settings does that"
            )

    def notes(self, question: str) -> list[str]:
        """Return what of a question would stay as it is typed, or is refused."""
        try:
            prompt = expand(self._without_code(question), self)
        except ConfigurationError as error:
            guard = Guard("", os.environ, self._scope.variables, tuple(self._keys()))
            return [guard.masked(str(error))]
        return [*prompt.notes, *self._notes]

    def weigh(self, question: str, most: int) -> int:
        """Return about how many tokens values have, `most` where one is described."""
        tokens = 0
        for place in fields(question):
            if isinstance(place, Field) and self._is_harmless(place):
                with suppress(KeyError, ConfigurationError):
                    tokens += weight(follow(self.lookup(place.name), place), most)
        return tokens

    def _without_code(self, question: str) -> str:
        """Return a question without the paths that could run code of the user's."""
        text, end = "", 0
        for place in fields(question):
            if isinstance(place, Field) and place.path and not self._is_harmless(place):
                text += f"{question[end : place.start]}{{{place.name}}}"
                end = place.end
        return text + question[end:]

    def _is_harmless(self, place: Field) -> bool:
        try:
            value = self.lookup(place.name)
        except KeyError:
            return True
        return runs_no_code(value, place.path)
