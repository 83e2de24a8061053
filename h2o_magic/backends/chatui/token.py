"""What a user gives as the token of a chat-ui server: a bearer token, or a cookie.

Pure. A chat-ui with a login takes ``Authorization: Bearer`` on its ``/api`` routes
only; its conversations belong to the session of a cookie, which a browser has after
the login. So both can be given, and the form tells which it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from h2o_magic.endpoint import check_header_value
from h2o_magic.errors import ConfigurationError

__all__ = ["Credential"]

# A name as RFC 6265 has it, and a value. The "=" at the end of a bearer token in
# base64 has no value after it.
_COOKIE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=([^=].*)")


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """How the user is known to the server. Nothing of it is in ``repr``.

    Attributes
    ----------
    bearer : str or None
        Sent as ``Authorization: Bearer``.
    cookie : tuple of str or None
        Name and value of the session's cookie.
    """

    bearer: str | None = None
    cookie: tuple[str, str] | None = None

    @classmethod
    def of(cls, token: str | None) -> Credential:
        """Read a token as the user gives it.

        Parameters
        ----------
        token
            ``name=value`` (``hf-chat=...``) is a session cookie, as a browser shows it
            after the login; anything else a bearer token; None is a guest.

        Raises
        ------
        ConfigurationError
            If it cannot stand in a header. The message does not show it.
        """
        if token is None:
            return cls()
        check_header_value("the token", token)
        cookie = _COOKIE.fullmatch(token)
        if cookie is None:
            return cls(bearer=token)
        name, value = cookie.groups()
        if re.search(r'[;,"\\]', value):
            raise ConfigurationError(
                "expected one cookie as the token, name=value without ';' and quotes: "
                f"give {name!r} with its value alone"
            )
        return cls(cookie=(name, value))

    @property
    def given(self) -> bool:
        """Whether the user is anything but a guest."""
        return self != Credential()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'***' if self.given else ''})"
