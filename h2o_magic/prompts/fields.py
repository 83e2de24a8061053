"""The braces of a prompt that stand for a value: ``{name}``, ``{d[0].x}``, ``{x + 1}``.

A *field* is a name with nothing but attributes and constant indexes after it, and
perhaps how much of it is meant: ``{df:schema}``. Anything else in braces that Python
could evaluate is an *expression*. Neither is found in code (`code_signs`).
"""

from __future__ import annotations

import ast
import keyword
import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from h2o_magic.prompts.code_signs import code_spans, stands_alone
from h2o_magic.prompts.prose import prose

# Any character beyond ASCII here: `str.isidentifier` knows better than a pattern.
_NAME = (
    r"(?!__)[^\s\x00-\x40\x5b-\x5e\x60\x7b-\x7f]"
    r"[^\s\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]*"
)
_STEP = (
    rf"\.{_NAME}"
    r"|\[-?(?:0|[1-9][0-9]{0,17})\]"
    r"|\['(?:[^'\\\r\n]|\\[\\'\"nrt])*'\]"
    r'|\["(?:[^"\\\r\n]|\\[\\\'"nrt])*"\]'
)
_FIELD = re.compile(
    rf"\{{(?P<path>{_NAME}(?:{_STEP})*)(?::(?P<spec>[a-z]{{3,10}}|[1-9]\d{{0,8}}))?\}}"
)
# Text in quotes may hold braces.
_BRACES = re.compile(
    r"\{((?:[^{}\r\n'\"]|'(?:[^'\\\r\n]|\\.)*'|\"(?:[^\"\\\r\n]|\\.)*\")+)\}"
)
_STEPS = re.compile(rf"(?P<step>{_STEP})")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
#: A conversion and a format at the end of an expression: ``!r``, ``:.2f``.
_FORMAT = re.compile(
    r"(?:![rsa])?(?::(?:%[\w%:/ .,-]+|(?:.?[<>=^])?[-+]?\#?0?\d*[,_]?(?:\.\d+)?"
    r"[bcdeEfFgGnosxX%]?))?$"
)
#: Characters of an expression that anybody writes into a sentence.
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Attribute:
    """A step of a field: ``.columns``."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """A step of a field: ``[0]`` or ``['a']``."""

    key: int | str


Step = Attribute | Index


@dataclass(frozen=True, slots=True)
class Field:
    """A place in a prompt that may name a value; `spec` says how much of it."""

    start: int
    end: int
    text: str
    name: str
    path: tuple[Step, ...]
    expression: str
    spec: str = ""


@dataclass(frozen=True, slots=True)
class Expression:
    """A place in a prompt that Python could evaluate; `names` are those it needs.

    `format` is what follows it, as in an f-string: ``!r``, ``:.2f``.
    """

    start: int
    end: int
    text: str
    source: str
    format: str
    names: tuple[str, ...]


def fields(text: str) -> Iterator[Field | Expression]:
    """Yield the fields and expressions in order, whether their names exist or not."""
    if "{" not in text:
        return
    code = deque(sorted(code_spans(text)))
    last_end = code_end = 0
    for span in prose(text):
        for found in _BRACES.finditer(text, *span):
            gap = found.start() - last_end if last_end else -1
            after_field = not gap or (
                gap == 1 and text[last_end] in "/@"
            )  # ``{a}/{b}``
            while code and code[0][0] < found.end():
                code_end = max(code_end, code.popleft()[1])
            if found.start() < code_end or not stands_alone(
                text, *found.span(), follows_field=after_field
            ):
                continue
            field = _as_field(found) or _as_expression(found)
            if field is not None:
                last_end = found.end()
                yield field


def value_in(braces: str) -> Field | Expression | None:
    """Return what braces name by themselves, whatever stands around them."""
    found = _BRACES.fullmatch(braces)
    return found and (_as_field(found) or _as_expression(found))


def names_in(text: str) -> tuple[str, ...]:
    """Return the names in the fields of a prompt, each once, in order."""
    found = [field.name for field in fields(text) if isinstance(field, Field)]
    return tuple(dict.fromkeys(found))


def _as_field(braces: re.Match[str]) -> Field | None:
    found = _FIELD.fullmatch(braces[0])
    if found is None:
        return None
    name, *path = _parts(found["path"])
    assert isinstance(name, Attribute)  # noqa: S101 - the pattern begins with one
    names = [step.name for step in (name, *path) if isinstance(step, Attribute)]
    if not all(map(_may_be_read, names)):
        return None
    spec = found["spec"] or ""
    return Field(*braces.span(), found[0], name.name, tuple(path), found["path"], spec)


def _as_expression(braces: re.Match[str]) -> Expression | None:
    inside = braces[1]
    if (inside != inside.strip() and ":" in inside) or len(inside) > _LONGEST:
        return None
    for found in _FORMAT.finditer(inside):
        source = inside[: found.start()].strip()
        try:
            tree = ast.parse(source, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        names = _names_of(tree)
        if names and _means_a_value(tree, found[0]):
            return Expression(*braces.span(), braces[0], source, found[0], names)
        return None
    return None


def _names_of(tree: ast.AST) -> tuple[str, ...]:
    """Return the names that an expression reads, without those that it makes itself."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    made = {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
    made |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return tuple(dict.fromkeys(n.id for n in nodes if n.id not in made))


def _means_a_value(tree: ast.expr, format_: str) -> bool:
    """Return whether it is no list of words, and no set as mathematics has it."""
    if isinstance(tree, (ast.Name, ast.Attribute)):
        return bool(format_)
    operators = [node.op for node in ast.walk(tree) if isinstance(node, ast.BinOp)]
    return not isinstance(tree, (ast.Tuple, ast.Constant)) and not any(
        isinstance(each, ast.BitOr) for each in operators
    )


def _may_be_read(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and name[:2] != "__"


def _parts(source: str) -> Iterator[Step]:
    for found in _STEPS.finditer(f".{source}"):
        step = found["step"]
        if step.startswith("."):
            # As Python normalizes identifiers.
            yield Attribute(unicodedata.normalize("NFKC", step[1:]))
        elif step[1] in "'\"":
            yield Index(_ESCAPE.sub(_unescaped, step[2:-2]))
        else:
            yield Index(int(step[1:-1]))


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPED.get(found[1], found[1])
