"""Servers that answer: what a backend is, and the dialects that are spoken."""

from h2o_magic.backends.base import (
    Backend,
    ChatRequest,
    Dialect,
    Match,
    ModelInfo,
    ProbeAnswer,
)

__all__ = [
    "Backend",
    "ChatRequest",
    "Dialect",
    "Match",
    "ModelInfo",
    "ProbeAnswer",
]
