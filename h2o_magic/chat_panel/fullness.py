"""How full the model's context is, in words for the composer."""

from __future__ import annotations

from typing import Any

from h2o_magic.config.units import counted
from h2o_magic.conversation.context_use import ContextUse

#: The part of the room for input from which on it counts as nearly full.
_NEAR = 0.85


def fullness(use: ContextUse) -> dict[str, Any]:
    """Return a short text, an explanation, and how near the limit is."""
    near = use.used > _NEAR * (use.holds - use.answer)
    return {
        "text": f"{_short(use.used)} of {_short(use.holds)}" if use.used else "",
        "title": "\n".join(_explained(use)),
        "level": "full" if use.full else "near" if near else "",
    }


def _explained(use: ContextUse) -> list[str]:
    parts = [f"this message {use.question:,}"]
    if use.earlier:
        parts.append(f"{counted(use.sent, 'earlier turn')} {use.turns:,}")
    if use.system:
        parts.append(f"the system text {use.system:,}")
    lines = [
        f"About {use.used:,} of {use.holds:,} tokens: {', '.join(parts)}.",
        f"{use.answer:,} are kept free for the answer.",
    ]
    if use.full:
        lines.insert(
            0,
            f"Earlier turns will be left out: {use.sent:,} of "
            f"{use.earlier:,} have room.",
        )
    if not use.known:
        lines.append(
            f"The server has not said how much the model holds; {use.holds:,} is the "
            "setting context."
        )
    return lines


def _short(tokens: int) -> str:
    """Return a number in three digits at most: ``420``, ``8.2k``, ``128k``."""
    if tokens < 1000:
        return str(tokens)
    if tokens < 9_950:
        return f"{tokens / 1e3:.1f}".removesuffix(".0") + "k"
    return f"{tokens / 1e3:.0f}k" if tokens < 999_500 else f"{tokens / 1e6:.1f}M"
