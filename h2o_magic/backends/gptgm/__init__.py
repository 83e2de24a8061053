"""Servers that speak the gpt-gm protocol: chat-ui of summer 2023, and our own.

:class:`GptGmBackend` answers the session's requests; :func:`create_completion` is the
call of the original provider.
"""

from h2o_magic.backends.gptgm.backend import GptGmBackend
from h2o_magic.backends.gptgm.completion import create_completion

__all__ = ["GptGmBackend", "create_completion"]

_create_completion = create_completion  # its name in the original provider
