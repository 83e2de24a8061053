"""Texts that Python made of values, without what is there by chance.

A notebook that is run again, elsewhere, is to put the same text into its prompts.
Addresses, ids of threads, names of temporary files and the order of a set's items say
nothing to a model. A text of the user's own is never changed.
"""

from __future__ import annotations

import re

from h2o_magic.prompts.introspection import is_from

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
_FILE = r"[/\\](?:ipykernel|xpython)_\d+[/\\]{1,2}\d+\.py"
_CELL = re.compile(
    rf"(?:(?<=[\"'])[^\"'\n]{{0,300}}|[^\s\"'<>(]{{0,300}}){_FILE}|<ipython-input-[\w-]+>"
)
_CELL_FILE = re.compile(rf".*{_FILE}|<ipython-input-[\w-]+>")

_QUOTED = r"b?'(?:[^'\\\n]|\\.)*'|b?\"(?:[^\"\\\n]|\\.)*\""
_ITEM = re.compile(rf"{_QUOTED}|[\w.+-]+")
_SET = re.compile(rf"\{{(?:{_ITEM.pattern})(?:, (?:{_ITEM.pattern}))+\}}")

# What statsmodels writes of the moment at which it printed a model.
_PRINTED = re.compile(
    r"^(?:Date: +(?:\S+ \d\d \S+ \d{4}|[\d-]{10} \d\d:\d\d)|Time: +\d\d:\d\d:\d\d)",
    re.MULTILINE,
)


def stable(text: str, value: object = None) -> str:
    """Return what Python wrote of a value, the same in each process.

    An address is left out where it is the value's own, or where the bracket of a
    ``<function f at 0x…>`` opens before it: others may be what the text is about.
    """
    if _KERNEL.search(text):
        text = _CELL.sub("<cell>", text)
    if is_from(value, "statsmodels"):
        text = _PRINTED.sub(lambda found: found[0][:5].ljust(len(found[0])), text)
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
    return f"{{{', '.join(sorted(_ITEM.findall(found[0])))}}}"
