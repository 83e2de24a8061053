"""Texts that Python made of values, without what is there by chance.

A notebook that is run again, elsewhere, is to put the same text into its prompts.
Addresses, ids of threads, names of temporary files and the order of a set's items say
nothing to a model. A text of the user's own is never changed.
"""

from __future__ import annotations

import re

# ``at 0x7f3a5c0d``, ``id='1402'`` of a mock, ``started 1402`` of a thread.
_CHANCE = re.compile(
    r"(\bat 0x|@ 0x|\bid='(?=\d+')|\bstarted (?:daemon )?(?=\d+[),]))[\dA-Fa-f]{5,16}\b"
)
_HEXADECIMAL = re.compile(r"0x0*([\dA-Fa-f]{5,16})\b")
_BRACKET = re.compile(r"<\w")
#: Characters before an address in which its bracket opens.
_BEFORE = 500

# Names that kernels give the code of a cell; a folder's name may hold spaces.
_KERNEL = re.compile(r"(?:ipykernel|xpython)_\d|<ipython-input-")
_CELL_NAME = r"[/\\](?:ipykernel|xpython)_\d+[/\\]{1,2}\d+\.py|<ipython-input-[\w-]+>"
_CELL_FILE = re.compile(rf".*(?:{_CELL_NAME})")
_CELL = re.compile(
    rf"(?:(?<=[\"'])[^\"'\n]{{0,300}}|[^\s\"'<>(]{{0,300}})(?:{_CELL_NAME})"
)
_QUOTED = r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\""
_SETS_ITEM = re.compile(rf"{_QUOTED}|[\w.+-]+")
_SET = re.compile(rf"\{{(?:{_SETS_ITEM.pattern})(?:, (?:{_SETS_ITEM.pattern}))+\}}")


def stable(text: str, value: object = None) -> str:
    """Return what Python wrote of a value, the same in each process.

    An address is left out where it is the value's own, or where the bracket of a
    ``<function f at 0x…>`` opens before it: others may be what the text is about.
    """
    if _KERNEL.search(text):
        text = _CELL.sub("<cell>", text)
    text = _SET.sub(_sorted, _CHANCE.sub(_without_address, text))
    return _HEXADECIMAL.sub(
        lambda found: "0x…" if int(found[1], 16) == id(value) else found[0], text
    )


def is_cell(file: str) -> bool:
    """Return whether a file's name is one that a kernel gave the code of a cell."""
    return _CELL_FILE.fullmatch(file) is not None


def _without_address(found: re.Match[str]) -> str:
    line = found.string[max(found.start() - _BEFORE, 0) : found.start()]
    in_bracket = _BRACKET.search(line, line.rfind("\n") + 1)
    return f"{found[1]}…" if in_bracket else found[0]


def _sorted(found: re.Match[str]) -> str:
    if "'" not in found[0] and '"' not in found[0]:
        return found[0]  # of numbers it is the same each time
    return f"{{{', '.join(sorted(_SETS_ITEM.findall(found[0])))}}}"
