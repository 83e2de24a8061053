"""The form of ``POST /settings``."""

from __future__ import annotations

from collections.abc import Mapping
from email import message_from_bytes
from urllib.parse import parse_qsl

__all__ = ["parse_form"]


def parse_form(body: bytes, content_type: str) -> Mapping[str, str]:
    """Return a form's fields.

    Parameters
    ----------
    body
        The request's body.
    content_type
        Its ``Content-Type``: urlencoded or multipart; of a multipart one only short
        text fields are expected.

    Raises
    ------
    ValueError
        If it is something else.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
    if kind == "multipart/form-data":
        return _parse_multipart(body, content_type)
    raise ValueError(f"expected a form, got {kind!r}")


def _parse_multipart(body: bytes, content_type: str) -> Mapping[str, str]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    fields = {}
    for part in message_from_bytes(head + body).walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content.decode("utf-8")
    return fields
