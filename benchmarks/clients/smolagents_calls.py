"""smolagents: its model by itself, and the agent that calls tools."""

from __future__ import annotations

from typing import Any

from smolagents import ChatMessage, MessageRole, OpenAIModel, ToolCallingAgent, tool

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


def _model(server: Server) -> OpenAIModel:
    return OpenAIModel(
        model_id=server.model,
        api_base=server.api,
        api_key=server.key,
        temperature=0,
        max_tokens=LENGTH,
    )


def _messages(text: str) -> list[ChatMessage]:
    return [ChatMessage(role=MessageRole.USER, content=text)]


def _chat(server: Server) -> None:
    check_text(_model(server).generate(_messages(QUESTION)).content)


def _stream(server: Server) -> None:
    deltas = _model(server).generate_stream(_messages(QUESTION))
    check_parts(delta.content for delta in deltas)


def _structured(server: Server) -> None:
    schema = Place.model_json_schema()
    form: dict[str, Any] = {"name": "place", "strict": True, "schema": schema}
    answer = _model(server).generate(
        _messages(QUESTION),
        response_format={"type": "json_schema", "json_schema": form},
    )
    check_place(Place.model_validate_json(answer.content))


def _tools(server: Server) -> None:
    agent = ToolCallingAgent(
        [tool(forecast)], _model(server), max_steps=1, verbosity_level=0
    )
    agent.run(WEATHER)
    step = next(step for step in agent.memory.steps if hasattr(step, "tool_calls"))
    if not step.tool_calls:
        raise ValueError(f"no tool was called: {step.error or step.model_output}")


if __name__ == "__main__":
    attempt(
        {"chat": _chat, "stream": _stream, "structured": _structured},
        {"required tool": _tools},
    )
