"""Secrets that a text assigns: ``DB_PASSWORD=...``, ``api_key="..."``.

Code and documentation are full of such names that are given no secret: a type, a
variable, a call, a placeholder. Only what looks like a secret's own text counts.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from h2o_magic.prompts.secrets.names import looks_random, secrecy, stands_in

# Something of this is in every name of a secret: there a closer look is worth it.
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
_PLACE = re.compile(r"(?:~|\.{0,2})/[\w./\-]*|[A-Za-z]:\\.*|\S*://\S*")

#: Shortest value that counts: in quotes, and bare.
_SHORT, _BARE = 6, 8
#: A word of letters only is a label (``"password": "Passwort"``) unless it is so long.
_LONG_WORD = 16
#: As long as a part of a key between dots, and longer than most names.
_LONG_PART = 20


def assigned_secrets(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each secret that a text gives a name: the name, and where it stands."""
    # A text may be written as a constant; what is replaced must stay as long.
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
    """Yield what is assigned to names that may be those of secrets, in linear time."""
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
    """Return whether a value without quotes is a text, and no code."""
    called = after in tuple("([{") or "==" in match["sign"]
    if len(value) < _BARE or called or _is_no_secret(value):
        return False
    argument = after in (",", ")")
    # As in an environment's file, where nothing but texts stand.
    plain = match["sign"] == "=" and match["name"].isupper() and not argument
    if not _NAMES.fullmatch(value):
        return plain or _has_digit(value)
    if "." in value:
        parts = value.split(".")
        return any(len(part) >= _LONG_PART and _has_digit(part) for part in parts)
    # Else it may be a variable, above all one of such a name.
    other = argument or secrecy(value) != "no" or not _has_digit(value)
    return plain or not (other or ("_" in value and secrecy(match["name"]) == "maybe"))


def _has_digit(text: str) -> bool:
    return re.search(r"\d", text) is not None


def _is_no_secret(value: str) -> bool:
    """Return whether a value stands for a secret, or is another thing altogether."""
    if not re.search(r"[^\W\d_]", value) or stands_in(value):
        return True
    if _PLACE.fullmatch(value):
        return True
    # The name of a secret: ``field = "user_password"``, ``api_key = my_api_key``.
    return bool(_NO_DIGIT.fullmatch(value)) and secrecy(value) != "no"
