"""Tools: a call that is demanded comes, also from a model that knows no tools."""

from __future__ import annotations

import json
from typing import Any

import pytest

from h2o_magic.rendering.schema import problems
from tests.server.client import Client, Reply
from tests.server.test_openai_routes import QUESTION, ask, error, stream, text_of
from tests.server.tiny_gguf import write_llama

CITY = {
    "type": "object",
    "properties": {
        "city": {"$ref": "#/$defs/City"},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
    "$defs": {"City": {"enum": ["Paris", "Rome"]}},
}


def tool(name: str, parameters: object = None) -> dict[str, Any]:
    function: dict[str, Any] = {"name": name, "description": "About it."}
    if parameters is not None:
        function["parameters"] = parameters
    return {"type": "function", "function": function}


WEATHER, CLOCK = tool("weather", CITY), tool("clock")
NAMED = {"type": "function", "function": {"name": "weather"}}


def call_of(reply: Reply) -> dict[str, Any]:
    """Return the one call of an answer that is nothing but a call."""
    assert reply.status == 200, reply
    (choice,) = reply.json["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    (call,) = choice["message"]["tool_calls"]
    assert call["type"] == "function"
    assert call["id"]
    function = call["function"]
    assert isinstance(function, dict)
    return function


@pytest.mark.parametrize("choice", ["required", NAMED], ids=["required", "named"])
def test_a_call_that_is_demanded_comes_and_fits_its_schema(
    client: Client, noisy: str, choice: Any
) -> None:
    for model in ("llama-13b", noisy):
        given = {"model": model, "tools": [WEATHER], "tool_choice": choice}
        called = call_of(ask(client, **given, max_tokens=200))
        assert called["name"] == "weather"
        assert problems(json.loads(called["arguments"]), CITY) == []


def test_of_several_functions_the_named_one_is_called(client: Client) -> None:
    given = {"tools": [CLOCK, WEATHER], "max_tokens": 200}
    assert call_of(ask(client, **given, tool_choice=NAMED))["name"] == "weather"
    called = call_of(ask(client, **given, tool_choice="required"))
    assert called["name"] in ("clock", "weather")


def test_a_stream_has_the_same_call(client: Client) -> None:
    given = {"tools": [WEATHER], "tool_choice": "required", "max_tokens": 200}
    usage = {"stream_options": {"include_usage": True}}
    begin, end, counted = stream(client, **given, **usage)
    delta = begin["choices"][0]["delta"]
    assert delta["role"] == "assistant"
    (call,) = delta["tool_calls"]
    assert call["index"] == 0
    assert call["function"] == call_of(ask(client, **given))
    assert end["choices"][0] == {
        "index": 0,
        "delta": {},
        "finish_reason": "tool_calls",
    }
    assert counted["usage"]["completion_tokens"] > 0
    assert len(stream(client, **given)) == 2


def test_a_call_that_is_cut_by_its_length_is_none(client: Client) -> None:
    given = {"tools": [WEATHER], "tool_choice": "required", "max_tokens": 3}
    (choice,) = ask(client, **given).json["choices"]
    assert choice["finish_reason"] == "length"
    assert "tool_calls" not in choice["message"]
    *_, last = stream(client, **given)
    assert last["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_tools_that_need_not_be_called_change_nothing(
    client: Client, choice: str | None
) -> None:
    answer = ask(client, tools=[WEATHER], tool_choice=choice)
    assert text_of(answer) == text_of(ask(client))


def test_the_functions_follow_the_system_text(client: Client, noisy: str) -> None:
    def read(*system: dict[str, str]) -> int:
        given = {"tools": [WEATHER], "tool_choice": "required", "max_tokens": 100}
        reply = ask(client, model=noisy, messages=[*system, *QUESTION], **given)
        count = reply.json["usage"]["prompt_tokens"]
        assert isinstance(count, int)
        return count

    rule = "Be brief."
    for role in ("system", "developer"):
        told = {"role": role, "content": rule}
        assert read(told) == read() + len(rule) + len("\n\n")


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"tools": [WEATHER], "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": [CLOCK], "tool_choice": NAMED}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tools": [{"type": "function"}], "tool_choice": "required"}, "tools"),
        ({"tools": "x", "tool_choice": "required"}, "tools"),
        ({"tools": [7], "tool_choice": "required"}, "tools"),
        ({"tools": [tool("a", "x")], "tool_choice": "required"}, "tools"),
        ({"tools": [tool("a", {"$defs": 7})], "tool_choice": "required"}, "tools"),
        (
            {
                "tools": [WEATHER, tool("b", {"$defs": {"City": {"enum": ["Bonn"]}}})],
                "tool_choice": "required",
            },
            "tools",
        ),
        (
            {
                "tools": [tool("a", {"type": "array", "maxItems": 30_000})],
                "tool_choice": "required",
            },
            None,
        ),
        (
            {
                "tools": [tool("a", {"not": {"type": "null"}})],
                "tool_choice": "required",
            },
            None,
        ),
    ],
    ids=str,
)
def test_a_call_that_cannot_be_demanded_is_a_400(
    client: Client, given: dict[str, Any], param: str | None
) -> None:
    for streamed in (False, True):
        found = error(ask(client, **given, stream=streamed), 400)
        assert found["param"] == param


def test_a_call_is_demanded_on_the_chat_route_only(client: Client) -> None:
    function = {"type": "function", "name": "clock", "parameters": {"type": "object"}}
    responses = {"input": "Hi", "tools": [function], "tool_choice": "required"}
    other = {"name": "clock", "input_schema": {"type": "object"}}
    messages = {"messages": QUESTION, "max_tokens": 4, "tools": [other]}
    for path, asked in (
        ("/v1/responses", responses),
        ("/v1/messages", {**messages, "tool_choice": {"type": "any"}}),
    ):
        reply = client.call("POST", path, {"model": "llama-13b", **asked})
        assert error(reply, 400)["param"] == "tool_choice"
        optional = {**asked, "tool_choice": "auto"}
        if path == "/v1/messages":
            optional["tool_choice"] = {"type": "auto"}
        reply = client.call("POST", path, {"model": "llama-13b", **optional})
        assert reply.status == 200


#: As in models that were trained to call: the functions and calls have their places.
KNOWS_TOOLS = (
    "{% if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}"
    "</tools>{% endif %}{% for m in messages %}[{{ m.role }}]{% if m.tool_calls %}"
    "{% for call in m.tool_calls %}<tool_call>"
    '{"name": "{{ call.function.name }}", '
    '"arguments": {{ call.function.arguments | tojson }}}</tool_call>{% endfor %}'
    "{% else %}{{ m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


def test_a_template_that_knows_tools_gets_them_as_they_came(
    client: Client, tmp_path: Any
) -> None:
    model = str(write_llama(tmp_path / "tools.gguf", template=KNOWS_TOOLS))
    asked = {"model": model, "messages": QUESTION, "tools": [CLOCK]}
    prompt = client.call("POST", "/apply-template", asked).json["prompt"]
    assert '<tools>{"type":"function"' in prompt.replace(": ", ":")
    read = {}
    for choice in ("none", "auto", "required"):
        reply = ask(client, model=model, tools=[CLOCK], tool_choice=choice)
        read[choice] = reply.json["usage"]["prompt_tokens"]
    assert read["required"] == read["auto"] == len(prompt)
