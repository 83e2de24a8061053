"""Where the API of an OpenAI-compatible server may be, as its address says it.

Pure. Documentation prints the base of the API, with a version at its end (``/v1``) or
without (``/v1beta/openai``, ``/inference``, ``/api``), the server's root, or a route.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from h2o_magic.config.url import check_base_url

#: The routes of the API, below its base.
_ROUTE = re.compile(
    r"/(?:chat/completions|completions|responses|embeddings|messages|models"
    r"|audio/\w+|images/\w+|moderations|rerank"
    r"|(?<=/v\d/)(?:batches|files|realtime|score|models/[^/:]+))$"
)
#: Other routes of the same programs: of Ollama and KoboldCpp, llama.cpp and
#: text-generation-inference, of their pages and metrics, of Gemini and Databricks.
_OTHER_ROUTE = re.compile(
    r"/(?:api/(?:v\d+/)?(?:chat|embed|generate|ps|pull|show|tags|version)"
    r"|apply-template|completion|detokenize|embedding|generate(?:_stream)?|info|ping"
    r"|props|slots|tokenize|docs|redoc|openapi\.json|metrics|health(?:/\w+)?"
    r"|models/[^/:]+:\w+"
    r"|(?<=/serving-endpoints/)[^/]+/invocations)$"
)
_VERSION = re.compile(r"/v\d+[a-z0-9]*$")
_PARTS = re.compile(r"(\w+://[^/]+)(.*?)(/api)?(/v\d+[a-z0-9]*)?")


class Address(NamedTuple):
    """An address, read: without a route, the root, and the paths of the API below it.

    The paths are those where the API may be, in the order in which to look.
    """

    base: str
    root: str
    apis: tuple[str, ...]

    @property
    def questions(self) -> tuple[str, ...]:
        """The paths where questions may go: a version leaves no doubt."""
        return self.apis[:1] if _VERSION.search(self.apis[0]) else self.apis

    @property
    def places(self) -> list[str]:
        """The addresses where the API may be."""
        return [self.root + api for api in self.apis]


def read_address(url: object) -> Address:
    """Read an address; ConfigurationError if it is none."""
    whole = check_base_url(url)
    base = _OTHER_ROUTE.sub("", whole)
    named = _ROUTE.sub("", base)
    parts = _PARTS.fullmatch(named)
    origin, path, api, version = parts.groups("") if parts else (named, "", "", "")
    apis = _apis(path, api, version, certain=named != base)
    return Address(named, origin + path, tuple(dict.fromkeys(apis)))


def _apis(path: str, api: str, version: str, *, certain: bool) -> list[str]:
    if api:  # also where programs have an API of their own beside this one
        return [api + version, api + (version or "/v1"), "/v1"]
    if version:
        return [version, f"{version}/openai"]
    if path:
        return ["", "/v1"]
    return [""] * certain + ["/v1", "", "/api", "/openai/v1"]


def address_of(place: str, given: str) -> str:
    """Return how to write the address of an API, so that it is looked for there first.

    It is the address that was `given`, if possible.
    """
    base, root, _ = read_address(given)
    spellings = (base, root, place, f"{place}/chat/completions")
    return next(url for url in spellings if read_address(url).places[0] == place)


def without_list(given: str) -> str:
    """Return how to write the address of a server that does not list its models.

    Unless it has a version, only its first question will show where its API is.
    """
    address = read_address(given)
    route = "" if _VERSION.search(address.base) else "/chat/completions"
    return address.base + route


def below(api: str) -> str:
    """Return the path below which a server has what is not part of the API."""
    return _VERSION.sub("", api)


def same_server(one: str, other: str) -> bool:
    """Return whether two addresses are the same server's, with ``/v1`` or without."""
    first, second = read_address(one), read_address(other)
    return (
        first.root == second.root
        or first.places[0] in second.places
        or second.places[0] in first.places
    )
