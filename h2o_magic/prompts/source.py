"""Functions, classes and modules as their source, or a description."""

from __future__ import annotations

import ast
import inspect
import linecache
import types
from typing import Any

from h2o_magic.prompts.stable import stable

_CODE = (
    type,
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ModuleType,
)


def is_code(value: object) -> bool:
    if isinstance(value, _CODE):
        return True
    # What functools.wraps, lru_cache and compilers of functions make.
    return callable(value) and inspect.isfunction(getattr(value, "__wrapped__", None))


def source_text(value: object) -> str:
    """Return the source; else the signature and the docstring."""
    return _source(value) or _description(value)


def _source(value: Any) -> str:
    try:
        return inspect.cleandoc(f"\n{inspect.getsource(value)}")
    except (OSError, TypeError, SyntaxError):
        return _typed_class(value) if isinstance(value, type) else ""


def _typed_class(kind: type) -> str:
    """Return the source of a class defined in a cell, which Python < 3.13 misses."""
    if kind.__module__ != "__main__":
        return ""
    for name in reversed(list(linecache.cache)):
        lines = linecache.getlines(name)
        if any(f"class {kind.__name__}" in line for line in lines):
            found = _class_in("".join(lines), kind.__qualname__.split("."))
            if found:
                return found
    return ""


def _class_in(text: str, path: list[str]) -> str:
    try:
        node: ast.AST = ast.parse(text)
    except SyntaxError:
        return ""
    for name in path:
        inner = ast.iter_child_nodes(node)
        found = [n for n in inner if isinstance(n, ast.ClassDef) and n.name == name]
        if not found:
            return ""
        node = found[-1]
    if not isinstance(node, ast.ClassDef):
        return ""
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    lines = text.splitlines(keepends=True)[first - 1 : node.end_lineno]
    return inspect.cleandoc("\n" + "".join(lines))


def _description(value: object) -> str:
    doc = inspect.getdoc(value) or ""
    if isinstance(value, types.ModuleType):
        return f"# module {value.__name__}\n{_docstring(doc, '')}"
    word = "class" if isinstance(value, type) else "def"
    name = getattr(value, "__qualname__", type(value).__name__)
    head = f"{word} {name}{_signature(value)}:"
    return f"{head}\n{_docstring(doc, '    ')}    ..."


def _signature(value: Any) -> str:
    try:
        return stable(str(inspect.signature(value)))
    except (ValueError, TypeError):
        return "" if isinstance(value, type) else "(...)"


def _docstring(doc: str, indent: str) -> str:
    if not doc:
        return ""
    lines = f'"""{doc}\n"""' if "\n" in doc else f'"""{doc}"""'
    return "".join(f"{indent}{line}".rstrip() + "\n" for line in lines.split("\n"))
