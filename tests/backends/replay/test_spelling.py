"""How a dialect spells a request adds nothing that its key does not have.

Two requests that are spelled in two ways have two keys. The other way round, a dialect
may say two things in the same way, on purpose; the tests name what.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations
from json import dumps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.gptgm import GptGmBackend
from h2o_magic.backends.gptgm.api import Created
from h2o_magic.backends.gptgm.ask import GptGmQuestion
from h2o_magic.backends.openai.flavour import ENGINES
from h2o_magic.backends.openai.request import make_body
from h2o_magic.backends.replay.key import key_of
from h2o_magic.chat.events import Source
from h2o_magic.chat.messages import assistant, system, user
from h2o_magic.config.parameters import PARAMETERS
from h2o_magic.errors import ParameterError
from tests.backends.replay.requests import png
from tests.docs.pages import pages
from tests.packages import importable
from tests.setting_values import accepted

ASKED = (system("Be brief."), user("Why?"), assistant("Because."), user("And?"))
PLAIN = ChatRequest("llama-3-8b", ASKED)
SCHEMA = {"type": "object", "properties": {"a": {}, "b": {}}}
TURNED = {"type": "object", "properties": {"b": {}, "a": {}}}
FLAVOURS = sorted({"standard", "h2o_magic", *ENGINES} - {""})
Spell = Callable[[ChatRequest], str]


def variants() -> Iterator[tuple[str, ChatRequest]]:
    """Yield requests by names that say what is special about them."""
    yield "plain", PLAIN
    yield "model", replace(PLAIN, model="other")
    yield "strict", replace(PLAIN, strict=True)
    yield "schema", replace(PLAIN, schema=SCHEMA)
    yield "schema turned", replace(PLAIN, schema=TURNED)
    for n in range(4):
        other = replace(ASKED[n], content=f"{ASKED[n].content} ")
        yield f"text {n}", replace(PLAIN, messages=(*ASKED[:n], other, *ASKED[n + 1 :]))
        if n < 3:
            yield f"without {n}", replace(PLAIN, messages=ASKED[:n] + ASKED[n + 1 :])
    yield "turned", replace(PLAIN, messages=(ASKED[0], ASKED[2], ASKED[1], ASKED[3]))
    yield "role", replace(PLAIN, messages=(*ASKED[:2], user("Because."), ASKED[3]))
    for name, parameter in PARAMETERS.items():
        for n, value in enumerate(dict.fromkeys(map(repr, accepted(parameter)[:2]))):
            given: Any = accepted(parameter)[n]
            yield f"{name} {value}", replace(PLAIN, parameters={name: given})
    yield "greedy", replace(PLAIN, parameters={"temperature": 0.0})
    yield "two", replace(PLAIN, parameters={"temperature": 0.31, "top_p": 0.5})


def pictured() -> Iterator[tuple[str, ChatRequest]]:
    red, blue = png(bytes([255, 0, 0] * 4)), png(bytes([0, 0, 255] * 4))
    for name, images in {"red": (red,), "blue": (blue,), "both": (red, blue)}.items():
        yield name, replace(PLAIN, messages=(*ASKED[:3], user("And?", images)))
    yield "earlier", replace(PLAIN, messages=(user("Why?", (red,)), *ASKED[2:]))


def spelled(
    spell: Spell, requests: Iterable[tuple[str, ChatRequest]]
) -> dict[str, Any]:
    """Return the spelling and the key of each request that a dialect can express."""
    found = {}
    for name, request in requests:
        try:
            found[name] = spell(request), key_of(request, "lab")
        except ParameterError:
            continue
        assert spell(request) == found[name][0]  # no time, no chance
    return found


def said_alike(found: dict[str, Any]) -> set[frozenset[str]]:
    """Return which requests of two keys are spelled in one way; others must not be."""
    pairs = list(combinations(found.items(), 2))
    for (one, (body, key)), (other, (body2, key2)) in pairs:
        assert body == body2 or key != key2, f"{one} and {other} have one key"
    return {
        frozenset((one, other))
        for (one, (body, key)), (other, (body2, key2)) in pairs
        if body == body2 and key != key2
    }


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_body_of_openai_has_nothing_that_the_key_has_not(flavour: str) -> None:
    def spell(request: ChatRequest) -> str:
        return dumps(make_body(request, flavour, "lab").document)

    found = spelled(spell, (*variants(), *pictured()))
    assert len(found) > 25
    # The API has no `do_sample`: true is what it does anyway, and false temperature 0.
    # Only our own server knows `strict`, others have no demo weights to refuse.
    left_out = {"plain", "do_sample True"} & found.keys()
    if flavour != "h2o_magic":
        left_out.add("strict")
    assert said_alike(found) == set(map(frozenset, combinations(left_out, 2)))


SERVICE = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v2"


@pytest.mark.parametrize("enforces", [True, False])
def test_a_question_of_gpt_gm_has_nothing_that_the_key_has_not(enforces: bool) -> None:
    backend = GptGmBackend("http://127.0.0.1:1")
    created = Created("", has_history=False, source=Source("m", schema=enforces))

    def spell(request: ChatRequest) -> str:
        question: GptGmQuestion = backend._question(request)
        document = question.document(created)
        ids = {"id": None, "response_id": None}  # they are drawn, and say nothing
        document["options"] = {**document["options"], **ids}
        return dumps([question.model, document])

    found = spelled(spell, variants())
    assert len(found) > 25
    # Its client's defaults are sent where nothing is set, and a server that does not
    # enforce schemas gets none.
    left_out = {"plain", "do_sample True", "return_full_text False"}
    left_out |= set() if enforces else {"schema", "schema turned"}
    assert said_alike(found) == set(map(frozenset, combinations(left_out, 2)))


def test_a_body_of_another_packages_dialect_has_nothing_that_the_key_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (page,) = pages(("docs/dialects.md",))
    page.write_files(tmp_path)
    with importable(tmp_path / "h2o-magic-ollama"):
        backend = importlib.import_module("h2o_magic_ollama").OllamaBackend("")
    sent: list[str] = []

    @contextmanager
    def answer(*_: str, json: Any) -> Iterator[Any]:
        sent.append(dumps(json))
        yield SimpleNamespace(iter_lines=lambda: iter(()))

    monkeypatch.setattr(backend, "_answer", answer)

    def spell(request: ChatRequest) -> str:
        assert list(backend.stream(request)) == []
        return sent.pop()

    found = spelled(spell, variants())
    assert len(found) > 20
    # It knows no schemas, and no demo weights that could be refused.
    left_out = {"plain", "strict", "schema", "schema turned"}
    assert said_alike(found) == set(map(frozenset, combinations(left_out, 2)))
