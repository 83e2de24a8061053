"""The answers that are streamed, cut into tokens of six characters."""

from __future__ import annotations

from functools import cache
from itertools import count

__all__ = ["SHAPES", "TOKEN", "answer"]

#: Characters of a token; English text has somewhat fewer.
TOKEN = 6

_SENTENCES = (
    "A kernel is the process that runs the code of a notebook and keeps its names.",
    "The page sends it a cell, and the kernel sends back what the cell shows.",
    "Each output is a message of its own, with the same thing in several media types.",
    "What is drawn anew costs its whole text again, however little of it has changed.",
)

_MIXED = """## Part {0}

Some words with *stress*, `code` and a [link](https://example.org), as answers have
them {0}, and a second sentence that makes paragraph {0} longer than its heading.

- one thing {0}, and
- another one {0}

```python
def total_{0}(values: list[float]) -> float:
    result_{0} = 0.0
    for value in values:
        result_{0} += value
    return result_{0}
```

| name | value |
|------|-------|
| a    | {0}   |

"""


def _sentence(name: str, which: int) -> str:
    """Return a sentence that no other is like.

    While text goes from one output to another it stands in both. If what follows it
    were the same, that would be counted as more of the answer.
    """
    return f"{_SENTENCES[which % 4][:-1]} ({name})."


def _prose(part: int) -> str:
    sentences = (
        _sentence(f"{part + 1}.{n + 1}", part + n) for n in range(2 + part % 4)
    )
    return " ".join(sentences) + "\n\n"


def _mixed(part: int) -> str:
    return _MIXED.format(part + 1)


def _code(part: int) -> str:
    head = "```python\n" if part == 0 else ""
    return f"{head}total_{part} = sum(value for value in column_{part} if value > 0)\n"


def _paragraph(part: int) -> str:
    return _sentence(str(part + 1), part) + " "


def _table(part: int) -> str:
    head = "| row | name | value |\n|---|---|---|\n" if part == 0 else ""
    return f"{head}| {part + 1} | name {part + 1} | 0.125 |\n"


def _lists(part: int) -> str:
    depth = part % 8
    return f"{'  ' * depth}- point {part + 1} at depth {depth + 1} of the list\n"


#: The shapes, by name: what comes next in an answer, by its number.
SHAPES = {
    "prose": _prose,
    "mixed": _mixed,
    "code": _code,
    "paragraph": _paragraph,
    "table": _table,
    "lists": _lists,
}


@cache
def answer(shape: str, tokens: int) -> tuple[str, ...]:
    """Return the tokens of an answer.

    Parameters
    ----------
    shape
        A name of :data:`SHAPES`. ``code``, ``paragraph``, ``table`` and ``lists`` are
        one block, however long.
    tokens
        How many.
    """
    text = ""
    parts = (SHAPES[shape](part) for part in count())
    while len(text) < tokens * TOKEN:
        text += next(parts)
    return tuple(text[n * TOKEN : (n + 1) * TOKEN] for n in range(tokens))
