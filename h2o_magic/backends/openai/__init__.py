"""Servers that speak the OpenAI dialect: ``/v1/chat/completions`` and its kin."""

from h2o_magic.backends.openai.backend import OpenAIBackend

__all__ = ["OpenAIBackend"]
