"""The official clients of the OpenAI and Anthropic APIs get what they ask for.

What the engine's own server can do as well is asked of it too, at night: a client that
it serves, ours serves.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from math import hypot
from pathlib import Path
from typing import Any, Literal

import anthropic
import jsonschema
import openai
import pytest
from pydantic import BaseModel, ConfigDict

from h2o_magic.weights.files import BUILT_IN
from tests.server.apis import Api, engine_api, our_api
from tests.server.client import until
from tests.server.conftest import Serving
from tests.server.openai_callers import (
    Caller,
    NodeCaller,
    PythonCaller,
    installed_node_package,
)

QUESTION = "How do I choose a model?"
MESSAGES: list[Any] = [{"role": "user", "content": QUESTION}]
CHAT = "chat.completions.create"
GREEDY = {"temperature": 0}

#: What each call of a tool gives, and an answer held to it.
PLACE = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "enum": ["Paris", "Rome"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
TIME = {
    "type": "object",
    "properties": {"zone": {"type": "string", "enum": ["UTC", "CET"]}},
    "required": ["zone"],
    "additionalProperties": False,
}
ABOUT = {"weather": ("The weather of a city", PLACE), "clock": ("The time", TIME)}
SCHEMAS = {name: schema for name, (_, schema) in ABOUT.items()}
WEATHER = "What will the weather be in Paris for three days?"


class Place(BaseModel):
    """What an answer is held to, as a class; the clients make a schema of it."""

    model_config = ConfigDict(extra="forbid")

    city: Literal["Paris", "Rome"]
    days: Literal[1, 2, 3]


AND_ENGINE = ("ours", pytest.param("engine", marks=pytest.mark.nightly))


@pytest.fixture(scope="session")
def engine_with_demo() -> Iterator[Api]:
    with engine_api(BUILT_IN / "demo-llama.gguf", 1024) as api:
        yield api


@pytest.fixture(scope="session")
def engine_with_endless(endless: str) -> Iterator[Api]:
    with engine_api(Path(endless), 8192) as api:
        yield api


@pytest.fixture
def ours(serving: Serving) -> Api:
    """Our server with the demo weights."""
    return our_api(serving, "demo")


@pytest.fixture(params=AND_ENGINE)
def api(request: pytest.FixtureRequest) -> Api:
    """A server with the demo weights."""
    of = {"ours": "ours", "engine": "engine_with_demo"}
    found: Api = request.getfixturevalue(of[request.param])
    return found


@pytest.fixture
def our_endless(serving: Serving, endless: str) -> Api:
    """Our server with weights whose answers go on for minutes."""
    return our_api(serving, endless)


@pytest.fixture(params=AND_ENGINE)
def endless_api(request: pytest.FixtureRequest) -> Api:
    """A server with such weights."""
    of = {"ours": "our_endless", "engine": "engine_with_endless"}
    found: Api = request.getfixturevalue(of[request.param])
    return found


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed_node_package(tmp_path_factory.mktemp("node"))


@pytest.fixture(params=["python", "node"])
def caller(request: pytest.FixtureRequest) -> Caller:
    """An official OpenAI client."""
    if request.param == "python":
        return PythonCaller()
    return NodeCaller(request.getfixturevalue("node_folder"))


def anthropic_client(api: Api) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=api.url, api_key=api.key, max_retries=0)


def fits(text: str, schema: dict[str, Any] = PLACE) -> bool:
    return jsonschema.Draft202012Validator(schema).is_valid(json.loads(text))


def adds_up(usage: dict[str, Any]) -> bool:
    parts = usage["prompt_tokens"], usage["completion_tokens"]
    return min(parts) > 0 and sum(parts) == usage["total_tokens"]


def openai_tools() -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "function": {"name": name, "description": what, "parameters": schema},
        }
        for name, (what, schema) in ABOUT.items()
    ]


def response_tools() -> list[dict[str, Any]]:
    return [{"type": "function", **tool["function"]} for tool in openai_tools()]


def anthropic_tools() -> list[Any]:
    return [
        {"name": name, "description": what, "input_schema": schema}
        for name, (what, schema) in ABOUT.items()
    ]


def called(calls: list[dict[str, Any]]) -> str:
    """Return the name of the one tool that is called, with what fits it."""
    (call,) = calls
    assert call["id"]
    assert call["type"] == "function"
    name = call["function"]["name"]
    assert isinstance(name, str)
    assert fits(call["function"]["arguments"], SCHEMAS[name])
    return name


def response_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "place", "strict": True, "schema": schema},
    }


# The OpenAI clients.


def test_chat(api: Api, caller: Caller) -> None:
    answer = caller.answer(api, CHAT, messages=MESSAGES, **GREEDY)
    (choice,) = answer["choices"]
    assert "--model" in choice["message"]["content"]
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] == "stop"
    assert adds_up(answer["usage"])


def test_a_chat_that_is_cut_says_so(api: Api, caller: Caller) -> None:
    answer = caller.answer(api, CHAT, messages=MESSAGES, max_tokens=3, **GREEDY)
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3


def test_stream(api: Api, caller: Caller) -> None:
    whole = caller.answer(api, CHAT, messages=MESSAGES, **GREEDY)
    usage = {"stream_options": {"include_usage": True}}
    *chunks, last = caller.chunks(api, CHAT, messages=MESSAGES, **GREEDY, **usage)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    text = "".join(delta.get("content") or "" for delta in deltas)
    assert text == whole["choices"][0]["message"]["content"]
    assert sum(bool(delta.get("content")) for delta in deltas) > 5
    reasons = [chunk["choices"][0].get("finish_reason") for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["stop"]
    assert last["choices"] == []
    assert adds_up(last["usage"])
    assert last["usage"]["total_tokens"] == whole["usage"]["total_tokens"]


def test_tools(ours: Api, caller: Caller) -> None:
    asked = {"messages": [{"role": "user", "content": WEATHER}], **GREEDY}
    tools = openai_tools()
    answer = caller.answer(ours, CHAT, tools=tools, tool_choice="required", **asked)
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert not choice["message"]["content"]
    assert called(choice["message"]["tool_calls"]) in SCHEMAS
    assert adds_up(answer["usage"])
    for name in SCHEMAS:
        named = {"type": "function", "function": {"name": name}}
        answer = caller.answer(ours, CHAT, tools=tools, tool_choice=named, **asked)
        (choice,) = answer["choices"]
        assert called(choice["message"]["tool_calls"]) == name


def test_tools_in_a_stream(ours: Api, caller: Caller) -> None:
    asked = {"messages": [{"role": "user", "content": WEATHER}], **GREEDY}
    chunks = caller.chunks(
        ours, CHAT, tools=openai_tools(), tool_choice="required", **asked
    )
    calls: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for part in chunk["choices"][0]["delta"].get("tool_calls") or []:
            call = calls.setdefault(part["index"], {"function": {"arguments": ""}})
            given = {**part.get("function", {})}
            call["function"]["arguments"] += given.pop("arguments", None) or ""
            call["function"].update(given)
            call.update({key: part[key] for key in ("id", "type") if part.get(key)})
    assert called([*calls.values()]) in SCHEMAS
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_what_a_tool_said_is_answered(api: Api, caller: Caller) -> None:
    call = {"name": "clock", "arguments": '{"zone": "UTC"}'}
    asked = {"id": "call_1", "type": "function", "function": call}
    turns = [
        *MESSAGES,
        {"role": "assistant", "content": None, "tool_calls": [asked]},
        {"role": "tool", "tool_call_id": "call_1", "content": "It is noon."},
    ]
    answer = caller.answer(api, CHAT, messages=turns, tools=openai_tools(), **GREEDY)
    (choice,) = answer["choices"]
    assert choice["message"]["content"]
    assert choice["finish_reason"] == "stop"


def test_json_schema(api: Api, caller: Caller) -> None:
    answer = caller.answer(
        api, CHAT, messages=MESSAGES, response_format=response_format(PLACE), **GREEDY
    )
    (choice,) = answer["choices"]
    assert fits(choice["message"]["content"])
    assert choice["finish_reason"] == "stop"


def test_a_class_is_a_schema_and_the_answer_one_of_it(api: Api) -> None:
    with openai.OpenAI(base_url=f"{api.url}/v1", api_key=api.key) as client:
        answer = client.chat.completions.parse(
            model=api.model, messages=MESSAGES, response_format=Place, temperature=0
        )
    assert isinstance(answer.choices[0].message.parsed, Place)


def test_logprobs(api: Api, caller: Caller) -> None:
    answer = caller.answer(
        api,
        CHAT,
        messages=MESSAGES,
        logprobs=True,
        top_logprobs=2,
        max_tokens=8,
        **GREEDY,
    )
    (choice,) = answer["choices"]
    tokens = choice["logprobs"]["content"]
    assert len(tokens) == answer["usage"]["completion_tokens"] == 8
    spelled = b"".join(bytes(token["bytes"]) for token in tokens)
    assert spelled.decode() == choice["message"]["content"]
    for token in tokens:
        first, second = token["top_logprobs"]
        assert second["logprob"] <= first["logprob"] <= 0
        # The likeliest is taken at temperature 0.
        assert (token["token"], token["logprob"]) == (first["token"], first["logprob"])


def test_completions(api: Api, caller: Caller) -> None:
    call = "completions.create"
    asked = {"prompt": "The answer", "max_tokens": 5, **GREEDY}
    answer = caller.answer(api, call, **asked)
    (choice,) = answer["choices"]
    assert choice["text"]
    assert choice["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5
    assert adds_up(answer["usage"])
    chunks = caller.chunks(api, call, **asked)
    streamed = [part for chunk in chunks for part in chunk["choices"]]
    assert "".join(part["text"] for part in streamed) == choice["text"]
    assert streamed[-1]["finish_reason"] == "length"


def test_embeddings(api: Api, caller: Caller) -> None:
    call = "embeddings.create"
    texts = ["choose a model", "choose the model", "temperature"]
    answer = caller.answer(api, call, input=texts)
    assert [found["index"] for found in answer["data"]] == [0, 1, 2]
    vectors = [found["embedding"] for found in answer["data"]]
    assert len({len(vector) for vector in vectors}) == 1
    assert all(hypot(*vector) == pytest.approx(1, abs=1e-3) for vector in vectors)
    one, similar, other = vectors
    assert dot(one, similar) > dot(one, other)
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] > 3
    # By themselves, and as numbers: the clients ask for base64 otherwise.
    alone = caller.answer(api, call, input=texts[0], encoding_format="float")
    assert alone["data"][0]["embedding"] == pytest.approx(one, abs=1e-3)


def dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_responses(api: Api, caller: Caller) -> None:
    answer = caller.answer(api, "responses.create", input=QUESTION, **GREEDY)
    assert (answer["object"], answer["status"]) == ("response", "completed")
    assert "--model" in output_text(answer)
    usage = answer["usage"]
    counted = usage["input_tokens"], usage["output_tokens"]
    assert min(counted) > 0
    assert sum(counted) == usage["total_tokens"]


def test_responses_in_a_stream(api: Api, caller: Caller) -> None:
    events = caller.chunks(api, "responses.create", input=QUESTION, **GREEDY)
    kinds = [event["type"] for event in events]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    deltas = [e["delta"] for e in events if e["type"] == "response.output_text.delta"]
    assert len(deltas) > 5
    assert "".join(deltas) == output_text(events[-1]["response"])
    assert "--model" in "".join(deltas)


def test_responses_with_instructions_and_turns(api: Api, caller: Caller) -> None:
    before = caller.answer(api, "responses.create", input=QUESTION, **GREEDY)
    turns = [*MESSAGES, *before["output"], *MESSAGES]
    asked = {"input": turns, "instructions": "Answer briefly.", **GREEDY}
    answer = caller.answer(api, "responses.create", **asked)
    assert output_text(answer)
    assert answer["usage"]["input_tokens"] > before["usage"]["total_tokens"]


def test_responses_take_turns_without_a_type(ours: Api, caller: Caller) -> None:
    turns = [*MESSAGES, {"role": "assistant", "content": "With an option."}, *MESSAGES]
    assert output_text(caller.answer(ours, "responses.create", input=turns, **GREEDY))


def test_responses_held_to_a_schema(ours: Api, caller: Caller) -> None:
    form = {"type": "json_schema", "name": "place", "strict": True, "schema": PLACE}
    answer = caller.answer(
        ours, "responses.create", input=QUESTION, text={"format": form}, **GREEDY
    )
    assert fits(output_text(answer))


def test_responses_that_demand_a_tool_of_a_model_without_are_refused(
    ours: Api, caller: Caller
) -> None:
    with pytest.raises(Exception, match="on /v1/chat/completions only"):
        caller.answer(
            ours,
            "responses.create",
            input=WEATHER,
            tools=response_tools(),
            tool_choice="required",
            **GREEDY,
        )


def output_text(response: dict[str, Any]) -> str:
    return "".join(
        part["text"]
        for output in response["output"]
        if output["type"] == "message"
        for part in output["content"]
    )


LONG = pytest.mark.parametrize(
    ("call", "body"),
    [
        (CHAT, {"messages": MESSAGES, "max_tokens": 8000}),
        ("completions.create", {"prompt": QUESTION, "max_tokens": 8000}),
        ("responses.create", {"input": QUESTION, "max_output_tokens": 8000}),
    ],
    ids=["chat", "completions", "responses"],
)


@LONG
def test_a_stream_that_is_left_frees_its_slot(
    endless_api: Api, caller: Caller, call: str, body: dict[str, Any]
) -> None:
    leave(endless_api, caller, call, body | {"stream": True})


@LONG
def test_an_answer_that_is_not_waited_for_frees_its_slot(
    our_endless: Api, caller: Caller, call: str, body: dict[str, Any]
) -> None:
    leave(our_endless, caller, call, body)


def leave(api: Api, caller: Caller, call: str, body: dict[str, Any]) -> None:
    begun, gone = (partial(come_to_be_busy, api, slots) for slots in (1, 0))
    caller.leave(api, call, begun=begun, gone=gone, **body, **GREEDY)


def come_to_be_busy(api: Api, slots: int) -> None:
    # By itself the answer ends after that.
    until(lambda: api.busy() == slots, seconds=20)


def test_a_wrong_key_is_told_as_one(api: Api) -> None:
    with (
        openai.OpenAI(base_url=f"{api.url}/v1", api_key="wrong") as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(model=api.model, messages=MESSAGES)
    with (
        anthropic.Anthropic(base_url=api.url, api_key="wrong") as other,
        pytest.raises(anthropic.AuthenticationError),
    ):
        other.messages.create(model=api.model, messages=MESSAGES, max_tokens=3)


# The Anthropic client. Its newer releases have no argument for the temperature.


def messages(api: Api, **body: Any) -> anthropic.types.Message:
    with anthropic_client(api) as client:
        answer = client.messages.create(
            model=api.model,
            extra_body=GREEDY,
            **{"messages": MESSAGES, "max_tokens": 200, **body},
        )
    assert isinstance(answer, anthropic.types.Message)
    return answer


def text_of(message: anthropic.types.Message) -> str:
    return "".join(part.text for part in message.content if part.type == "text")


def read(usage: anthropic.types.Usage) -> int:
    """Return the tokens of the input: those that a cache had are counted apart."""
    cached = usage.cache_read_input_tokens or 0
    return usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0)


def test_messages(api: Api) -> None:
    answer = messages(api)
    assert "--model" in text_of(answer)
    assert (answer.type, answer.role) == ("message", "assistant")
    assert answer.stop_reason == "end_turn"
    assert read(answer.usage) > 5
    cut = messages(api, max_tokens=3)
    assert cut.stop_reason == "max_tokens"
    assert cut.usage.output_tokens == 3
    assert text_of(answer).startswith(text_of(cut))


def test_messages_in_a_stream(api: Api) -> None:
    with (
        anthropic_client(api) as client,
        client.messages.stream(
            model=api.model, messages=MESSAGES, max_tokens=200, extra_body=GREEDY
        ) as stream,
    ):
        texts = [*stream.text_stream]
        final = stream.get_final_message()
    whole = messages(api)
    assert len(texts) > 5
    assert "".join(texts) == text_of(final) == text_of(whole)
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert read(final.usage) == read(whole.usage)


def test_messages_that_demand_a_tool_of_a_model_without_are_refused(
    ours: Api,
) -> None:
    with pytest.raises(anthropic.BadRequestError, match="on /v1/chat/completions only"):
        messages(
            ours,
            messages=[{"role": "user", "content": WEATHER}],
            tools=anthropic_tools(),
            tool_choice={"type": "any"},
        )


def test_messages_after_a_tools_result(api: Api) -> None:
    use = {"type": "tool_use", "id": "use_1", "name": "clock", "input": {"zone": "UTC"}}
    result = {"type": "tool_result", "tool_use_id": "use_1", "content": "It is noon."}
    turns = [
        *MESSAGES,
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    answer = messages(api, messages=turns, tools=anthropic_tools())
    assert text_of(answer)
    assert answer.stop_reason == "end_turn"


def test_messages_that_ask_for_a_schema_are_refused(ours: Api) -> None:
    with (
        anthropic_client(ours) as client,
        pytest.raises(anthropic.BadRequestError, match="no format of answers"),
    ):
        client.messages.parse(
            model=ours.model,
            messages=MESSAGES,
            max_tokens=200,
            output_format=Place,
            extra_body=GREEDY,
        )


def test_counted_tokens_are_those_that_are_read(api: Api) -> None:
    with anthropic_client(api) as client:
        count = partial(client.messages.count_tokens, model=api.model)
        plain = count(messages=MESSAGES).input_tokens
        more = count(messages=MESSAGES, system="Answer briefly.").input_tokens
    assert plain == read(messages(api, max_tokens=1).usage)
    system = {"system": "Answer briefly."}
    assert more == read(messages(api, max_tokens=1, **system).usage)
    assert more != plain


def test_a_stream_of_a_message_that_is_left_frees_its_slot(endless_api: Api) -> None:
    asyncio.run(leave_messages(endless_api, stream=True))


def test_a_message_that_is_not_waited_for_frees_its_slot(our_endless: Api) -> None:
    asyncio.run(leave_messages(our_endless, stream=False))


async def leave_messages(api: Api, *, stream: bool) -> None:
    async with anthropic.AsyncAnthropic(
        base_url=api.url, api_key=api.key, max_retries=0
    ) as client:
        asked = client.messages.create(
            model=api.model,
            messages=MESSAGES,
            max_tokens=8000,
            stream=stream,
            # Without a time limit the client refuses so many tokens at once.
            timeout=600,
            extra_body=GREEDY,
        )
        if stream:
            events: Any = await asked
            await events.__anext__()
            await asyncio.to_thread(come_to_be_busy, api, 1)
            await events.close()
        else:
            task = asyncio.ensure_future(asked)
            await asyncio.to_thread(come_to_be_busy, api, 1)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await asyncio.to_thread(come_to_be_busy, api, 0)
