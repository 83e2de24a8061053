"""The address of an OpenAI-compatible server, taken apart.

Pure. Users give it with or without the version segment that the API lives under.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from h2o_magic.config.url import check_base_url

#: What an address ends with that was taken from an example.
_ROUTE = re.compile(r"(?<=/)(?:chat/completions|completions|models)$")
_VERSION = re.compile(r"/v\d+[a-z0-9]*")


def split_address(url: object) -> tuple[str, str]:
    """Return a server's root, and the path of the API below it."""
    base = _ROUTE.sub("", check_base_url(url))
    path = urlsplit(base).path
    segment = path[path.rfind("/") :] if path else ""
    if _VERSION.fullmatch(segment):
        return base.removesuffix(segment), segment
    return base, "/v1"
