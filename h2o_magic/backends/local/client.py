"""Requests to the local server beside questions, over loopback.

The first one precedes every question, so this takes the standard library's client: it
needs about a millisecond.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from h2o_magic.config.url import Endpoint

_TIMEOUT = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class ServerState:
    """A local server that runs and answers."""

    endpoint: Endpoint
    pid: int
    version: str
    uptime: float
    slots: int
    busy_slots: int
    loaded: tuple[str, ...]


def state_of(endpoint: Endpoint, instance: str) -> ServerState | None:
    """Return what the server at an address says of itself; None if it is another."""
    health = json.loads(call(endpoint, "GET", "/health"))
    if not isinstance(health, dict):
        raise TypeError("expected an object")
    if health.get("instance") != instance:
        return None
    return ServerState(
        endpoint=endpoint,
        pid=health["pid"],
        version=health["version"],
        uptime=health["uptime"],
        slots=health["slots"],
        busy_slots=health["busy_slots"],
        loaded=tuple(health["loaded"]),
    )


def call(endpoint: Endpoint, verb: str, path: str, document: object = None) -> bytes:
    """Send one request, on a connection of its own, and return the response's body."""
    parts = urlsplit(endpoint.url)
    if parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError("not a loopback address")
    connection = http.client.HTTPConnection(
        parts.hostname, parts.port, timeout=_TIMEOUT
    )
    try:
        headers = {"Authorization": f"Bearer {endpoint.token}"}
        body = None if document is None else json.dumps(document)
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(verb, path, body, headers)
        return connection.getresponse().read()
    finally:
        connection.close()
