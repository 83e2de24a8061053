"""Logins in a text: a user's name with a password, in addresses, commands and code."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from h2o_magic.prompts.secrets.looks import is_placeholder
from h2o_magic.prompts.secrets.matching import matches
from h2o_magic.prompts.secrets.names import secrecy

#: What they are, how they begin, and how they look.
_LOGINS = tuple(
    (what, starts.split(), re.compile(shape))
    for what, starts, shape in (
        (
            "an address with a password",
            "://",
            r"://(?P<user>[^\s/:@'\"\[]{0,200}):(?P<secret>[^\s/@'\"]{4,500})@",
        ),
        (
            "a login of netrc",
            "machine",
            (
                r"\bmachine[\s\"',]{1,40}\S{1,200}[\s\"',]{1,40}login[\s\"',]{1,40}"
                r"(?P<user>[^\s\"',]{1,200})[\s\"',]{1,40}(?:account\s{1,9}\S{1,99}\s{1,9})?"
                r"password[\s\"',]{1,40}(?P<secret>[^\s\"',]{1,500})"
            ),
        ),
        (
            "a login",
            "auth BasicAuth(",
            (
                r"(?:\bauth\s{0,5}=\s{0,5}\(|BasicAuth\()\s{0,20}"
                r"[\"'](?P<user>[^\"'\n]{0,100})[\"']\s{0,5},\s{0,20}"
                r"[\"'](?P<secret>[^\"'\n]{1,200})[\"']"
            ),
        ),
    )
)
_CURL = re.compile(
    r"(?<![\w-])(?:-u|--user|--proxy-user)[\s=,\"']{0,6}"
    r"(?P<user>[^\s:\"']{0,200}):(?P<secret>[^\s\"'`]{1,500})"
)
_BASIC = re.compile(r"\b[Bb]asic[ \t]{1,5}(?P<secret>[A-Za-z0-9+/]{8,1000}={0,2})")

#: How far a command's name is from its options, at most.
_NEAR = 500
_PASSWORD_WORDS = {
    *("pass", "passwd", "password", "pwd", "pw", "secret", "key", "token"),
    *("opensesame", "open sesame"),
}


def logins(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield what each login in a text is, and the span of its password."""
    for what, starts, pattern in _LOGINS:
        for match in matches(pattern, starts, text):
            if _is_password(match["user"], match["secret"]):
                yield (what, *match.span("secret"))
    for match in matches(_CURL, ["-u", "--user", "--proxy-user"], text):
        if _is_of_curl(text, match.start()) and _is_password(*match.groups()):
            yield ("a login of curl", *match.span("secret"))
    for match in matches(_BASIC, ["Basic", "basic"], text):
        user, _, password = _decoded(match["secret"]).partition(":")
        if _is_password(user, password):
            yield ("a login in base64", *match.span("secret"))


def _is_of_curl(text: str, place: int) -> bool:
    """Return whether an option is one of curl's, whose lines may be continued."""
    before = text[max(0, place - _NEAR) : place]
    _, curl, between = before.rpartition("curl")
    return bool(curl) and "\n" not in re.sub(r"\\\s*\n", "", between)


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
