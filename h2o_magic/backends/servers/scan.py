"""What answers on this machine, on the ports that servers usually have.

Only 127.0.0.1 is asked, and only when the user says so.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from h2o_magic.backends.detect import Found, detect
from h2o_magic.backends.http import Timeouts
from h2o_magic.backends.servers.known import suggested_name
from h2o_magic.config.url import Endpoint
from h2o_magic.errors import BackendError, ConfigurationError, TimedOutError

#: vLLM and others; SGLang; Ollama; llama.cpp and TGI; LM Studio; h2oGPT; TGI in
#: containers; LiteLLM.
PORTS = (8000, 8001, 30000, 11434, 8080, 1234, 5000, 5001, 3000, 4000)

_HOST = "127.0.0.1"
_CONNECT_TIMEOUT = 0.3  # seconds
_TIMEOUTS = Timeouts(connect=1, first_byte=2, idle=1, overall=5)


@dataclass(frozen=True, slots=True)
class OpenPort:
    """An open port: the server found there with a name for it, or why there is none."""

    url: str
    found: Found | None = None
    name: str = ""
    why: str = ""


def scan(ports: Iterable[int] = PORTS) -> tuple[OpenPort, ...]:
    """Probe this machine's ports, all at once; return the open ones in this order."""
    with ThreadPoolExecutor(max_workers=len(PORTS)) as pool:
        return tuple(filter(None, pool.map(_probe, ports)))


def _probe(port: int) -> OpenPort | None:
    try:
        socket.create_connection((_HOST, port), _CONNECT_TIMEOUT).close()
    except OSError:
        return None
    url = f"http://{_HOST}:{port}"
    try:
        found = detect(Endpoint(url), timeouts=_TIMEOUTS)
    except TimedOutError:
        return OpenPort(url, why=f"no answer within {_TIMEOUTS.first_byte:g} s")
    except (BackendError, ConfigurationError):
        return OpenPort(url, why="another program answers")
    return OpenPort(url, found, suggested_name(url, found.engine or found.dialect))
