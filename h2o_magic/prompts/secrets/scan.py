"""Secrets in a text: known from variables, shaped like keys, or assigned to names.

Code and documentation are full of names like ``api_key`` that are given no secret: a
type, a variable, a call, a placeholder. Only what looks like a secret itself counts.
"""

from __future__ import annotations

import os
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from h2o_magic.prompts.secrets.names import (
    holds_secret,
    is_placeholder,
    looks_random,
    secrecy,
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

# Every name of a secret contains one of these; the search begins there.
_STEM = "pass kennwort pwd secret credential key auth bearer token cookie session"
_STEMS = tuple(f"{_STEM} {_STEM.upper()} {_STEM.title()}".split())
_NAME_CHARACTERS = f"{string.ascii_letters}{string.digits}_.-"
_LONGEST_NAME = 80
_ASSIGNED = re.compile(
    r"""(?P<name>[\w.\-]{1,160})  # also a key: "api_key": ...
    ["']?\]?
    (?:[ \t]{0,20}:[ \t]{0,20}[\w.\[\]|,\ ]{1,60}?(?==))?  # an annotation
    (?P<sign>[ \t]{0,20}(?:==|:=|=>|=|:)[ \t]{0,20})
    (?:
        (?P<prefix>[rbfuRBFU]{0,2})["'](?P<quoted>[^"'\n]{1,500})
        | (?:(?:Bearer|Basic|Token)[ \t]+)?(?P<bare>[^\s"'`,;(){}\[\]<>&|]{1,500})
    )""",
    re.VERBOSE,
)
_SCHEME = re.compile(r"(?:Bearer|Basic|Token)\s+", re.IGNORECASE)
_FIELD = re.compile(r"\$?\{[^{}]*\}")
_NAMES = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_NO_DIGIT = re.compile(r"[A-Za-z_.\-]+")
_PATH = re.compile(r"(?:~|\.{0,2})/[\w./\-]*|[A-Za-z]:\\.*|\S*://\S*")

#: Shortest value that counts: in quotes, and bare.
_SHORT, _BARE = 6, 8
#: A word of letters only is a label (``"password": "Passwort"``) unless it is so long.
_LONG_WORD = 16
#: As long as a part of a key between dots, and longer than most names.
_LONG_PART = 20


@dataclass(frozen=True, slots=True)
class Known:
    """A secret in a variable of the process or of the notebook."""

    what: str
    value: str = field(repr=False)

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield its spans in a text; a plain word counts only as the whole text."""
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
    """A secret in a text: where it is, and what, in words that show nothing of it."""

    what: str
    start: int
    end: int


def of_environment(environment: Mapping[str, str]) -> Iterator[Known]:
    for name, value in environment.items():
        if name not in USUAL_VARIABLES and _may_be_searched(name, value):
            yield Known(f"the environment variable {name}", value)


def of_notebook(variables: Mapping[str, object]) -> Iterator[Known]:
    """Yield the secrets in a notebook's variables, by their names.

    A ``token`` may also be one of a text: its value must look like a secret, too.
    """
    for name, value in tuple(variables.items()):
        if not isinstance(value, str) or not _may_be_searched(name, value):
            continue
        if secrecy(name) == "surely" or looks_random(value):
            yield Known(f"the value of {name}", value)


def secrets_in(text: str, known: Iterable[Known] = ()) -> Iterator[Found]:
    """Yield the secrets in a text: the known ones first."""
    for secret in known:
        for start, end in secret.places(text):
            yield Found(secret.what, start, end)
    for match in _SHAPES.finditer(text):
        yield Found(f"a key ({match[0][:4]}…)", *match.span())
    for match in _ADDRESS.finditer(text):
        password = match["password"]
        if password.lower() not in _PASSWORD_WORDS and not is_placeholder(password):
            yield Found("an address with a password", *match.span("password"))
    for name, start, end in _assigned(text):
        yield Found(f"what looks like the secret of {name}", start, end)


def masked(text: str, known: Iterable[Known] = ()) -> str:
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
    """Return whether a path exists or has a suffix: a key may begin with a slash."""
    path = os.path.expanduser(value)
    if not os.path.isabs(path) or "\0" in path:
        return False
    return bool(os.path.splitext(path)[1]) or os.path.exists(path)


def _assigned(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each secret that a text assigns, with its name and span."""
    # A text may be the source of a string; the replacements keep the length.
    text = text.replace("\\n", " \n").replace("\\t", "  ").replace("\\r", "  ")
    text = text.replace("\\'", " '").replace('\\"', ' "')
    for match in _assignments(text):
        how = secrecy(match["name"])
        if how == "no":
            continue
        part = "quoted" if match["quoted"] is not None else "bare"
        value = match[part].strip()
        if part == "quoted":
            value = _FIELD.sub("", _SCHEME.sub("", value))
            is_secret = _is_quoted_secret(value)
        else:
            value = value.rstrip(".:\\")
            is_secret = _is_bare_secret(value, match, text[match.end() :][:1])
        if is_secret and (how == "surely" or looks_random(value)):
            yield match["name"], *match.span(part)


def _assignments(text: str) -> Iterator[re.Match[str]]:
    """Yield assignments to names that may be secrets', in linear time."""
    end = 0
    for place in sorted(place for stem in _STEMS for place in _places(stem, text)):
        if place < end:
            continue
        before = text[max(end, place - _LONGEST_NAME) : place]
        start = place - len(before) + len(before.rstrip(_NAME_CHARACTERS))
        match = _ASSIGNED.match(text, start)
        end = place + 1 if match is None else match.end()
        if match is not None:
            yield match


def _places(part: str, text: str) -> Iterator[int]:
    place = text.find(part)
    while place >= 0:
        yield place
        place = text.find(part, place + len(part))


def _is_quoted_secret(value: str) -> bool:
    if len(value) < _SHORT or re.search(r"\s", value) or _is_no_secret(value):
        return False
    return not value.isalpha() or len(value) >= _LONG_WORD


def _is_bare_secret(value: str, match: re.Match[str], after: str) -> bool:
    """Return whether a value without quotes is text, not code."""
    called = after in tuple("([{") or "==" in match["sign"]
    if len(value) < _BARE or called or _is_no_secret(value):
        return False
    argument = after in (",", ")")
    # As in an .env file, where all values are text.
    plain = match["sign"] == "=" and match["name"].isupper() and not argument
    if not _NAMES.fullmatch(value):
        return plain or _has_digit(value)
    if "." in value:
        parts = value.split(".")
        return any(len(part) >= _LONG_PART and _has_digit(part) for part in parts)
    # Else it may be a variable, especially one with such a name.
    other = argument or secrecy(value) != "no" or not _has_digit(value)
    return plain or not (other or ("_" in value and secrecy(match["name"]) == "maybe"))


def _has_digit(text: str) -> bool:
    return re.search(r"\d", text) is not None


def _is_no_secret(value: str) -> bool:
    if not re.search(r"[^\W\d_]", value) or is_placeholder(value):
        return True
    if _PATH.fullmatch(value):
        return True
    # The name of a secret: ``field = "user_password"``, ``api_key = my_api_key``.
    return bool(_NO_DIGIT.fullmatch(value)) and secrecy(value) != "no"
