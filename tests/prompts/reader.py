"""The values of a mapping, in place of a notebook's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from h2o_magic.chat.images import Image
from h2o_magic.prompts.prompt import Attached, Described


@dataclass(frozen=True)
class Words:
    """A value as its own text: short if it has one line."""

    whole: str
    spec: str = ""
    summarizes = True

    @property
    def inline(self) -> str:
        return "" if "\n" in self.whole or self.spec else self.whole

    @property
    def least(self) -> int:
        return len(self.whole)

    def text(self, tokens: int) -> str:
        return f"{self.whole}{self.spec}"[:tokens]


class Reader:
    """The values of a mapping, or what a function returns for a name."""

    def __init__(
        self,
        values: Mapping[str, object] | Callable[[str], object],
        *,
        evaluates: bool = False,
    ) -> None:
        self.lookup = values.__getitem__ if isinstance(values, Mapping) else values
        self.evaluates = evaluates
        self.described: list[tuple[str, str]] = []

    def describe(
        self, value: object, expression: str, *, spec: str, question: str
    ) -> Described:
        self.described.append((expression, question))
        return Words(str(value), spec)

    def image(self, value: object, expression: str) -> Attached | None:
        if not isinstance(value, Picture):
            return None
        return Attached(Image(expression, "image/png", 1, 1, "ab"), value.required)

    def evaluate(self, source: str, format_: str) -> object:
        names = {"x": self.lookup("x")}
        return format(eval(source, names), format_.lstrip(":"))


class Picture:
    def __init__(self, required: bool) -> None:
        self.required = required
