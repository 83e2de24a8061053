"""Secrets in a text: found by their looks, or known from variables.

One list of findings for those who refuse a text and for those who mask it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from h2o_magic.prompts.secrets.assignments import assigned_secrets
from h2o_magic.prompts.secrets.names import (
    holds_secret,
    looks_random,
    secrecy,
    stands_in,
)

# Every process has some of these, and nothing else has several.
_USUAL = (
    "PATH HOME USER SHELL PWD OLDPWD LANG TERM LOGNAME HOSTNAME SHLVL TMPDIR DISPLAY "
    "VIRTUAL_ENV PYTHONPATH MPLBACKEND USERPROFILE USERNAME APPDATA LOCALAPPDATA TEMP "
    "SYSTEMROOT SYSTEMDRIVE COMSPEC WINDIR PATHEXT PROGRAMFILES COMPUTERNAME"
)
USUAL_VARIABLES = frozenset(_USUAL.split())

#: Shortest value of a variable that is searched for in a text.
_SHORTEST = 8

_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)"
    r"|\b(?:sk-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{36,}"
    r"|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}"
    r"|xox[abprs]-[A-Za-z0-9-]{20,}|AIza[0-9A-Za-z_-]{35})(?![A-Za-z0-9_-])",
    re.DOTALL,
)
#: The password in an address: ``postgres://ada:PASSWORD@host``.
_ADDRESS = re.compile(r"://[^\s/:@'\"\[]{0,200}:(?P<password>[^\s/@'\"]{1,500})@")
_PASSWORD_WORDS = {"pass", "passwd", "password", "pwd", "pw", "secret", "key", "token"}


@dataclass(frozen=True, slots=True)
class Known:
    """A secret that the process or the notebook keeps in a variable."""

    what: str
    value: str = field(repr=False)

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where it stands in a text; an ordinary word only if it is all of it."""
        if text.strip() == self.value:
            yield 0, len(text)
        elif not self.value.isalpha():
            start = text.find(self.value)
            while start >= 0:
                end = start + len(self.value)
                yield start, end
                start = text.find(self.value, end)


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in a text.

    Attributes
    ----------
    what : str
        What it is, in words that show none of it.
    start, end : int
        Where it stands.
    """

    what: str
    start: int
    end: int


def of_environment(environment: Mapping[str, str]) -> Iterator[Known]:
    """Yield the secrets of the process's environment, by the names of its variables."""
    for name, value in environment.items():
        if name not in USUAL_VARIABLES and _may_be_searched(name, value):
            yield Known(f"the environment's {name}", value)


def of_notebook(variables: Mapping[str, object]) -> Iterator[Known]:
    """Yield the secrets among a notebook's variables, by their names.

    A name like ``token`` may be a word's, so its value must look like a secret, too.
    """
    for name, value in tuple(variables.items()):
        if not isinstance(value, str) or not _may_be_searched(name, value):
            continue
        if secrecy(name) == "surely" or looks_random(value):
            yield Known(f"the value of {name}", value)


def secrets_in(text: str, known: Iterable[Known] = ()) -> Iterator[Found]:
    """Yield the secrets in a text: the known ones, then those told by their looks."""
    for secret in known:
        for start, end in secret.places(text):
            yield Found(secret.what, start, end)
    for match in _SHAPES.finditer(text):
        yield Found(f"a key ({match[0][:4]}…)", *match.span())
    for match in _ADDRESS.finditer(text):
        password = match["password"]
        if password.lower() not in _PASSWORD_WORDS and not stands_in(password):
            yield Found("an address with a password", *match.span("password"))
    for name, start, end in assigned_secrets(text):
        yield Found(f"what looks like the secret of {name}", start, end)


def masked(text: str, known: Iterable[Known] = ()) -> str:
    """Return a text with ``***`` in the place of each secret."""
    parts: list[str] = []
    end = 0
    for found in sorted(secrets_in(text, known), key=lambda found: found.start):
        if found.end <= end:
            continue
        if found.start >= end:
            parts += [text[end : found.start], "***"]
        end = found.end
    return "".join([*parts, text[end:]])


def _may_be_searched(name: str, value: str) -> bool:
    return (
        len(value) >= _SHORTEST
        and secrecy(name) != "no"
        and holds_secret(name, value)
        and not _is_path(value)
    )


def _is_path(value: str) -> bool:
    """Return whether a variable names a file or a folder, which may hold the secret.

    What is there counts, or a file's ending: a key may begin with a slash.
    """
    path = os.path.expanduser(value)
    if not os.path.isabs(path) or "\0" in path:
        return False
    return bool(os.path.splitext(path)[1]) or os.path.exists(path)
