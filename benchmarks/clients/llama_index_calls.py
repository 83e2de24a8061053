"""llama-index with llama-index-llms-openai-like."""

from __future__ import annotations

from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

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


def _model(server: Server, **more: Any) -> OpenAILike:
    return OpenAILike(
        model=server.model,
        api_base=server.api,
        api_key=server.key,
        is_chat_model=True,
        temperature=0,
        max_tokens=LENGTH,
        max_retries=0,
        **more,
    )


def _chat(server: Server) -> None:
    check_text(_model(server).chat([ChatMessage(QUESTION)]).message.content)


def _stream(server: Server) -> None:
    chunks = _model(server).stream_chat([ChatMessage(QUESTION)])
    check_parts(chunk.delta for chunk in chunks)


def _completion(server: Server) -> None:
    check_text(_model(server).complete("The answer").text)


def _structured(server: Server) -> None:
    prompt = PromptTemplate("{question}")
    model = _model(server)
    check_place(model.structured_predict(Place, prompt, question=QUESTION))


def _structured_by_tool(server: Server) -> None:
    model = _model(server, is_function_calling_model=True)
    prompt = PromptTemplate("{question}")
    check_place(model.structured_predict(Place, prompt, question=QUESTION))


def _structured_by_schema(server: Server) -> None:
    model = _model(server, should_use_structured_outputs=True)
    prompt = PromptTemplate("{question}")
    check_place(model.structured_predict(Place, prompt, question=QUESTION))


def _tools(server: Server) -> None:
    _use(server, required=False)


def _required(server: Server) -> None:
    _use(server, required=True)


def _use(server: Server, *, required: bool) -> None:
    model = _model(server, is_function_calling_model=True)
    tool = FunctionTool.from_defaults(forecast)
    answer = model.chat_with_tools([tool], user_msg=WEATHER, tool_required=required)
    calls = model.get_tool_calls_from_response(answer, error_on_no_tool_call=required)
    for call in calls:
        check_use(call.tool_name, call.tool_kwargs)
    if not calls:
        check_text(answer.message.content)


if __name__ == "__main__":
    attempt(
        {
            "chat": _chat,
            "stream": _stream,
            "completion": _completion,
            "structured": _structured,
            "structured, by a tool": _structured_by_tool,
            "structured, by a schema": _structured_by_schema,
        },
        {"tools": _tools, "required tool": _required},
    )
