"""Errors that stand where a chunk of an answer should, in the shapes of many servers.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_FINE = ("0", "200", "ok", "success")
_FAILURE = re.compile(r"error|fail|exception", re.IGNORECASE)


def error_of(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what reports an error in a document: itself, or a part of it."""
    error = document.get("error")
    # Some gateways write an empty one into each chunk.
    empty = isinstance(error, dict) and not any(error.values())
    if (error and not empty) or document.get("object") == "error":
        return document
    beside = document.get("x_groq") or document.get("base_resp")
    if isinstance(beside, dict) and any(map(beside.get, ("error", "status_code"))):
        return beside  # Groq; MiniMax
    # FastChat's worker has no other sign.
    told = document.get("error_code") or "choices" not in document
    return document if told and _is_error(document) else None


def _is_error(document: Mapping[str, Any]) -> bool:
    # FastAPI; Cloudflare; Apigee; Baidu, Databricks, FastChat
    if any(map(document.get, ("detail", "errors", "fault", "error_msg", "error_code"))):
        return True
    if document.get("success") is False or document.get("type") == "error":
        return True
    code = document.get("code")
    coded = bool(code) and str(code).lower() not in _FINE
    kinds = map(document.get, ("status", "type", "__type"))  # AWS; problem details
    words = any(map(document.get, ("message", "msg", "title")))
    return words and (coded or any(map(_names_failure, kinds)))


def _names_failure(kind: object) -> bool:
    if isinstance(kind, str):
        return _FAILURE.search(kind) is not None
    return isinstance(kind, int) and kind >= 400


def kind_of(report: object) -> str:
    """Return the type of an error; a status before that."""
    error = report.get("error") if isinstance(report, dict) else None
    kinds = map(error.get, ("code", "type")) if isinstance(error, dict) else ()
    found = [str(kind) for kind in kinds if isinstance(kind, str | int) and kind]
    return next(filter(str.isdigit, found), found[-1] if found else "")
