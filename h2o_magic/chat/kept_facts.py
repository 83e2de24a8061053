"""The facts about a kept answer: a file may say anything about one."""

from __future__ import annotations

from dataclasses import fields
from typing import cast, get_args

from h2o_magic.chat.events import FinishReason
from h2o_magic.chat.facts import Facts
from h2o_magic.chat.turns import Turn

#: What a footer may say, with what each is if nothing is known.
_DEFAULTS = {
    each.name: each.default
    for each in fields(Facts)
    if each.name not in ("model", "status", "demo_told", "parameters", "model_chosen")
    and each.name not in ("prompt_tokens", "cached_tokens", "files")
    and each.name not in ("seconds_to_first_token", "writing_seconds")
}
#: A greater number is wrong, and formatting it may fail.
_MOST = 10**15


def facts_of(turn: Turn) -> Facts:
    """Return what is known about a turn's answer, without what is no such fact."""
    kept = turn.facts
    known = {n: kept[n] for n in _DEFAULTS if n in kept and _fits(n, kept[n])}
    known["notes"] = tuple(known.get("notes", ()))
    model = str(kept.get("model") or turn.model or "unknown model")
    return Facts(model, **known, status=turn.status)


def _fits(name: str, value: object) -> bool:
    default = _DEFAULTS[name]
    if name == "finish_reason":
        return value in get_args(FinishReason)
    if isinstance(default, tuple):
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if isinstance(default, bool | str):
        return type(value) is type(default)
    kinds = (int, float) if isinstance(default, float) else (int,)
    return type(value) in kinds and 0 <= cast(float, value) <= _MOST
