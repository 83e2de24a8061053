"""An answer can be held to a JSON schema, whatever the model would rather say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from h2o_magic.rendering.schema import problems
from tests.server.client import Client, Reply, turn, until
from tests.server.conftest import Serving
from tests.server.test_openai_routes import CHAT, QUESTION, error, sse

WORD = {"type": "string", "maxLength": 12}
# Without a least number, a model may write digits for ever.
COUNT = {"type": "integer", "minimum": 0, "maximum": 99999}


def closed(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMAS: dict[str, dict[str, Any]] = {
    "object": closed(name=WORD, age={"type": "integer", "minimum": 0, "maximum": 150}),
    "nested arrays": {
        "type": "array",
        "minItems": 1,
        "maxItems": 2,
        "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": WORD},
    },
    "table": {
        "type": "array",
        "minItems": 2,
        "maxItems": 3,
        "items": closed(city=WORD, people=COUNT),
    },
    "enum": {"enum": ["yes", "no", "é☃", 3, None]},
    "only unicode": {"enum": ["日本語", "Grüße", "☃ \U0001f600"]},
    "unicode names": closed(Größe={"enum": ["groß", "klein"]}, 名前=WORD),
    "number": {"type": "number", "minimum": -2, "maximum": 2.5},
    "integer range": {"type": "integer", "minimum": 40, "maximum": 44},
    "boolean or null": {"type": ["boolean", "null"]},
    "const": {"const": {"a": [1, None, True], "b": "x\ny"}},
    "pattern": {"type": "string", "pattern": "^[a-f]{3}-[0-9]{2}$"},
    "date": closed(day={"type": "string", "format": "date"}),
    "any of": {"anyOf": [closed(kind={"const": "a"}), closed(kind={"const": "b"})]},
    "references": {
        "$defs": {"Leaf": closed(n={"type": "integer", "maximum": 9, "minimum": 0})},
        **closed(left={"$ref": "#/$defs/Leaf"}, right={"$ref": "#/$defs/Leaf"}),
    },
    "tuple": {
        "type": "array",
        "prefixItems": [{"type": "boolean"}, WORD],
        "items": False,
        "minItems": 2,
    },
    "empty list": {"type": "array", "maxItems": 0},
}


def ask(
    client: Client,
    schema: object,
    *,
    stream: bool = True,
    model: str = "llama-13b",
    **given: Any,
) -> Reply:
    """Ask for an answer with a schema in a new conversation."""
    body = turn("Tell me about it.", given, json_schema=schema)
    path = f"/conversation/{client.converse(model)}"
    return client.call("POST", path, {**body, "stream": stream})


def last(client: Client, schema: object, **given: Any) -> dict[str, Any]:
    return ask(client, schema, **given).events[-1]


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@pytest.mark.parametrize("how", ["greedy", "sampled"])
def test_the_answer_always_fits_the_schema(
    client: Client, schema: dict[str, Any], how: str
) -> None:
    wild = {"temperature": 5.0, "seed": 7, "repetition_penalty": 1.0}
    given = wild if how == "sampled" else {"do_sample": False, "temperature": None}
    event = last(client, schema, **given)
    assert problems(json.loads(event["generated_text"]), schema) == []
    assert event["details"]["finish_reason"] == "eos_token"
    assert event["details"]["h2o_magic"]["json_schema"] is True


def test_the_pieces_of_the_stream_are_the_answer(client: Client) -> None:
    events = ask(client, SCHEMAS["table"], seed=3).events
    text = "".join(e["token"]["text"] for e in events if not e["token"]["special"])
    assert json.loads(text) == json.loads(events[-1]["generated_text"])


def test_without_a_stream_it_holds_as_well(client: Client) -> None:
    reply = ask(client, SCHEMAS["object"], stream=False)
    assert (
        problems(json.loads(reply.json[0]["generated_text"]), SCHEMAS["object"]) == []
    )


def test_an_answer_cut_by_its_length_says_so(client: Client) -> None:
    schema = {"type": "string", "minLength": 500}
    event = last(client, schema, max_new_tokens=8)
    assert event["details"]["finish_reason"] == "length"
    assert event["generated_text"].startswith('"')


def test_a_stop_text_still_ends_the_answer(client: Client) -> None:
    schema = {"const": {"a": 1, "stop": 2, "z": 3}}
    event = last(client, schema, stop=["stop"])
    assert event["details"]["finish_reason"] == "stop_sequence"
    assert event["generated_text"] == '{"a": 1, "stop'


def test_the_full_text_has_the_prompt_before_the_json(client: Client) -> None:
    event = last(client, {"const": [1]}, return_full_text=True)
    assert "Tell me about it." in event["generated_text"]
    assert event["generated_text"].endswith("[1]")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "nonsense"}, "is invalid"),
        ({"$ref": "#/nowhere"}, "is invalid"),
        ({"$ref": "http://127.0.0.1:9/x.json"}, "is invalid"),
        ({"$ref": "#"}, "is invalid"),
        ({"enum": []}, "no value can match it"),
        ({"type": "string", "pattern": "["}, "is invalid"),
        ({"type": "array", "minItems": 2, "maxItems": 1}, "no value can match it"),
        ({"not": {"type": "string"}}, "does not support `not`"),
        (
            closed(a={"type": "array", "uniqueItems": True}),
            "does not support `uniqueItems`",
        ),
        ({"type": "string", "format": "weird"}, "the format 'weird'"),
        ({"const": "a <|prompt|> b"}, "treats '<|prompt|>' as a control token"),
    ],
)
def test_a_schema_that_the_engine_cannot_use_is_refused(
    client: Client, schema: dict[str, Any], words: str
) -> None:
    for streamed in (True, False):
        reply = ask(client, schema, stream=streamed)
        assert (reply.status, reply.json["error_type"]) == (422, "validation")
        assert words in reply.json["error"]
    assert last(client, {"const": 1})["generated_text"] == "1"


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ([], "to be a JSON object"),
        ("x", "to be a JSON object"),
        (True, "to be a JSON object"),
        ({"enum": ["x" * 70_000]}, "larger than 64 kB"),
        (nested(70), "nested more than 64 deep"),
        ({"type": "array", "maxItems": 5001}, "5000 together at most, got 5001"),
        ({"const": float("nan")}, "is not JSON"),
        ({"const": "\ud800"}, "is not valid JSON"),
    ],
)
def test_what_cannot_be_a_schema_is_refused_before_the_answer(
    client: Client, schema: object, words: str
) -> None:
    reply = ask(client, schema)
    assert (reply.status, reply.media_type) == (422, "application/json")
    assert reply.json["error_type"] == "validation"
    assert words in reply.json["error"]


def test_what_the_engine_complains_of_is_told_to_nobody_in_its_words(
    serving: Serving, client: Client
) -> None:
    reply = ask(client, {"type": "bogus"}, stream=False)
    assert "llguidance" not in reply.body.decode()
    until(lambda: "engine_lines_withheld" in serving.log_file.read_text())
    assert "bogus" not in serving.log_file.read_text()


def test_a_new_conversation_says_that_answers_can_have_schemas(
    client: Client,
) -> None:
    body = {"model": "llama-13b", "messages": []}
    reply = client.call("POST", "/conversation", body)
    assert reply.json["h2o_magic"]["json_schema"] is True


def test_without_a_schema_nothing_is_said_of_one(client: Client) -> None:
    event = client.answer("Hi", max_new_tokens=4)
    assert "json_schema" not in event["details"]["h2o_magic"]


def test_a_turn_with_a_schema_is_remembered_like_any(client: Client) -> None:
    conversation = client.converse()
    path = f"/conversation/{conversation}"
    client.call("POST", path, turn("One?", {}, json_schema={"const": [12345]}))
    event = client.ask(conversation, "And?", return_full_text=True, max_new_tokens=2)
    assert "[12345]" in event[-1]["generated_text"]


# Under /v1


def asked_with(path: str, schema: object) -> dict[str, Any]:
    """Return a request for an answer that fits a schema, in the words of its route."""
    if path == "/v1/responses":
        form = {"type": "json_schema", "name": "thing", "schema": schema}
        return {"input": "Tell me.", "text": {"format": form}, "max_output_tokens": 300}
    if path == "/v1/completions":
        return {"prompt": "Tell me.", "json_schema": schema, "max_tokens": 300}
    form = {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema}}
    return {"messages": QUESTION, "response_format": form, "max_tokens": 300}


def told(reply: Reply) -> tuple[str, int]:
    """Return an answer's text, and the tokens that it took."""
    assert reply.status == 200, reply
    whole = reply.json
    if "output" in whole:
        text = whole["output"][0]["content"][0]["text"]
        return text, whole["usage"]["output_tokens"]
    (choice,) = whole["choices"]
    text = choice["message"]["content"] if "message" in choice else choice["text"]
    return text, whole["usage"]["completion_tokens"]


ROUTES = [CHAT, "/v1/responses", "/v1/completions"]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("name", ["object", "table", "references", "unicode names"])
def test_answers_under_v1_fit_the_schema_and_hold_no_needless_space(
    client: Client, path: str, name: str
) -> None:
    given = {"model": "llama-13b", "temperature": 0, **asked_with(path, SCHEMAS[name])}
    text, tokens = told(client.call("POST", path, given))
    value = json.loads(text)
    assert problems(value, SCHEMAS[name]) == []
    assert text == json.dumps(value, ensure_ascii=False)
    old = last(client, SCHEMAS[name], do_sample=False, temperature=None)
    assert tokens <= 2 * old["details"]["generated_tokens"]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "nonsense"}, "is invalid"),
        ({"not": {"type": "string"}}, "does not support `not`"),
        ({"type": "array", "uniqueItems": True}, "does not support `uniqueItems`"),
        ({"type": "array", "maxItems": 30_000}, "5000 together at most, got 30000"),
        (
            {"maxItems": 2000, "items": {"maxItems": 2000, "minItems": 1500}},
            "got 5500",
        ),
        ({"items": {"minProperties": 1e300}}, "5000 together at most"),
        ([], "to be a JSON object"),
        (nested(70), "nested more than 64 deep"),
    ],
    ids=str,
)
def test_a_schema_that_cannot_be_held_is_a_400_under_v1(
    client: Client, path: str, schema: object, words: str
) -> None:
    for streamed in (False, True):
        given = {"model": "llama-13b", "stream": streamed, **asked_with(path, schema)}
        assert words in error(client.call("POST", path, given), 400)["message"]


@pytest.mark.parametrize("path", [CHAT, "/v1/responses"])
def test_any_json_object_can_be_asked_for(client: Client, path: str) -> None:
    for kind, opens in (("json_object", "{"), ("text", "**")):
        form = {"type": kind}
        given = {"model": "llama-13b", "temperature": 0, "max_tokens": 8}
        if path == CHAT:
            given |= {"messages": QUESTION, "response_format": form}
        else:
            given |= {"input": "How do I stop an answer?", "text": {"format": form}}
        text, _ = told(client.call("POST", path, given))
        assert text.startswith(opens)


def test_a_stream_with_a_schema_says_the_same(client: Client) -> None:
    given = {"model": "llama-13b", "temperature": 0, "stream": True}
    reply = client.call("POST", CHAT, given | asked_with(CHAT, SCHEMAS["object"]))
    *events, done = sse(reply.body)
    deltas = [json.loads(event)["choices"][0]["delta"] for event in events]
    text = "".join(delta.get("content") or "" for delta in deltas)
    assert problems(json.loads(text), SCHEMAS["object"]) == []
    assert done == "[DONE]"


@pytest.mark.parametrize(
    "given",
    [
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
        {"response_format": {"type": "grammar"}},
        {"response_format": "json"},
    ],
    ids=str,
)
def test_a_format_without_a_schema_is_a_400_that_names_it(
    client: Client, given: dict[str, Any]
) -> None:
    asked = {"model": "llama-13b", "messages": QUESTION, **given}
    assert error(client.call("POST", CHAT, asked), 400)["param"] == "response_format"


@pytest.mark.parametrize("name", ["output_config", "output_format"])
def test_a_format_of_answers_in_anthropics_dialect_is_a_400(
    client: Client, name: str
) -> None:
    form = {"type": "json_schema", "schema": {"type": "object"}}
    config = {"format": form} if name == "output_config" else form
    asked = {"model": "llama-13b", "messages": QUESTION, "max_tokens": 4}
    reply = client.call("POST", "/v1/messages", {**asked, name: config})
    assert error(reply, 400)["param"] == "output_config.format"
    assert reply.json["type"] == "error"
    effort = {**asked, "output_config": {"effort": "low"}}
    assert client.call("POST", "/v1/messages", effort).status == 200
