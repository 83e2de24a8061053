"""Secrets that are known by how they look, or by what stands before them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from h2o_magic.prompts.secrets.logins import from_base64, logins
from h2o_magic.prompts.secrets.looks import is_placeholder, looks_random
from h2o_magic.prompts.secrets.matching import matches

#: What services give out: what it is, how it begins, and the rest. Each begins where no
#: word does, so that no text is read twice.
_SERVICES = (
    ("an Anthropic key", "sk-ant-", r"[\w-]{20,}"),
    # The classes of scikit-learn's pages begin alike, and hold no digits.
    ("an OpenAI-style key", "sk-", r"(?=[A-Za-z_-]*\d)[\w-]{20,}"),
    ("a Hugging Face token", "hf_ api_org_", r"[A-Za-z0-9]{30,}"),
    ("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"[A-Za-z0-9]{36,}"),
    ("a GitHub token", "github_pat_", r"\w{40,}"),
    ("a GitLab token", "glpat- glptt- glrt- gldt-", r"[\w-]{20,}"),
    ("an AWS access key", "AKIA ASIA", r"[0-9A-Z]{16}(?![\w-])"),
    (
        "a Slack token",
        "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xapp-",
        r"(?=[A-Za-z-]*\d)[A-Za-z0-9-]{20,}",
    ),
    ("a Google key", "AIza", r"[\w-]{35}"),
    ("a Google key", "GOCSPX- ya29.", r"[\w-]{20,}"),
    ("a Stripe key", "sk_live_ sk_test_ rk_live_ rk_test_", r"[A-Za-z0-9]{16,}"),
    ("a Stripe key", "whsec_", r"[A-Za-z0-9]{24,}"),
    ("an npm token", "npm_", r"[A-Za-z0-9]{36,}"),
    ("a PyPI token", "pypi-", r"[\w-]{50,}"),
    ("a Databricks token", "dapi", r"[0-9a-f]{32}"),
    ("a SendGrid key", "SG.", r"[\w-]{20,}\.[\w-]{20,}"),
    (
        "an access token",
        (
            "gsk_ xai- nvapi- pplx- r8_ dop_v1_ hvs. tskey- shpat_ glsa_ sntrys_ "
            "lin_api_ ntn_ dckr_pat_"
        ),
        r"(?=[A-Za-z_-]*\d)[\w-]{30,}",
    ),
)
_SERVICE = tuple(
    (what, start, re.compile(rf"(?<![\w-]){re.escape(start)}{rest}", re.ASCII))
    for what, starts, rest in _SERVICES
    for start in starts.split()
)
_WEB_TOKEN = re.compile(
    r"(?<![\w-])(?P<header>e(?:y[JA]|wo)[\w-]{8,})\.[\w-]{2,}\.[\w-]{8,}", re.ASCII
)

_KEY_BEGINS = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\\]{1,20}(?=[\w+/])"
)
_CUT_SHORT = re.compile(r"\.{3}|…|<")
_KEY_ENDS = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")

#: What documentation writes in place of a key, as a word of its own.
_EXAMPLE = re.compile(
    r"EXAMPLE|x{6}|\*{3}|\.{3}|…|(?:^|[^a-z0-9])(?:your|fake|dummy|placeholder)"
    r"(?:$|[^a-z0-9])",
    re.IGNORECASE,
)

#: Secrets in a place where nothing else stands: what they are, how it begins, and how
#: it looks.
_PLACED = tuple(
    (what, starts.split(), re.compile(shape, re.ASCII))
    for what, starts, shape in (
        (
            "an AWS secret key",
            "secret Secret SECRET",
            (
                r"(?i:secret[_ -]?(?:access[_ -]?)?key)\W{1,12}"
                r"(?P<secret>[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))"
            ),
        ),
        (
            "a bearer token",
            "bearer Bearer",
            r"\b[Bb]earer[ \t]{1,5}(?P<secret>[\w.~+/-]{16,2000})",
        ),
        (
            "a signed address",
            "?sig= &sig= ?X- &X-",
            r"[?&](?:sig|X-(?:Amz|Goog)-Signature)=(?P<secret>[\w%+/-]{30,1000})",
        ),
        (
            "the address of a webhook",
            "hooks.slack.com/ discord",
            (
                r"(?:hooks\.slack\.com/services/\w{6,20}/\w{6,20}"
                r"|discord(?:app)?\.com/api/webhooks/\d{5,30})/(?P<secret>[\w-]{16,200})"
            ),
        ),
    )
)

#: What a word has in which one of these secrets stands: how they begin.
STARTS = (
    *(start for _, start, _ in _SERVICE),
    *("eyJ", "eyA", "ewo", "sig=", "X-", "hooks.slack.com/", "discord"),
)

#: Characters of a private key that show whether it is one of documentation.
_BEGINNING = 500


def shaped(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield what each secret in a text is, and its span, in linear time."""
    yield from _private_keys(text)
    for what, start, service in _SERVICE:
        for match in matches(service, [start], text):
            if not _EXAMPLE.search(match[0]):
                yield (what, *match.span())
    for match in matches(_WEB_TOKEN, ["eyJ", "eyA", "ewo"], text):
        if _is_header(match["header"]):
            yield ("a JSON Web Token", *match.span())
    for what, starts, place in _PLACED:
        for match in matches(place, starts, text):
            secret = match["secret"]
            example = is_placeholder(secret) or _EXAMPLE.search(secret)
            if looks_random(secret) and not example:
                yield (what, *match.span("secret"))
    yield from logins(text)


def _private_keys(text: str) -> Iterator[tuple[str, int, int]]:
    end = 0
    while begins := _KEY_BEGINS.search(text, end):
        ends = _KEY_ENDS.search(text, begins.end())
        end = ends.end() if ends else len(text)
        body = text[begins.end() : ends.start() if ends else end]
        if not _CUT_SHORT.search(body[:_BEGINNING]):
            yield "a private key", begins.start(), end


def _is_header(part: str) -> bool:
    try:
        header = json.loads(from_base64(part, altchars=b"-_"))
    except ValueError:
        return False
    return isinstance(header, dict) and "alg" in header
