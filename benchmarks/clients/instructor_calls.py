"""instructor, which asks for a class by a tool unless told otherwise."""

from __future__ import annotations

from typing import Any

import instructor
import openai

from benchmarks.clients.attempts import (
    LENGTH,
    QUESTION,
    Place,
    Server,
    attempt,
    check_place,
    check_text,
)


def _ask(server: Server, **more: Any) -> Any:
    client = openai.OpenAI(base_url=server.api, api_key=server.key, max_retries=0)
    return instructor.from_openai(client).chat.completions.create(
        model=server.model,
        messages=[{"role": "user", "content": QUESTION}],
        temperature=0,
        max_tokens=LENGTH,
        max_retries=1,
        **more,
    )


def _chat(server: Server) -> None:
    check_text(_ask(server, response_model=None).choices[0].message.content)


def _structured(server: Server) -> None:
    check_place(_ask(server, response_model=Place))


def _structured_by_schema(server: Server) -> None:
    client = openai.OpenAI(base_url=server.api, api_key=server.key, max_retries=0)
    asking = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)
    place = asking.chat.completions.create(
        model=server.model,
        messages=[{"role": "user", "content": QUESTION}],
        response_model=Place,
        temperature=0,
        max_tokens=LENGTH,
        max_retries=1,
    )
    check_place(place)


def _stream(server: Server) -> None:
    *_, last = _ask(server, response_model=instructor.Partial[Place], stream=True)
    check_place(Place.model_validate(last.model_dump()))


if __name__ == "__main__":
    attempt(
        {"chat": _chat, "structured, by a schema": _structured_by_schema},
        {"structured": _structured, "stream of a class": _stream},
    )
