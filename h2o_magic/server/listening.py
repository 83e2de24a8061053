"""Where the server listens, and the address that this is."""

from __future__ import annotations

import ipaddress
import socket
import sys
from dataclasses import dataclass
from typing import Any

from h2o_magic.errors import ConfigurationError

__all__ = ["Place", "resolve", "url_of"]

_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Place:
    """An address of this machine to listen on.

    Attributes
    ----------
    host, port
        As they were given; port 0 takes a free one.
    family, address
        What they stand for.
    """

    host: str
    port: int
    family: socket.AddressFamily
    address: tuple[Any, ...]

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine can reach it."""
        return ipaddress.ip_address(_without_zone(self.address)).is_loopback

    def listen(self) -> socket.socket:
        """Listen there; on ``::`` for IPv4 as well.

        Raises
        ------
        ConfigurationError
            If it is no address of this machine, or the port is taken.
        """
        # With the protocol named, asyncio lets its connections send each write at once.
        # Without, Nagle's algorithm holds an answer's first event back until the
        # client has acknowledged the head: some 40 ms on Linux.
        listening = socket.socket(self.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if sys.platform != "win32":  # there it would share the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            if self.family == socket.AF_INET6:
                only = 0 if self.address[0] == "::" else 1
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            listening.bind(self.address)
        except OSError as error:
            listening.close()
            raise ConfigurationError(
                f"cannot listen on port {self.port} of {self.host}: {error.strerror}; "
                "choose another, or port 0 for a free one"
            ) from error
        listening.listen(_BACKLOG)
        return listening


def resolve(host: str, port: int) -> Place:
    """Return the place that a host and a port are.

    Parameters
    ----------
    host
        A name or an IPv4 or IPv6 address, the latter with or without brackets.
    port
        0 takes a free one.

    Raises
    ------
    ConfigurationError
        If the host has no address.
    """
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
    return Place(host, port, family, address)


def url_of(listening: socket.socket) -> str:
    """Return the URL at which a listening socket is reached."""
    name = listening.getsockname()
    host, port = _without_zone(name), name[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _without_zone(address: tuple[Any, ...]) -> str:
    # An IPv6 address may have a zone, such as fe80::1%eth0.
    return str(address[0]).partition("%")[0]
