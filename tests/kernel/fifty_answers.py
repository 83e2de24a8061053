"""A notebook of fifty answers, and a server for it that never says the same twice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from tests.backends.behaviours.row import DONE, chunk, said
from tests.backends.scripted import Answer, Request, ScriptedServer, document, events
from tests.backends.scripted import serving as scripted

ANSWERS = 52

_VALUES = """
import dataclasses, datetime, threading
import h2o_magic
import numpy as np
import pandas as pd

@dataclasses.dataclass
class City:
    name: str
    population: int

class Plain: ...

def doubled(x):
    return x * 2

city_list = [City("Ulm", 126_000), City("Bonn", 331_000)]
df = pd.DataFrame({"year": [2023, 2024, 2025], "size": [1.5, None, 3.0]})
settings = {"b": {2, 1, 3}, "a": {"x", "y", "z", "w"}, "on": datetime.date(2026, 1, 2)}
words = {"elm", "oak", "ash", "fir", "yew", "box", "bay", "fig"}
plain = [Plain(), Plain(), threading.Lock(), doubled, lambda: 1]
long = "A sentence of a long text. " * 2000
picture = (np.arange(48 * 32 * 3) % 251).astype(np.uint8).reshape(32, 48, 3)
session = h2o_magic.session()
"""

_ASKED = """
mine = session.ask("Asked from Python {0}".format(len(words)), temperature=0.1)
print(mine.read())
print(session.ask("City from Python", schema=City, history=False).value())
print(session.ask("With braces {df}", attach=[picture], model="eyes", new=True).read())
"""

_LATER = """
later = [
    session.ask_later(f"Later {n}", thread="later", cell=f"later {n}") for n in range(3)
]
aside = [session.ask_later(f"Aside {n}", history=False) for n in range(2)]
for each in later + aside:
    each.wait()
    each.wait()
    print(each.answer.text)
"""

_COMPLETIONS = """
asked = [{"role": "user", "content": "Completed?"}]
options = dict(base_url="OTHER", replay="answers/", temperature=0.3)
print("".join(h2o_magic.create_completion("llama-13b", asked, **options)))
print(h2o_magic.create_completion("llama-13b", asked, stream=False, top_k=5, **options))
"""

_BRIEFLY = """
%%h2o --system 'Be brief: {city_list[0].name}.' --temperature 0.2 --seed 7 --stop END
Briefly?
"""

_LOOP = """
for name in ("small", "thinker"):
    get_ipython().run_cell_magic("h2o", f"--model {name}", "In a loop?")
"""

_FOLLOW_UPS = [
    f"%%h2o\nFollow-up {n}: " + "and what about the next one? " * 6 for n in range(10)
]

_CELLS = [
    "%load_ext h2o_magic",
    "%config H2OMagics.replay = 'answers/'",
    "%h2o connect SERVER --name lab",
    _VALUES,
    "%%h2o\nWhat is a replay?",  # 1
    *_FOLLOW_UPS,  # 11
    "%%h2o --model thinker\nThink about it.",
    "%%h2o --model thinker --reasoning show\nThink aloud.",
    "%%h2o --schema City -o best\nWhich city is best?",
    "%%h2o --schema City --no-history\nWhich city is {best.name}?",
    "%%h2o --as json -o data\nGive me JSON.",
    "%%h2o --as table -o table\nGive me a table.",
    "%%h2o\nSum up {table}, {data} and {best}.",
    "%%h2o --as code\nGive me code.",
    "%%h2o --as html\nGive me HTML.",
    "%%h2o --as math\nGive me a formula.",  # 21
    "%%h2o --thread ideas\nFirst idea?",
    "%%h2o --thread ideas\nSecond idea?",
    "%h2o thread ideas",
    "%%h2o\nThird idea?",
    "%h2o thread main",
    "%%h2o --no-history\nOutside.",
    "%%h2o --no-history --stream\nOutside again.",
    "%%h2o --new\nA new beginning.",  # 27
    "%%h2o\nThe data are {df}, the words are {words}, {settings} and so on.",
    "%%h2o\nSum up:\n{long}",
    "%%h2o\nWhat are {plain}?",
    "%%h2o\nExplain {doubled} and {city_list} and {City}.",
    "%%h2o --eval\nHow many are {len(df)} and {df['size'].mean():.2f}?",
    "%%h2o --raw\nWhat does {df} mean?",  # 33
    "%%h2o --model eyes\nWhat is on {picture}?",
    "%%h2o --model small --vision --no-history\nAnd on {picture}?",
    "%%h2o --model eyes --no-history --attach figure.png --attach notes.txt\nAnd here?",
    "%%h2o --model eyes\nWas it blue?",  # 37
    _BRIEFLY,
    """%%h2o --extra '{"guided": {"b": 1, "a": [2, 3]}}' --max-turns 2\nWith more?""",
    "%h2o ask Asked on a line?",  # 40
    _LOOP,  # 42
    _ASKED,  # 45
    _LATER,  # 50
    _COMPLETIONS,  # 52
]


def notebook(server: str, other: str) -> NotebookNode:
    """Return the notebook; `other` is the address of a gpt-gm server."""
    cells = [
        new_code_cell(
            cell.strip().replace("SERVER", server).replace("OTHER", other),
            id=f"cell-{number}",
        )
        for number, cell in enumerate(_CELLS)
    ]
    return new_notebook(cells=cells)


_MODELS: list[dict[str, Any]] = [
    {"id": "small", "owned_by": "vllm", "max_model_len": 1400},
    {"id": "thinker", "owned_by": "vllm", "max_model_len": 8000},
    {
        "id": "eyes",
        "owned_by": "vllm",
        "max_model_len": 16000,
        "capabilities": ["completion", "vision"],
    },
]
_FORMS = {
    "Give me JSON.": '[{"b": 1, "a": "é😀"}]',
    "Give me a table.": "| year | size |\n| --- | --- |\n| 2023 | 1.5 |\n| 2024 | 2 |",
    "Give me code.": "```python\nprint('run me')\n```",
    "Give me HTML.": "```html\n<b>bold</b> <script>alert(1)</script>\n```",
    "Give me a formula.": r"$$\int_0^1 x^2 \, dx = \frac{1}{3}$$",
}


#: A question whose answer comes in pieces, not all at once.
_SLOW = "What is a replay?"


class _Slowly(tuple[bytes, ...]):
    """Pieces that come one after the other."""

    def __iter__(self) -> Iterator[bytes]:
        for piece in super().__iter__():
            yield piece
            time.sleep(0.02)


@contextmanager
def serving() -> Iterator[ScriptedServer]:
    """Serve three models; each answer has a number of its own."""
    numbers = count(1)

    def script(request: Request) -> Answer:
        if request.path == "/v1/models":
            return document({"object": "list", "data": _MODELS})
        if request.path != "/v1/chat/completions":
            return document({"detail": "Not Found"}, status=404)
        answer = events(*_stream(request.json, next(numbers)), DONE)
        slowly = _SLOW in str(request.json["messages"][-1])
        return replace(answer, pieces=_Slowly(answer.pieces)) if slowly else answer

    with scripted(script) as server:
        yield server


def _stream(body: dict[str, Any], number: int) -> Iterator[Any]:
    model = body["model"]
    if model == "thinker":
        for piece in ("Let me ", f"see {number}."):
            yield chunk({"reasoning_content": piece}, model=model)
    text = _text(body, number)
    for start in range(0, len(text), 40):
        yield said(text[start : start + 40], model=model)
    yield chunk({}, "stop", model=model)
    usage = {"prompt_tokens": 1000 + number, "completion_tokens": 9}
    yield {"model": model, "choices": [], "usage": usage}


def _text(body: dict[str, Any], number: int) -> str:
    asked = body["messages"][-1]["content"]
    asked = asked if isinstance(asked, str) else json.dumps(asked)
    for question, text in _FORMS.items():
        if question in asked:
            return text
    if "response_format" in body:
        return json.dumps({"name": f"City {number}", "population": number})
    return f"**Answer {number}** of {body['model']}. " + "It goes on and on. " * 12
