"""The routes that read a body."""

from __future__ import annotations

from tests.server.client import Client

WITH_BODY = [
    "/v1/chat/completions",
    "/v1/chat/completions/input_tokens",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/rerank",
    "/chat/completions",
    "/tokenize",
    "/detokenize",
    "/apply-template",
    "/settings",
    "/conversation",
    "/conversation/{id}",
    "/api/unload",
]


def of_a_conversation(client: Client, path: str) -> str:
    return path.format(id=client.converse()) if "{" in path else path
