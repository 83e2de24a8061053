"""openai-agents, with the responses of the OpenAI API unless told otherwise."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import openai
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)

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


def _agent(server: Server, kind: Any, choice: str | None = None, **more: Any) -> Any:
    client = openai.AsyncOpenAI(base_url=server.api, api_key=server.key, max_retries=0)
    return Agent(
        name="guide",
        model=kind(model=server.model, openai_client=client),
        model_settings=ModelSettings(
            temperature=0, max_tokens=LENGTH, tool_choice=choice
        ),
        **more,
    )


def _chat(server: Server, kind: Any) -> None:
    check_text(Runner.run_sync(_agent(server, kind), QUESTION).final_output)


def _stream(server: Server, kind: Any) -> None:
    async def parts() -> list[str]:
        run = Runner.run_streamed(_agent(server, kind), QUESTION)
        return [
            event.data.delta
            async for event in run.stream_events()
            if event.type == "raw_response_event"
            and event.data.type == "response.output_text.delta"
        ]

    check_parts(asyncio.run(parts()))


def _structured(server: Server, kind: Any) -> None:
    agent = _agent(server, kind, output_type=Place)
    check_place(Runner.run_sync(agent, QUESTION).final_output)


def _turns(server: Server, kind: Any) -> None:
    agent = _agent(server, kind)
    before = Runner.run_sync(agent, QUESTION).to_input_list()
    told = [*before, {"role": "user", "content": QUESTION}]
    check_text(Runner.run_sync(agent, told).final_output)


def _tools(server: Server, kind: Any) -> None:
    agent = _agent(server, kind, tools=[function_tool(forecast)])
    check_text(Runner.run_sync(agent, WEATHER).final_output)


def _required(server: Server, kind: Any) -> None:
    agent = _agent(server, kind, "required", tools=[function_tool(forecast)])
    run = Runner.run_sync(agent, WEATHER)
    if "tool_call_output_item" not in {item.type for item in run.new_items}:
        raise ValueError(f"no tool was called: {run.final_output!r}")


_TALKS = {"chat": _chat, "stream": _stream, "turns": _turns, "structured": _structured}
_USES = {"tools": _tools, "required tool": _required}
_KINDS = (
    (OpenAIResponsesModel, ""),
    (OpenAIChatCompletionsModel, ", chat completions"),
)

if __name__ == "__main__":
    set_tracing_disabled(True)
    attempt(
        {
            f"{name}{by}": partial(call, kind=kind)
            for kind, by in _KINDS
            for name, call in _TALKS.items()
        },
        {
            f"{name}{by}": partial(call, kind=kind)
            for kind, by in _KINDS
            for name, call in _USES.items()
        },
    )
