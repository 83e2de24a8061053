"""Embeddings of many texts: some at a time, so that others have their turn. Pure.

A request for them cannot be stopped once the engine has it, which this bounds, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from h2o_magic.server.rewriting import EngineRequest

#: Texts that an engine gets at once.
_TEXTS = 8


def parts_of(request: EngineRequest) -> Iterator[EngineRequest]:
    """Yield requests for some of the texts each; `request` itself for one text."""
    texts = request.body.get("input")
    if not isinstance(texts, list) or len(texts) <= _TEXTS or isinstance(texts[0], int):
        yield request
        return
    for begin in range(0, len(texts), _TEXTS):
        body = {**request.body, "input": texts[begin : begin + _TEXTS]}
        yield replace(request, body=body, changed=True)


def joined(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the answers of the parts as one."""
    data = [item for answer in answers for item in answer["data"]]
    usages = [answer["usage"] for answer in answers]
    return {
        **answers[0],
        "data": [{**item, "index": i} for i, item in enumerate(data)],
        "usage": {key: sum(usage[key] for usage in usages) for key in usages[0]},
    }
