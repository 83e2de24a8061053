"""The key of a request: any one change makes another one, and nothing else does."""

from __future__ import annotations

import io
import math
import pickle
import random
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image as Pillow

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.key import canonical, digest, key_of
from h2o_magic.chat.messages import Message, assistant, system, user
from h2o_magic.config.parameters import PARAMETERS
from h2o_magic.prompts.encoding import from_picture
from tests.backends.replay.requests import (
    IMAGES,
    JSON,
    MESSAGE,
    REQUEST,
    REQUESTS,
    image,
    meaning,
    png,
)
from tests.setting_values import accepted

SIMPLE = ChatRequest("m", (user("Hi"),))


def key(request: ChatRequest) -> str:
    return key_of(request, "lab")


def keys(*requests: ChatRequest) -> int:
    """Return how many keys some requests have."""
    return len({key(request) for request in requests})


# Any change is a miss, no change is a hit


@given(REQUESTS, REQUESTS, st.sampled_from("ab"), st.sampled_from("ab"))
def test_two_requests_have_one_key_exactly_if_they_ask_the_same(
    one: ChatRequest, other: ChatRequest, here: str, there: str
) -> None:
    same = meaning([one, here]) == meaning([other, there])
    assert (key_of(one, here) == key_of(other, there)) is same


@pytest.mark.parametrize("name", [field.name for field in fields(ChatRequest)])
@given(data=st.data())
def test_a_change_of_any_one_field_is_another_key(name: str, data: Any) -> None:
    request, value = data.draw(REQUESTS), data.draw(REQUEST[name])
    other = replace(request, **{name: value})
    same = meaning(request) == meaning(other)
    assert (key(request) == key(other)) is same


@pytest.mark.parametrize("name", [field.name for field in fields(Message)])
@given(data=st.data())
def test_a_change_of_any_one_message_is_another_key(name: str, data: Any) -> None:
    messages = data.draw(REQUEST["messages"].filter(bool))
    place = data.draw(st.integers(0, len(messages) - 1))
    message = replace(messages[place], **{name: data.draw(MESSAGE[name])})
    other = (*messages[:place], message, *messages[place + 1 :])
    assume(meaning(messages) != meaning(other))
    assert keys(*(replace(SIMPLE, messages=each) for each in (messages, other))) == 2


@given(REQUEST["messages"], st.randoms())
def test_the_order_of_messages_counts(messages: Any, dice: Any) -> None:
    other = tuple(dice.sample(messages, len(messages)))
    same = meaning(messages) == meaning(other)
    requests = [replace(SIMPLE, messages=each) for each in (messages, other)]
    assert (keys(*requests) == 1) is same


@pytest.mark.parametrize("name", PARAMETERS)
def test_each_parameter_counts(name: str) -> None:
    first, second, _ = accepted(PARAMETERS[name])
    values: list[dict[str, Any]] = [{}, {name: first}, {name: second}]
    assert keys(*(replace(SIMPLE, parameters=each) for each in values)) == 3


@given(JSON, JSON, st.sampled_from(["extra", "schema"]))
def test_what_is_nested_in_a_field_counts_exactly(
    one: Any, other: Any, where: str
) -> None:
    def asked(value: Any) -> ChatRequest:
        nested: Mapping[str, Any] = {"a": [{"b": value}]}
        if where == "schema":
            return replace(SIMPLE, schema=nested)
        return replace(SIMPLE, parameters={"extra": nested})

    same = meaning(one) == meaning(other)
    assert (key(asked(one)) == key(asked(other))) is same


def test_the_order_of_a_schema_counts_and_that_of_parameters_does_not() -> None:
    ordered = [("a", {"type": "string"}), ("b", {"type": "number"})]
    one, other = dict(ordered), dict(reversed(ordered))
    assert keys(replace(SIMPLE, schema=one), replace(SIMPLE, schema=other)) == 2
    given_ = {"temperature": 0.5, "seed": 3}
    turned = {"seed": 3, "temperature": 0.5}
    assert keys(*(replace(SIMPLE, parameters=each) for each in (given_, turned))) == 1


@given(REQUESTS)
def test_a_request_that_is_built_again_has_its_key(request: ChatRequest) -> None:
    again = pickle.loads(pickle.dumps(request))
    views = replace(again, parameters=MappingProxyType(OrderedDict(again.parameters)))
    assert keys(request, again, views) == 1


def test_a_field_at_its_default_leaves_keys_as_they_were() -> None:
    whole = ChatRequest("m", (Message("user", "Hi", ()),), {}, False, None)
    assert canonical(whole) == {
        "messages": [{"content": "Hi", "role": "user"}],
        "model": "m",
    }
    assert key(whole) == key(SIMPLE)


def test_equal_numbers_of_other_types_are_other_values() -> None:
    values = [1, 1.0, True, "1", 0, 0.0, -0.0, False, None, ""]
    assert len({digest({"a": value}) for value in values}) == len(values)
    assert keys(SIMPLE, replace(SIMPLE, strict=0)) == 2  # type: ignore[arg-type]


def test_text_counts_as_it_is_without_any_normal_form() -> None:
    alike = ["é", "e\u0301", "ﬁ", "fi", "a b", "a\u00a0b", "a\nb", "a\r\nb", "A b"]
    halves = ["\U0001f600", "\ud83d\ude00", "\ud83d", "\ude00", "\\ud83d", "\ufffd"]
    asked = [replace(SIMPLE, messages=(user(text),)) for text in (*alike, *halves)]
    assert keys(*asked) == len(asked)


def test_what_could_be_mistaken_for_another_field_is_not() -> None:
    asked = [
        ChatRequest("m", (user("a"), user("b"))),
        ChatRequest("m", (user("ab"),)),
        ChatRequest("m", (user('a"},{"content":"b","role":"user'),)),
        ChatRequest("m", (system("a"), user("b"))),
        ChatRequest("m", (user("b"),), {"extra": {"system": "a"}}),
        ChatRequest("m", (user("b"),), {"stop": ("a",)}),
        ChatRequest("m", (user("b"),), {"stop": ("a", "")}),
        ChatRequest("m", (user("b"),), schema={}),
        ChatRequest("m", (user("b"),)),
    ]
    assert keys(*asked) == len(asked)
    assert key_of(SIMPLE, "a") != key_of(SIMPLE, "b")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_does_not_have_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        key(replace(SIMPLE, parameters={"extra": {"a": value}}))


@pytest.mark.parametrize("value", [b"a", {1, 2}, object(), {(1, 2): 3}])
def test_what_json_cannot_express_is_refused_and_never_left_out(value: Any) -> None:
    with pytest.raises(TypeError):
        key(replace(SIMPLE, schema={"a": value}))


# Images


@given(st.lists(IMAGES, max_size=3), st.lists(IMAGES, max_size=3))
def test_lists_of_images_count_by_their_pixels(one: Any, other: Any) -> None:
    same = meaning(one) == meaning(other)
    asked = [replace(SIMPLE, messages=(user("Hi", tuple(e)),)) for e in (one, other)]
    assert (keys(*asked) == 1) is same


def test_an_image_counts_by_its_pixels_however_they_are_packed() -> None:
    pixels = bytes(range(12))
    levels = [png(pixels, level) for level in (0, 1, 9)]
    assert len({each.data for each in levels}) == 3
    assert len({canonical(each) for each in levels}) == 1
    assert canonical(levels[0]) != levels[0].hash
    for place in range(12):
        other = bytearray(pixels)
        other[place] ^= 1
        assert canonical(png(bytes(other))) != canonical(levels[0])
    tall = png(bytes(24)), png(bytes(24), mode="L")
    assert canonical(tall[0]) != canonical(tall[1])


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "I;16"])
def test_an_image_as_it_is_sent_counts_by_its_pixels(mode: str) -> None:
    picture = Pillow.new(mode, (20, 10), 1)
    picture.info = {"dpi": (72, 72), "comment": b"x"}
    sent = from_picture(picture, "fig")
    assert sent.media_type == "image/png"
    assert canonical(sent) not in (sent.hash, "")


def test_a_name_of_an_image_does_not_count_but_where_it_stands_does() -> None:
    one, two = png(bytes(12)), png(bytes(range(12)))
    named = replace(one, name="other", thumbnail=b"x")
    assert canonical(named) == canonical(one)
    asked = [(one, two), (two, one), (one,), (one, one)]
    assert keys(*(replace(SIMPLE, messages=(user("Hi", i),)) for i in asked)) == 4


def test_more_than_pixels_counts_by_the_bytes() -> None:
    palettes = [bytes([*range(12)]), bytes([*range(12, 24)])]
    of_palettes = [png(bytes(4), mode="P", palette=p) for p in palettes]
    clear = [png(bytes(4), mode="L", transparency=n) for n in (0, 1)]
    jpegs = []
    for quality in (50, 90):
        file = io.BytesIO()
        Pillow.frombytes("RGB", (2, 2), bytes(range(12))).save(
            file, "JPEG", quality=quality
        )
        jpegs.append(image(file.getvalue(), "image/jpeg"))
    broken = [image(b"\x89PNG\r\n\x1a\n" + each, "image/png") for each in (b"a", b"b")]
    noise = png(random.Random(1).randbytes(120)).data
    cut = [image(noise[:size], "image/png") for size in (60, 70)]
    for images in (of_palettes, clear, jpegs, broken, cut):
        assert [canonical(each) for each in images] == [each.hash for each in images]


# Keys are forever: folders with them are in repositories


CAT = png(bytes([255, 0, 0] * 4))
FIXED = {
    "simple": SIMPLE,
    "conversation": ChatRequest(
        "llama-3-8b",
        (system("Be brief."), user("Why?"), assistant("Because."), user("Ünd 😀?")),
        {"temperature": 0.7, "max_new_tokens": 200, "stop": ("\n\n", "END")},
    ),
    "schema": ChatRequest(
        "gpt-5",
        (user("How old is Anna?"),),
        schema={
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        },
        strict=True,
    ),
    "extra": ChatRequest(
        "m", (user("Hi"),), {"extra": {"top": {"k": 1.0, "on": True, "x": None}}}
    ),
    "image": ChatRequest("m", (user("What is it?", (CAT,)),)),
}
KEYS = [
    "95268fbec7bfc89ed2893baaca81e77b085bc5f3ab25ca9cd51373803510d98c",
    "e768096fc9e45ff0dd8988241e8822cb2f4c21d03c1d942b90c8d449b1ba0dac",
    "a16de04db555c00b9fe419ab3ab4e48bb2369cf69f0f3967a0cacf8946c9bd62",
    "7afd42b77057a66c926198c53e3a97b11f77611a90e417d9fee0fa35c58d8c50",
    "5aaae5bb7b270e1de835b86f49440c92fd2bf88fa76eb8d5752e777fb7564e2d",
]


def test_keys_stay_as_they_are_in_every_version() -> None:
    assert [key(request) for request in FIXED.values()] == KEYS


def test_keys_are_the_same_in_another_process_with_other_hashes() -> None:
    code = (
        "from tests.backends.replay.test_key import FIXED, key\n"
        "print(*map(key, FIXED.values()))"
    )
    said = subprocess.check_output(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": "7", **paths()}, text=True
    )
    assert said.split() == KEYS


def paths() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(filter(None, sys.path))}
