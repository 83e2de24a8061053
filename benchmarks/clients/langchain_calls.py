"""langchain-openai."""

from __future__ import annotations

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

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
    check_use,
    forecast,
)


def _model(server: Server) -> ChatOpenAI:
    return ChatOpenAI(
        model=server.model,
        base_url=server.api,
        api_key=server.key,
        temperature=0,
        max_tokens=LENGTH,
        max_retries=0,
    )


def _chat(server: Server) -> None:
    check_text(_model(server).invoke(QUESTION).content)


def _stream(server: Server) -> None:
    check_parts(chunk.content for chunk in _model(server).stream(QUESTION))


def _structured(server: Server) -> None:
    check_place(_model(server).with_structured_output(Place).invoke(QUESTION))


def _tools(server: Server) -> None:
    answer = _model(server).bind_tools([tool(forecast)]).invoke(WEATHER)
    for call in answer.tool_calls:
        check_use(call["name"], call["args"])
    if not answer.tool_calls:
        check_text(answer.content)


def _required(server: Server) -> None:
    bound = _model(server).bind_tools([tool(forecast)], tool_choice="any")
    (call,) = bound.invoke(WEATHER).tool_calls
    check_use(call["name"], call["args"])


if __name__ == "__main__":
    attempt(
        {"chat": _chat, "stream": _stream, "structured": _structured},
        {"tools": _tools, "required tool": _required},
    )
