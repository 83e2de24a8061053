"""Servers that run HuggingFace chat-ui of 2024 to 2026."""

from h2o_magic.backends.chatui.backend import ChatUIBackend

__all__ = ["ChatUIBackend"]
