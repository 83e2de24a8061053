"""Secrets that are known by how they look, or by what stands around them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator

from h2o_magic.prompts.secrets.looks import is_placeholder, looks_random
from h2o_magic.prompts.secrets.names import secrecy

Shaped = tuple[str, int, int]

#: What services give out; each begins where no word does, so no text is read twice.
_SERVICES = (
    ("an Anthropic key", r"sk-ant-[\w-]{20,}"),
    # The classes of scikit-learn's pages begin alike, and hold no digits.
    ("an OpenAI-style key", r"sk-(?=[A-Za-z_-]*\d)[\w-]{20,}"),
    ("a Hugging Face token", r"(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    ("a GitHub token", r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,}"),
    ("a GitLab token", r"gl(?:pat|ptt|rt|dt)-[\w-]{20,}"),
    ("an AWS access key", r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![\w-])"),
    ("a Slack token", r"(?:xox[abeoprs]|xapp)-(?=[A-Za-z-]*\d)[A-Za-z0-9-]{20,}"),
    ("a Google key", r"AIza[\w-]{35}|GOCSPX-[\w-]{20,}|ya29\.[\w-]{30,}"),
    ("a Stripe key", r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{24,}"),
    ("an npm token", r"npm_[A-Za-z0-9]{36,}"),
    ("a PyPI token", r"pypi-[\w-]{50,}"),
    ("a Databricks token", r"dapi[0-9a-f]{32}"),
    ("a SendGrid key", r"SG\.[\w-]{20,}\.[\w-]{20,}"),
    (
        "an access token",
        (
            r"(?:gsk_|xai-|nvapi-|pplx-|r8_|dop_v1_|hvs\.|tskey-|shp(?:at|ca|pa|ss)_|glsa_"
            r"|sntrys_|lin_api_|ntn_|dckr_pat_)(?=[A-Za-z_-]*\d)[\w-]{30,}"
        ),
    ),
)
_SERVICE = re.compile(
    "|".join(f"(?P<kind{n}>{shape})" for n, (_, shape) in enumerate(_SERVICES)).join(
        ["(?<![A-Za-z0-9_-])(?:", ")"]
    ),
    re.ASCII,
)
_WEB_TOKEN = re.compile(
    r"(?<![\w-])(?P<header>e(?:y[JA]|wo)[\w-]{8,})\.[\w-]{2,}\.[\w-]{8,}", re.ASCII
)

_KEY_BEGINS = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----\s{1,20}(?=[\w+/])"
)
_CUT_SHORT = re.compile(r"\.{3}|…|<")
_KEY_ENDS = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")

#: What documentation writes in place of a key, as a word of its own.
_EXAMPLE = re.compile(
    r"EXAMPLE|x{6}|\*{3}|\.{3}|…|(?:^|[^a-z0-9])(?:your|fake|dummy|placeholder)"
    r"(?:$|[^a-z0-9])",
    re.IGNORECASE,
)

#: Secrets in a place where nothing else stands.
_PLACES = (
    (
        "an AWS secret key",
        (
            r"(?i:secret[_ -]?(?:access[_ -]?)?key)\W{1,12}"
            r"(?P<secret>[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))"
        ),
    ),
    ("a bearer token", r"\b[Bb]earer[ \t]{1,5}(?P<secret>[\w.~+/-]{16,2000})"),
    (
        "a signed address",
        r"[?&](?:sig|X-(?:Amz|Goog)-Signature)=(?P<secret>[\w%+/-]{30,1000})",
    ),
    (
        "the address of a webhook",
        (
            r"(?:hooks\.slack\.com/services/\w{6,20}/\w{6,20}"
            r"|discord(?:app)?\.com/api/webhooks/\d{5,30})/(?P<secret>[\w-]{16,200})"
        ),
    ),
)
_PLACED = tuple((what, re.compile(shape, re.ASCII)) for what, shape in _PLACES)

#: A user's name and password.
_LOGINS = (
    (
        "an address with a password",
        r"://(?P<user>[^\s/:@'\"\[]{0,200}):(?P<secret>[^\s/@'\"]{1,500})@",
    ),
    (
        "a login of netrc",
        (
            r"\bmachine[\s\"',]{1,40}\S{1,200}[\s\"',]{1,40}login[\s\"',]{1,40}"
            r"(?P<user>[^\s\"',]{1,200})[\s\"',]{1,40}(?:account\s{1,20}\S{1,200}\s{1,20})?"
            r"password[\s\"',]{1,40}(?P<secret>[^\s\"',]{1,500})"
        ),
    ),
    (
        "a login",
        (
            r"(?:\bauth\s{0,5}=\s{0,5}\(|BasicAuth\()\s{0,20}"
            r"[\"'](?P<user>[^\"'\n]{0,100})[\"']\s{0,5},\s{0,20}"
            r"[\"'](?P<secret>[^\"'\n]{1,200})[\"']"
        ),
    ),
)
_LOGIN = tuple((what, re.compile(shape)) for what, shape in _LOGINS)
_CURL = re.compile(
    r"(?<![\w-])(?:-u|--user|--proxy-user)[\s=,\"']{0,6}"
    r"(?P<user>[^\s:\"']{0,200}):(?P<secret>[^\s\"'`]{1,500})"
)
_BASIC = re.compile(r"\b[Bb]asic[ \t]{1,5}(?P<secret>[A-Za-z0-9+/]{8,1000}={0,2})")

#: How far a command's name is from its options, at most; what of a key is looked at.
_NEAR = 500
_PASSWORD_WORDS = {
    *("pass", "passwd", "password", "pwd", "pw", "secret", "key", "token"),
    *("opensesame", "open sesame"),
}


def shaped(text: str) -> Iterator[Shaped]:
    """Yield what each secret in a text is, and its span, in linear time."""
    yield from _private_keys(text)
    for match in _SERVICE.finditer(text):
        if not _EXAMPLE.search(match[0]):
            kind = (match.lastgroup or "").removeprefix("kind")
            yield (_SERVICES[int(kind)][0], *match.span())
    for match in _WEB_TOKEN.finditer(text):
        if _is_header(match["header"]):
            yield ("a JSON Web Token", *match.span())
    for what, pattern in _PLACED:
        for match in pattern.finditer(text):
            secret = match["secret"]
            example = is_placeholder(secret) or _EXAMPLE.search(secret)
            if looks_random(secret) and not example:
                yield (what, *match.span("secret"))
    yield from _logins(text)


def is_example_login(text: str) -> bool:
    """Return whether a text is base64 of a login that documentation shows."""
    user, _, password = _decoded(text).partition(":")
    return bool(password) and not _is_password(user, password)


def _private_keys(text: str) -> Iterator[Shaped]:
    end = 0
    while begins := _KEY_BEGINS.search(text, end):
        ends = _KEY_ENDS.search(text, begins.end())
        end = ends.end() if ends else len(text)
        body = text[begins.end() : ends.start() if ends else end]
        if not _CUT_SHORT.search(body[:_NEAR]):
            yield "a private key", begins.start(), end


def _is_header(part: str) -> bool:
    try:
        header = json.loads(_from_base64(part, altchars=b"-_"))
    except ValueError:
        return False
    return isinstance(header, dict) and "alg" in header


def _logins(text: str) -> Iterator[Shaped]:
    for what, pattern in _LOGIN:
        for match in pattern.finditer(text):
            if _is_password(match["user"], match["secret"]):
                yield (what, *match.span("secret"))
    for match in _CURL.finditer(text):
        if _is_of_curl(text, match.start()) and _is_password(*match.groups()):
            yield ("a login of curl", *match.span("secret"))
    for match in _BASIC.finditer(text):
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
        decoded = _from_base64(text).decode()
    except ValueError:
        return ""
    return decoded if decoded.isprintable() else ""


def _from_base64(text: str, altchars: bytes = b"+/") -> bytes:
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    return base64.b64decode(padded, altchars=altchars, validate=True)
