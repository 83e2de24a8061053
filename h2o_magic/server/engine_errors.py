"""The engine's own errors, as a client gets them. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from h2o_magic.server.errors import RequestError

#: What the engine itself failed at. All else that it calls its own error is the
#: request's: a template that raises, an image for a model without eyes.
_OWN = re.compile(
    r"context size has been exceeded|compute|decode|internal|memory|slot", re.I
)
#: A text to be embedded that is more than the engine reads at once.
_TOO_LARGE = re.compile(r"input \((\d+) tokens\) is too large.*size: (\d+)")


def refusal(body: bytes, status: int) -> RequestError:
    """Return the error of an answer of the engine's that is not 200."""
    error = _error(body)
    message = str(error.get("message") or "internal error of the engine")
    if error.get("type") == "exceed_context_size_error":
        return too_long(error.get("n_ctx"), error.get("n_prompt_tokens"))
    if found := _TOO_LARGE.search(message):
        return too_long(int(found[2]), int(found[1]))
    if status == 501:
        return RequestError(
            f"not supported by this model: {message}", code="not_supported"
        )
    if status == 500 and not _OWN.search(message):
        status = 400
    code = "generation_failed" if status >= 500 else "invalid_value"
    return RequestError(message, status, code=code)


def too_long(context: object, tokens: object) -> RequestError:
    """Return the refusal in OpenAI's words, by which other programs know it."""
    counts = {"n_prompt_tokens": tokens, "n_ctx": context}
    return RequestError(
        f"This model's maximum context length is {context} tokens. However, your "
        f"messages resulted in {tokens} tokens. Please reduce the length of the "
        "messages.",
        param="messages",
        code="context_length_exceeded",
        more={key: count for key, count in counts.items() if isinstance(count, int)},
    )


def _error(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    error = document.get("error", document) if isinstance(document, dict) else document
    return error if isinstance(error, dict) else {"message": error}
