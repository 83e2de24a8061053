"""The dialects that servers speak, by name."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DIALECTS"]

#: Each dialect's name, and what a server that speaks it is called.
DIALECTS: Mapping[str, str] = {
    "gpt-gm": "gpt-gm",
    "chat-ui": "chat-ui",
    "openai": "OpenAI-compatible",
}
