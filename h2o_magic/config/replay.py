"""The setting ``replay``: whether stored answers are used, and which folder has them.

``off``, ``on``, ``only`` and ``refresh`` are modes, anything else is a folder, and
``only answers/`` is both. A folder alone means ``on``, a mode alone the folder that was
set before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, cast, get_args

from h2o_magic.config.parameter import BOOLEANS, PREFIX
from h2o_magic.errors import ConfigurationError, nearest

#: Ask as if nothing were stored; ask what is missing, and store it; never ask; ask all
#: again, and store it in place of what was.
ReplayMode = Literal["off", "on", "only", "refresh"]
MODES: tuple[str, ...] = get_args(ReplayMode)


class ReplayChoice(NamedTuple):
    """A mode, and a folder as it was written; empty for the user's own."""

    mode: ReplayMode = "off"
    folder: str = ""

    @classmethod
    def of(cls, text: str) -> ReplayChoice:
        """Read a value that :func:`checked` has returned."""
        first, _, rest = text.partition(" ")
        if first in MODES:
            return cls(cast(ReplayMode, first), rest)
        return cls("on", text)

    def __str__(self) -> str:
        folder = f"./{self.folder}" if self.folder in MODES else self.folder
        return " ".join(filter(None, (self.mode, folder)))


VARIABLE = f"{PREFIX}REPLAY"
#: A mode that something else than a space ends.
_SIGNS = r"[:,;=|]"
_MODE = "|".join(MODES)
_JOINED = re.compile(rf"(?:{_MODE}){_SIGNS}|.*{_SIGNS}(?:{_MODE})$", re.IGNORECASE)

NO_REPLAY = ReplayChoice()


def checked(value: object) -> str:
    """Return a value of the setting in its usual form, or raise ConfigurationError."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str) or not text.isprintable() or not text.strip():
        raise _refused(value)
    text = text.strip()
    mode, _, folder = text.partition(" ")
    if mode.lower() in MODES:
        return f"{mode.lower()} {folder.strip()}".strip()
    before, _, last = text.rpartition(" ")
    if last.lower() in MODES or _JOINED.match(text):
        folder = before if last.lower() in MODES else "answers/"
        raise _refused(value, f": a mode comes first, as in '{MODES[2]} {folder}'")
    if "/" not in mode and "\\" not in mode and (meant := _meant(mode)):
        raise _refused(
            value, f": did you mean {meant!r}? A folder of that name is ./{text}"
        )
    return text


def in_environment(given: object, environ: Mapping[str, str]) -> ReplayChoice:
    """Return what a program's argument means; None is what the environment says."""
    before = checked(environ.get(VARIABLE) or "off")
    return ReplayChoice.of(before if given is None else merged(before, checked(given)))


def _meant(word: str) -> str:
    """Return the mode that a word stands for, or is a slip for; empty if none."""
    switched = BOOLEANS.get(word.lower())
    if switched is not None:
        return "on" if switched else "off"
    return next(iter(nearest(word, MODES)), "")


def _refused(value: object, hint: str = "") -> ConfigurationError:
    return ConfigurationError(
        f"`replay` must be one of {', '.join(MODES)}, a folder such as answers/, or "
        f"both as in 'only answers/', got {value!r:.80}{hint}"
    )


def merged(before: str, new: str) -> str:
    """Return the value after `new` was set: what it leaves open stays as it was."""
    old, first = ReplayChoice.of(before), new.partition(" ")[0]
    if first not in MODES:  # a folder alone
        mode = old.mode if old.mode in ("only", "refresh") else "on"
        return str(ReplayChoice(mode, new))
    choice = ReplayChoice.of(new)
    return str(choice if choice.folder else choice._replace(folder=old.folder))
