"""llm, with models of an OpenAI-compatible server as its configuration names them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import llm

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


def _model(server: Server) -> Any:
    entry = {
        "model_id": server.model,
        "model_name": server.model,
        "api_base": server.api,
        "api_key_name": "local",
        "supports_schema": True,
        "supports_tools": True,
    }
    folder = Path(os.environ["LLM_USER_PATH"])
    (folder / "extra-openai-models.yaml").write_text(json.dumps([entry]))
    (folder / "keys.json").write_text(json.dumps({"local": server.key}))
    return llm.get_model(server.model)


def _ask(server: Server, text: str, **more: Any) -> Any:
    return _model(server).prompt(text, temperature=0, max_tokens=LENGTH, **more)


def _chat(server: Server) -> None:
    check_text(_ask(server, QUESTION, stream=False).text())


def _stream(server: Server) -> None:
    check_parts(_ask(server, QUESTION))


def _structured(server: Server) -> None:
    answer = _ask(server, QUESTION, schema=Place)
    check_place(Place.model_validate_json(answer.text()))


def _tools(server: Server) -> None:
    chain = _model(server).chain(
        WEATHER,
        tools=[forecast],
        options={"temperature": 0, "max_tokens": LENGTH},
    )
    check_text(chain.text())


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        os.environ["LLM_USER_PATH"] = folder
        attempt(
            {"chat": _chat, "stream": _stream, "structured": _structured},
            {"tools": _tools},
        )
