"""Logins in a text: a user's name with a password, in addresses, commands and code."""

from __future__ import annotations

import base64
import re

from h2o_magic.prompts.secrets.looks import is_placeholder
from h2o_magic.prompts.secrets.matching import Match, shape
from h2o_magic.prompts.secrets.names import secrecy

#: How far a command's name is from its options, at most.
_NEAR = 500
_PASSWORD_WORDS = {
    *("pass", "passwd", "password", "pwd", "pw", "secret", "key", "token"),
    *("opensesame", "open sesame"),
}


def _is_login(match: Match) -> bool:
    return _is_password(match["user"], match["secret"])


def _is_of_curl(match: Match) -> bool:
    """Return whether an option is one of curl's, whose lines may be continued."""
    before = match.string[max(0, match.start() - _NEAR) : match.start()]
    _, curl, between = before.rpartition("curl")
    same_line = "\n" not in re.sub(r"\\\s*\n", "", between)
    return bool(curl) and same_line and _is_login(match)


def _is_encoded(match: Match) -> bool:
    user, _, password = _decoded(match["secret"]).partition(":")
    return _is_password(user, password)


def _is_password(user: str, password: str) -> bool:
    plain = password.strip().lower()
    is_name = secrecy(plain) != "no" and plain.replace("_", "").isalpha()
    return not (
        plain in _PASSWORD_WORDS
        or plain == user.lower()
        or is_name
        or is_placeholder(password)
    )


def _decoded(text: str) -> str:
    try:
        decoded = from_base64(text).decode()
    except ValueError:
        return ""
    return decoded if decoded.isprintable() else ""


def is_example_login(text: str) -> bool:
    """Return whether a text is base64 of a login that documentation shows."""
    user, _, password = _decoded(text).partition(":")
    return bool(password) and not _is_password(user, password)


def from_base64(text: str, altchars: bytes = b"+/") -> bytes:
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    return base64.b64decode(padded, altchars=altchars, validate=True)


LOGINS = (
    shape(
        "an address with a password",
        "://",
        _is_login,
        r"://(?P<user>[^\s/:@'\"\[]{0,200}):(?P<secret>[^\s/@'\"]{4,500})@",
    ),
    shape(
        "a login of netrc",
        "machine",
        _is_login,
        r"\bmachine[\s\"',]{1,40}\S{1,200}[\s\"',]{1,40}login[\s\"',]{1,40}"
        r"(?P<user>[^\s\"',]{1,200})[\s\"',]{1,40}(?:account\s{1,9}\S{1,99}\s{1,9})?"
        r"password[\s\"',]{1,40}(?P<secret>[^\s\"',]{1,500})",
    ),
    shape(
        "a login",
        "auth BasicAuth(",
        _is_login,
        r"(?:\bauth\s{0,5}=\s{0,5}\(|BasicAuth\()\s{0,20}"
        r"[\"'](?P<user>[^\"'\n]{0,100})[\"']\s{0,5},\s{0,20}"
        r"[\"'](?P<secret>[^\"'\n]{1,200})[\"']",
    ),
    shape(
        "a login of curl",
        "-u --user --proxy-user",
        _is_of_curl,
        r"(?<![\w-])(?:-u|--user|--proxy-user)[\s=,\"']{0,6}"
        r"(?P<user>[^\s:\"']{0,200}):(?P<secret>[^\s\"'`]{1,500})",
    ),
    shape(
        "a login in base64",
        "Basic basic",
        _is_encoded,
        r"\b[Bb]asic[ \t]{1,5}(?P<secret>[A-Za-z0-9+/]{8,1000}={0,2})",
    ),
)
