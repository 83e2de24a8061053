"""Where a server's key comes from, and the keys that this kernel was told.

A key is read each time that a server is connected to. It is never written anywhere, and
goes to no other server than the one whose entry names its source.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from h2o_magic.config.url import check_header_value
from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.prompts.secrets.names import looks_random
from h2o_magic.prompts.secrets.scan import secrets_in

_Kind = Literal["none", "env", "keyring", "prompt"]

#: The user under whose name the keyring is asked first.
_USER = "h2o-magic"


def _looks_like_a_key(name: str) -> bool:
    """Return whether a name is rather a key, given in its place by mistake."""
    long = len(name) >= 20 and looks_random(name) and not name.isupper()
    return long or any(secrets_in(name))


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a server's key comes from; never the key."""

    kind: _Kind = "none"
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(_Kind):
            raise ConfigurationError(
                f"expected a source of a key, one of {', '.join(get_args(_Kind))}, "
                f"got {self.kind!r}"
            )
        wanted, pattern = {
            "env": ("the NAME of an environment variable", r"[A-Za-z_]\w{0,99}"),
            "keyring": ("the name of a service in the keyring", r"[^\x00-\x1f]{1,200}"),
        }.get(self.kind, ("no name", ""))
        if not re.fullmatch(pattern, self.name) or _looks_like_a_key(self.name):
            raise ConfigurationError(
                f"expected {wanted} where the key is, got something else (not shown: "
                "it may be the key itself)"
            )

    def __str__(self) -> str:
        """Say in words where the key comes from."""
        return {
            "none": "no key",
            "env": f"{self.name} in the environment",
            "keyring": f"{self.name} in the keyring",
            "prompt": "asked for, kept in memory",
        }[self.kind]


NO_KEY = KeySource()


def key_source(
    *, key_env: str = "", key_ring: str = "", key_prompt: bool = False
) -> KeySource | None:
    """Return the one source of a key that was given; None if none was.

    Raises
    ------
    ConfigurationError
        If more than one was given, or a name is none.
    """
    given = [
        *([KeySource("env", key_env)] if key_env else []),
        *([KeySource("keyring", key_ring)] if key_ring else []),
        *([KeySource("prompt")] if key_prompt else []),
    ]
    if len(given) > 1:
        raise ConfigurationError(
            "expected one source of the key, got several: give the name of a variable, "
            "or of a service in the keyring, or let the key be asked for"
        )
    return given[0] if given else None


class Keys:
    """The keys of one kernel's servers, read where they are kept."""

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        ask: Callable[[str], str] = getpass.getpass,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._ask = ask
        self._told: dict[str, str] = {}

    def read(self, source: KeySource, url: str) -> str | None:
        """Return the key of the server at `url`; None if it needs none.

        Raises
        ------
        ConfigurationError
            If it is not there, or can be no key; ``MissingExtraError`` if there is no
            keyring package.
        """
        match source.kind:
            case "none":
                return None
            case "env":
                key = self._environ.get(source.name, "")
                hint = f"the environment variable {source.name} is not set: set it"
            case "keyring":
                key = _from_keyring(source.name)
                hint = (
                    f"the keyring has nothing for {source.name!r}: put the key there "
                    f"with `keyring set {source.name} {_USER}`"
                )
            case "prompt":
                key = self._told.get(url, "")
                hint = "it is not held in this kernel: connect again, and it is asked"
        if not key.strip():
            raise ConfigurationError(f"the key for {url} is missing: {hint}")
        return check_header_value(f"the key for {url} ({source})", key.strip())

    def ask(self, url: str) -> None:
        """Ask the user for the key of the server at `url`, and hold it in memory.

        Raises
        ------
        ConfigurationError
            If nobody can be asked here, or what is given can be no key.
        """
        try:
            key = self._ask(f"Key for {url}: ")
        # A front end without input raises ipykernel's kind of NotImplementedError.
        except (EOFError, NotImplementedError, OSError):
            raise ConfigurationError(
                f"the key for {url} cannot be asked for here: take it from a variable "
                "of the environment (`--key-env`) or the keyring (`--key-ring`)"
            ) from None
        self._told[url] = check_header_value(f"the key for {url}", key.strip())

    def holds(self, url: str) -> bool:
        """Return whether the user has told the key of the server at `url`."""
        return url in self._told

    def drop(self, url: str) -> None:
        """Forget what the user has told for the server at `url`."""
        self._told.pop(url, None)


def _from_keyring(service: str) -> str:
    try:
        import keyring  # noqa: PLC0415
        from keyring.errors import KeyringError  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("a key from the system's keyring", "keyring") from None
    try:
        key = keyring.get_password(service, _USER)
        if key is None:
            found: Any = keyring.get_credential(service, None)
            key = found.password if found else ""
    except (KeyringError, RuntimeError, OSError) as error:
        raise ConfigurationError(
            f"the system's keyring cannot be asked ({type(error).__name__}): take the "
            "key from a variable of the environment with `--key-env`"
        ) from None
    return key or ""
