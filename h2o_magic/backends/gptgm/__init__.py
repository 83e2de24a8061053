"""Servers that speak the gpt-gm protocol: chat-ui of summer 2023, and our own."""

from h2o_magic.backends.gptgm.backend import GptGmBackend
from h2o_magic.backends.gptgm.completion import create_completion

__all__ = ["GptGmBackend", "create_completion"]

_create_completion = create_completion  # its name in the original provider
