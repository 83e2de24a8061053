"""What must not be seen, although a server repeats it: key and cookies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from h2o_magic.errors import BackendError, StatusError

__all__ = ["Secrets"]

_SHOWN = "***"
_SHORTEST = 6  # characters; a shorter value is no secret, and stands in other words


class Secrets:
    """The secrets in one request.

    Parameters
    ----------
    headers
        The headers that were sent.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        found = {v for v in _values(headers) if len(v) >= _SHORTEST}
        self._values = sorted(found, key=len, reverse=True)

    def mask(self, body: bytes) -> bytes:
        """Return what a server sent without the secrets."""
        for value in self._values:
            body = body.replace(value.encode(), _SHOWN.encode())
        return body

    def without(self, text: str) -> str:
        """Return a text without the secrets."""
        for value in self._values:
            text = text.replace(value, _SHOWN)
        return text

    def cleaned(self, document: Any) -> Any:
        """Return a JSON document without the secrets in its texts."""
        if isinstance(document, str):
            return self.without(document)
        if isinstance(document, list):
            return [self.cleaned(item) for item in document]
        if isinstance(document, dict):
            return {
                self.without(name): self.cleaned(item)
                for name, item in document.items()
            }
        return document

    def hide(self, error: BackendError) -> None:
        """Take the secrets out of the words of an error, but not of an answer's text.

        Parameters
        ----------
        error
            An error with words of the server in it. It is changed.
        """
        error.args = tuple(
            self.without(word) if isinstance(word, str) else word for word in error.args
        )
        if isinstance(error, StatusError):
            error.server_message = self.without(error.server_message)


def _values(headers: Mapping[str, str]) -> Iterator[str]:
    yield headers.get("Authorization", "").partition(" ")[2]
    for cookie in headers.get("Cookie", "").split("; "):
        yield cookie.partition("=")[2].strip('"')
