"""Lists, mappings and records as text like Python's.

Only what is shown is read: ten million items cost as much as a hundred.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    KeysView,
    Mapping,
    Set,
    Sized,
    ValuesView,
)
from dataclasses import dataclass, field
from itertools import islice
from types import ModuleType
from typing import cast

from h2o_magic.config.units import counted
from h2o_magic.prompts.introspection import attributes, describes_itself, named_parts
from h2o_magic.prompts.limits import CHARACTERS, cut_end
from h2o_magic.prompts.order import first_in_order
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.stable import stable

#: The longest text of a collection on one line.
WIDTH = 88
#: Items of each collection, collections inside one another, characters of a string.
_ITEMS, _DEPTH, _TEXT = 100, 8, 2_000
#: Longest text of an item that shares its line with others.
_SHORT = 40

_COLLECTIONS = (list, tuple, Set, deque, Mapping, KeysView, ValuesView, ItemsView)

_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    frozenset: ("frozenset({", "})"),
}
BYTES = (bytes, bytearray, memoryview)
_SHORT_LEAVES = (bool, int, float, complex, type(None))


@dataclass
class _Node:
    """A collection's text before it is laid out on one line or on several."""

    opening: str
    closing: str
    parts: list[tuple[str, str | _Node]] = field(default_factory=list)

    def one_line(self) -> str:
        inner = ", ".join(
            before + (part if isinstance(part, str) else part.one_line())
            for before, part in self.parts
        )
        return f"{self.opening}{inner}{self.closing}"

    def lines(self, indent: str = "") -> str:
        line = self.one_line()
        if not self.parts or len(indent) + len(line) <= WIDTH:
            return line
        deeper = f"{indent}  "
        inner = self._filled_lines(deeper) or ",\n".join(
            f"{deeper}{before}{part if isinstance(part, str) else part.lines(deeper)}"
            for before, part in self.parts
        )
        return f"{self.opening}\n{inner}\n{indent}{self.closing}"

    def _filled_lines(self, indent: str) -> str:
        """Return short parts with many on a line; empty if any is long."""
        lines, line = [], indent
        for before, part in self.parts:
            if before or not isinstance(part, str) or len(part) > _SHORT:
                return ""
            if len(line) + len(part) > WIDTH and line.strip():
                lines.append(line.rstrip())
                line = indent
            line += f"{part}, "
        return "\n".join([*lines, line.rstrip(", ")])


def is_collection(value: object) -> bool:
    """Return whether a value is written by its parts."""
    return isinstance(value, _COLLECTIONS) or named_parts(value) is not None


class Printer:
    """Writes one value with everything in it."""

    def __init__(
        self, guard: Guard, summary: Callable[[object], str], items: int | None = None
    ) -> None:
        self._items = items or _ITEMS
        self._guard = guard
        self._summary = summary
        self._left = CHARACTERS
        self._around: set[int] = set()  # ids of the collections being written

    def text(self, value: object) -> str:
        node = self._node(value)
        return node if isinstance(node, str) else node.lines()

    def cell(self, value: object, room: int) -> str:
        """Return a value's text on one line, built to about `room` characters."""
        self._left = room
        return self._one_line(value)

    def _one_line(self, value: object) -> str:
        node = self._node(value)
        return node if isinstance(node, str) else node.one_line()

    def _node(self, value: object) -> str | _Node:
        named = None if isinstance(value, _SHORT_LEAVES) else named_parts(value)
        if named is None and not isinstance(value, _COLLECTIONS):
            leaf = self._leaf(value)
            self._left -= len(leaf)
            return leaf
        if id(value) in self._around:
            return "<itself>"
        if len(self._around) >= _DEPTH:
            return "…"
        self._around.add(id(value))
        try:
            return self._collection(value, named)
        finally:
            self._around.discard(id(value))

    def _collection(
        self, value: object, named: list[tuple[str, object]] | None
    ) -> _Node:
        if named is not None:
            node = _Node(f"{type(value).__name__}(", ")")
            return self._filled(node, named, len(named), "field", self._field)
        if _is_environment(value) or _is_environment(getattr(value, "_mapping", None)):
            raise self._guard.environment()
        if isinstance(value, (Mapping, ItemsView)):
            return self._mapping(value)
        items = first_in_order(cast(Iterable[object], value), self._items)
        self._check_names(items)
        node = _Node(*_brackets(value))
        self._filled(node, items, _length(value), "item", self._item)
        if isinstance(value, tuple) and len(value) == 1:
            node.closing = f",{node.closing}"
        return node

    def _mapping(
        self, value: Mapping[object, object] | ItemsView[object, object]
    ) -> _Node:
        pairs = value.items() if isinstance(value, Mapping) else value
        self._guard.names(name for name, _ in islice(pairs, self._items))
        node = _Node("{", "}")
        return self._filled(node, pairs, len(value), "key", self._entry)

    def _filled(
        self,
        node: _Node,
        items: Iterable[object],
        length: int,
        noun: str,
        part: Callable[[object], tuple[str, str | _Node]],
    ) -> _Node:
        for item in islice(iter(items), self._items):
            if self._left <= 0:
                break
            node.parts.append(part(item))
            self._left -= len(node.parts[-1][0]) + 2
        left_out = length - len(node.parts)
        if left_out > 0:
            note = counted(left_out, f"more {noun}")
            node.parts.append(("", f"… {note} left out"))
        return node

    def _field(self, item: object) -> tuple[str, str | _Node]:
        name, value = cast(tuple[str, object], item)
        self._guard.entry(name, value)
        return f"{name}=", self._node(value)

    def _entry(self, item: object) -> tuple[str, str | _Node]:
        name, value = cast(tuple[object, object], item)
        self._guard.entry(name, value)
        return f"{self._one_line(name)}: ", self._node(value)

    def _item(self, item: object) -> tuple[str, str | _Node]:
        self._guard.entry("", item)
        if isinstance(item, tuple) and len(item) == 2:
            self._guard.pair(*item)
        return "", self._node(item)

    def _check_names(self, items: Iterable[object]) -> None:
        """Refuse the environment as a list of pairs or of lines like ``A=1``."""
        self._guard.names(_first(item) for item in islice(iter(items), self._items))

    def _leaf(self, value: object) -> str:
        if isinstance(value, enum.Enum):
            return str(value)
        if isinstance(value, str):
            text, limit = str.__str__(value), _TEXT
            return _cut_repr(text[:limit], len(text) - limit, "character")
        if isinstance(value, BYTES):
            whole, limit = bytes(value), _TEXT
            return _cut_repr(whole[:limit], len(whole) - limit, "byte")
        if summary := self._summary(value):
            return summary
        if isinstance(value, type | ModuleType) or not describes_itself(value):
            return f"<{_named(value)}>"
        text = repr(value)
        self._guard.hidden_in(text, attributes(value))
        return cut_end(" ".join(stable(text, value).split()), _TEXT)


def _brackets(value: object) -> tuple[str, str]:
    for kind, brackets in _BRACKETS.items():
        if isinstance(value, kind):
            return brackets
    if isinstance(value, (Set, KeysView)):
        return ("{", "}") if _length(value) else ("set(", ")")
    return "[", "]"


def _is_environment(value: object) -> bool:
    return type(value).__qualname__ == "_Environ"


def _length(value: object) -> int:
    return len(cast(Sized, value))


def _first(item: object) -> object:
    if isinstance(item, tuple) and len(item) == 2:
        return item[0]
    if isinstance(item, str):
        return item[:100].partition("=")[0] if "=" in item[:100] else None
    return None


def _cut_repr(beginning: str | bytes, left_out: int, noun: str) -> str:
    if left_out <= 0:
        return repr(beginning)
    return f"{beginning!r}… {counted(left_out, f'more {noun}')}"


def _named(value: object) -> str:
    """Return a class's name, or that of an object's class: the address says nothing."""
    if isinstance(value, type):
        return f"class {value.__qualname__}"
    if isinstance(value, ModuleType):  # wherever it is installed
        return f"module {value.__name__!r}"
    return f"{type(value).__qualname__} object"
