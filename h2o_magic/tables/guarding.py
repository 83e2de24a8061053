"""Keeps secrets out of the questions of rows, as they are kept out of prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from types import MappingProxyType

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.secrets.known import of_environment, of_notebook, of_servers
from h2o_magic.prompts.secrets.scan import secrets_in

_NOTHING: Mapping[str, str] = MappingProxyType({})


def row_check(
    keys: Iterable[str],
    environment: Mapping[str, str] = _NOTHING,
    variables: Mapping[str, object] = _NOTHING,
) -> Callable[..., None]:
    """Return what raises a ConfigurationError for a text that holds a secret.

    It takes the text, and what that is: by default the question of a row. `keys` are
    the texts of the keys of all known servers; the secrets of the `environment` and of
    the notebook's `variables` are known, too.
    """
    known = [*of_servers(keys), *of_environment(environment), *of_notebook(variables)]

    def check(text: str, what: str = "row") -> None:
        near = [secret for secret in known if secret.value in text]
        for found in islice(secrets_in(text, near), 1):
            raise ConfigurationError(f"not sent: the {what} holds {found.what}")

    return check
