"""The socket that the server listens on, and the address that this is."""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Any

from h2o_magic.errors import ConfigurationError

__all__ = ["is_loopback", "listen", "url_of"]

_BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """Listen on a host's address; on ``::`` for IPv4 as well.

    Parameters
    ----------
    host
        A name or an IPv4 or IPv6 address, the latter with or without brackets.
    port
        0 takes a free one.

    Raises
    ------
    ConfigurationError
        If the host has no address here, or the port is taken.
    """
    family, address = _resolve(host, port)
    listening = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would share the port with another program
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if family == socket.AF_INET6:
            only = 0 if address[0] == "::" else 1
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"cannot listen on port {port} of {host}: {error.strerror}; "
            "choose another, or port 0 for a free one"
        ) from error
    listening.listen(_BACKLOG)
    return listening


def is_loopback(listening: socket.socket) -> bool:
    """Whether only programs on this machine can reach a listening socket."""
    return ipaddress.ip_address(_address(listening)).is_loopback


def url_of(listening: socket.socket) -> str:
    """Return the URL at which a listening socket is reached."""
    host, port = _address(listening), listening.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _address(listening: socket.socket) -> str:
    # An IPv6 address may have a zone, such as fe80::1%eth0.
    return str(listening.getsockname()[0]).partition("%")[0]


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        found = socket.getaddrinfo(bare or None, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"expected --host to be a name or address of this machine, got {host!r}: "
            f"{getattr(error, 'strerror', None) or 'it is no name'}"
        ) from error
    # `localhost` may be both; old clients know only the IPv4 one.
    family, _, _, _, address = min(found, key=lambda f: f[0] != socket.AF_INET)
    return family, address
