"""Secrets in a text: known from variables, shaped like keys, or assigned to names.

Code and documentation are full of names like ``api_key`` that are given no secret: a
type, a variable, a call, a placeholder. Only what looks like a secret itself counts.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from h2o_magic.prompts.secrets.known import Known
from h2o_magic.prompts.secrets.logins import is_example_login
from h2o_magic.prompts.secrets.looks import (
    is_placeholder,
    looks_like_key,
    looks_random,
)
from h2o_magic.prompts.secrets.matching import matches, places
from h2o_magic.prompts.secrets.names import Secrecy, secrecy
from h2o_magic.prompts.secrets.quick import STEMS, is_plain
from h2o_magic.prompts.secrets.shapes import shaped

# Every name of a secret contains one of these; the search begins there.
_STEMS = tuple(s for stem in STEMS for s in (stem, stem.upper(), stem.title()))
_NAME_CHARACTERS = f"{string.ascii_letters}{string.digits}_.-"
_LONGEST_NAME = 80
_ASSIGNED = re.compile(
    r"""(?P<name>[\w.\-]{1,160})  # also a key: "api_key": ...
    ["']?\]?
    (?:[ \t]{0,20}:[ \t]{0,20}[\w.\[\]|,\ ]{1,60}?(?==))?  # an annotation
    (?P<sign>[ \t]{0,20}(?:==|:=|=>|=|:)[ \t]{0,20})
    (?:
        (?P<prefix>[rbfuRBFU]{0,2})["'](?P<quoted>[^"'\n]{1,500})
        | (?:(?:Bearer|Basic|[Tt]oken|ApiKey|Key|Bot)[ \t]{1,5})?
          (?P<bare>[^\s"'`,;(){}\[\]<>&|]{1,500})
    )""",
    re.VERBOSE,
)
#: A secret beside its name: ``{"name": "password", "value": ...}``.
_RECORD = re.compile(
    r"""(?<!\w)name["']?\s{0,5}[:=]\s{0,5}["']?(?P<name>[\w.\-]{1,80})["']?
    [\s,;]{1,40}["']?value["']?\s{0,5}[:=]\s{0,5}["']?(?P<value>[^\s"',}]{1,500})""",
    re.VERBOSE,
)
#: A secret after its option: ``--password ...``.
_OPTION = re.compile(
    r"(?<![\w-])--(?P<name>[A-Za-z][\w-]{1,60})[\"']?[ \t,]{1,5}[\"']?"
    r"(?P<value>[^\s\"'`,;(){}\[\]<>&|]{1,500})"
)
_SCHEME = re.compile(r"(?:Bearer|Basic|Token)\s+", re.IGNORECASE)
_FIELD = re.compile(r"\$?\{[^{}]*\}")
#: ``--secret id=key,src=...``
_IS_FIELD = re.compile(r"[a-z_]+=.")
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
class Found:
    """A secret in a text: where it is, and what, in words that show nothing of it."""

    what: str
    start: int
    end: int


def secrets_in(text: str, known: Iterable[Known] = ()) -> Iterator[Found]:
    """Yield the secrets in a text: the known ones first."""
    for secret in known:
        for start, end in secret.places(text):
            yield Found(secret.what, start, end)
    if not is_plain(text):
        yield from _searched(text)


def _searched(text: str) -> Iterator[Found]:
    text = _unescaped(text)
    for what, start, end in shaped(text):
        yield Found(what, start, end)
    for name, start, end in (*_assigned(text), *_beside(text)):
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


def _unescaped(text: str) -> str:
    """Return a text that may be the source of a string; its length is kept."""
    text = text.replace("\\n", " \n").replace("\\t", "  ").replace("\\r", "  ")
    return text.replace("\\'", " '").replace('\\"', ' "')


def _assigned(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each secret that a text assigns, with its name and span."""
    for match in _assignments(text):
        how = secrecy(match["name"])
        if how == "no":
            continue
        part = "quoted" if match["quoted"] is not None else "bare"
        value = match[part].strip()
        if part == "quoted":
            given = _SCHEME.sub("", value)
            value = _FIELD.sub("", given)
            is_made = value != given and not _has_digit(value)
            is_secret = _is_quoted_secret(value) and not is_made
        else:
            value = value.rstrip(".:\\")
            is_secret = _is_bare_secret(
                value, match, text[match.end() : match.end() + 1]
            )
        if is_secret and _fits(how, value, plain=_is_plain(match)):
            yield match["name"], *match.span(part)


def _beside(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each secret that stands beside its name, or after its option."""
    for pattern, start in ((_RECORD, "name"), (_OPTION, "--")):
        for match in matches(pattern, [start], text):
            how, value = secrecy(match["name"]), match["value"]
            if how == "no" or not _fits(how, value) or not _has_digit(value):
                continue
            if _is_quoted_secret(value) and not _IS_FIELD.match(value):
                yield match["name"], *match.span("value")


def _fits(how: Secrecy, value: str, *, plain: bool = False) -> bool:
    """Return whether a value is a secret where its name leaves that open."""
    match how:
        case "perhaps":
            return looks_like_key(value) or (plain and _has_digit(value))
        case "maybe":
            return looks_random(value)
    return True


def _assignments(text: str) -> Iterator[re.Match[str]]:
    """Yield assignments to names that may be secrets', in linear time."""
    end = 0
    for place in sorted(place for stem in _STEMS for place in places(stem, text)):
        if place < end:
            continue
        before = text[max(end, place - _LONGEST_NAME) : place]
        start = place - len(before) + len(before.rstrip(_NAME_CHARACTERS))
        match = _ASSIGNED.match(text, start)
        end = place + 1 if match is None else match.end()
        if match is not None:
            yield match


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
    plain = _is_plain(match) and not argument
    if not _NAMES.fullmatch(value):
        return plain or _has_digit(value)
    if "." in value:
        parts = value.split(".")
        return any(len(part) >= _LONG_PART and _has_digit(part) for part in parts)
    # Else it may be a variable, especially one with such a name.
    other = argument or secrecy(value) != "no" or not _has_digit(value)
    return plain or not (other or ("_" in value and secrecy(match["name"]) == "maybe"))


def _is_plain(match: re.Match[str]) -> bool:
    """Return whether it is as in an .env file, where all values are text."""
    bare = match["bare"] is not None
    return bare and match["sign"] == "=" and match["name"].isupper()


def _has_digit(text: str) -> bool:
    return re.search(r"\d", text) is not None


def _is_no_secret(value: str) -> bool:
    if not re.search(r"[^\W\d_]", value) or is_placeholder(value):
        return True
    if _PATH.fullmatch(value) or is_example_login(value):
        return True
    # The name of a secret: ``field = "user_password"``, ``api_key = my_api_key``.
    return bool(_NO_DIGIT.fullmatch(value)) and secrecy(value) != "no"
