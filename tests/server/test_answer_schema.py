"""An answer can be held to a JSON schema, whatever the model would rather say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from h2o_magic.rendering.schema import problems
from tests.server.client import Client, Reply, turn, until
from tests.server.conftest import Serving

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
        ({"const": float("nan")}, "is not valid JSON"),
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
