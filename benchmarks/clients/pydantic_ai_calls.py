"""pydantic-ai, with the chat completions and the responses of the OpenAI API."""

from __future__ import annotations

from functools import partial
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from benchmarks.clients.attempts import (
    LENGTH,
    QUESTION,
    WEATHER,
    Place,
    Server,
    attempt,
    check_parts,
    check_place,
    check_text,
    forecast,
)


def _agent(server: Server, kind: Any, **more: Any) -> Any:
    provider = OpenAIProvider(base_url=server.api, api_key=server.key)
    settings = {"temperature": 0, "max_tokens": LENGTH}
    model = kind(server.model, provider=provider)
    return Agent(model, model_settings=settings, retries=0, **more)


def _chat(server: Server, kind: Any) -> None:
    check_text(_agent(server, kind).run_sync(QUESTION).output)


def _stream(server: Server, kind: Any) -> None:
    stream = _agent(server, kind).run_stream_sync(QUESTION)
    check_parts(stream.stream_text(delta=True, debounce_by=None))


def _structured(server: Server, kind: Any) -> None:
    agent = _agent(server, kind, output_type=Place)
    check_place(agent.run_sync(QUESTION).output)


def _tools(server: Server, kind: Any) -> None:
    agent = _agent(server, kind, tools=[forecast])
    check_text(agent.run_sync(WEATHER).output)


_TALKS = {"chat": _chat, "stream": _stream, "structured": _structured}
_KINDS = ((OpenAIChatModel, ""), (OpenAIResponsesModel, ", responses"))

if __name__ == "__main__":
    attempt(
        {
            f"{name}{by}": partial(call, kind=kind)
            for kind, by in _KINDS
            for name, call in _TALKS.items()
        },
        {f"tools{by}": partial(_tools, kind=kind) for kind, by in _KINDS},
    )
