"""litellm: the OpenAI API, and the Anthropic one by its bridge."""

from __future__ import annotations

from functools import partial
from typing import Any

import litellm

from benchmarks.clients.attempts import (
    FORECAST,
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
)


def _ask(server: Server, text: str, api: str, **more: Any) -> Any:
    return litellm.completion(
        model=f"{api}/{server.model}",
        api_base=server.url if api == "anthropic" else server.api,
        api_key=server.key,
        messages=[{"role": "user", "content": text}],
        temperature=0,
        max_tokens=LENGTH,
        **more,
    )


def _chat(server: Server, api: str) -> None:
    check_text(_ask(server, QUESTION, api).choices[0].message.content)


def _stream(server: Server, api: str) -> None:
    chunks = _ask(server, QUESTION, api, stream=True)
    check_parts(chunk.choices[0].delta.content for chunk in chunks)


def _structured(server: Server, api: str) -> None:
    answer = _ask(server, QUESTION, api, response_format=Place)
    check_place(Place.model_validate_json(answer.choices[0].message.content))


def _tools(server: Server, api: str) -> None:
    message = _ask(server, WEATHER, api, tools=[FORECAST]).choices[0].message
    for call in message.tool_calls or []:
        check_use(call.function.name, call.function.arguments)
    if not message.tool_calls:
        check_text(message.content)


def _required(server: Server, api: str) -> None:
    more = {"tools": [FORECAST], "tool_choice": "required"}
    (call,) = _ask(server, WEATHER, api, **more).choices[0].message.tool_calls
    check_use(call.function.name, call.function.arguments)


_TALKS = {"chat": _chat, "stream": _stream, "structured": _structured}
_USES = {"tools": _tools, "required tool": _required}

if __name__ == "__main__":
    attempt(
        {
            f"{name}{by}": partial(call, api=api)
            for api, by in (("openai", ""), ("anthropic", ", Anthropic"))
            for name, call in _TALKS.items()
        },
        {
            f"{name}{by}": partial(call, api=api)
            for api, by in (("openai", ""), ("anthropic", ", Anthropic"))
            for name, call in _USES.items()
        },
    )
