"""Where a server's key comes from, and the keys that were typed into this kernel.

A key is read each time a server is connected to. It is never written to a file, and is
sent to no other server than the one whose entry names its source.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from h2o_magic.config.url import Key, check_header_value
from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.prompts.secrets.looks import looks_random
from h2o_magic.prompts.secrets.scan import secrets_in

_Kind = Literal["none", "env", "keyring", "prompt"]

#: The user under whose name the keyring is searched first.
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
                f"expected a key source, one of {', '.join(get_args(_Kind))}, "
                f"got {self.kind!r}"
            )
        wanted, pattern = {
            "env": ("the NAME of an environment variable", r"[A-Za-z_]\w{0,99}"),
            "keyring": ("the name of a service in the keyring", r"[^\x00-\x1f]{1,200}"),
        }.get(self.kind, ("no name", ""))
        if not re.fullmatch(pattern, self.name) or _looks_like_a_key(self.name):
            raise ConfigurationError(
                f"expected {wanted} that holds the key, got something else (not shown, "
                "since it may be the key itself)"
            )

    def __str__(self) -> str:
        return {
            "none": "no key",
            "env": f"{self.name} in the environment",
            "keyring": f"{self.name} in the keyring",
            "prompt": "typed in, kept in memory",
        }[self.kind]

    @classmethod
    def from_options(
        cls, *, key_env: str = "", key_ring: str = "", key_prompt: bool = False
    ) -> KeySource | None:
        """Return the one key source that was given; None if none was."""
        given = [
            *([cls("env", key_env)] if key_env else []),
            *([cls("keyring", key_ring)] if key_ring else []),
            *([cls("prompt")] if key_prompt else []),
        ]
        if len(given) > 1:
            raise ConfigurationError(
                "expected one source of the key, got several: give only one of "
                "key_env, key_ring and key_prompt"
            )
        return given[0] if given else None


NO_KEY = KeySource()


class Credentials:
    """The keys of one kernel's servers, read where they are kept."""

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        ask: Callable[[str], str] = getpass.getpass,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._ask = ask
        self._typed: dict[str, str] = {}
        self._read: set[str] = set()

    def read(self, source: KeySource, url: str) -> str | None:
        """Return the key of the server at `url`; None if it needs none."""
        match source.kind:
            case "none":
                return None
            case "env":
                key = Key(self._environ.get(source.name, "").strip())
                hint = f"the environment variable {source.name} is not set: set it"
            case "keyring":
                key = Key(_from_keyring(source.name).strip())
                hint = (
                    f"the keyring has no entry {source.name!r}: add it with "
                    f"`keyring set {source.name} {_USER}`"
                )
            case "prompt":
                key = Key(self._typed.get(url, ""))
                hint = "it was not typed into this kernel: connect again to be asked"
        if not key:
            raise ConfigurationError(f"the key for {url} is missing: {hint}")
        self._read.add(key)
        return check_header_value(f"the key for {url} ({source})", key)

    def at_hand(self, sources: Iterable[KeySource]) -> set[str]:
        """Return the keys that this kernel has read, or has in its environment."""
        named = {self._environ.get(each.name) for each in sources if each.kind == "env"}
        return {*self._read, *self._typed.values(), *filter(None, named)}

    def prompt(self, url: str) -> None:
        try:
            key = Key(self._ask(f"Key for {url}: ").strip())
        # A front end without input raises ipykernel's kind of NotImplementedError.
        except (EOFError, NotImplementedError, OSError):
            raise ConfigurationError(
                f"cannot ask for the key for {url} here: take it from an environment "
                "variable (`--key-env`) or the keyring (`--key-ring`)"
            ) from None
        self._typed[url] = check_header_value(f"the key for {url}", key)

    def has_typed(self, url: str) -> bool:
        return url in self._typed

    def move(self, url: str, to: str) -> None:
        """Keep a key that was typed for a server, whose address was found out."""
        if url in self._typed:
            self._typed[to] = self._typed.pop(url)

    def forget(self, url: str) -> None:
        self._typed.pop(url, None)


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
            f"the system's keyring failed ({type(error).__name__}): take the key from "
            "an environment variable with `--key-env`"
        ) from None
    return key or ""
