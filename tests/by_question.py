"""A server of the OpenAI dialect whose answer depends on the question, or the model."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.backends.behaviours.row import DONE, chunk, said
from tests.backends.scripted import (
    Answer,
    Request,
    ScriptedServer,
    document,
    events,
    serving,
)

#: The last step of an answer that goes on until the client leaves.
ENDLESS = object()

#: A text is sent, an Event is waited for.
Steps = Sequence[str | threading.Event | object]


@contextmanager
def answering(answers: Mapping[str, Steps | int]) -> Iterator[ScriptedServer]:
    """Serve answers by question or model; another is answered with ``re: `` and it.

    In place of the steps, a number is the status of an error.
    """

    def script(request: Request) -> Answer:
        if request.path.endswith("/models"):
            return document({"object": "list", "data": [{"id": "m"}]})
        if not request.path.endswith("/chat/completions"):
            return document({}, status=404)
        question = request.json["messages"][-1]["content"]
        steps = answers.get(question, answers.get(request.json["model"]))
        if isinstance(steps, int):
            return document({"error": {"message": "no such luck"}}, status=steps)
        return _answer([f"re: {question}"] if steps is None else steps)

    with serving(script) as server:
        yield server


def questions(server: ScriptedServer) -> list[str]:
    """Return what was asked, in order."""
    return [
        request.json["messages"][-1]["content"]
        for request in server.requests
        if request.path.endswith("/chat/completions")
    ]


def _answer(steps: Steps) -> Answer:
    texts = [step for step in steps if isinstance(step, str)]
    gates: dict[int, threading.Event] = {}
    for index, step in enumerate(steps):
        if isinstance(step, threading.Event):
            gates[sum(isinstance(s, str) for s in steps[:index])] = step
    documents = [said(text, model="m") for text in texts]
    if steps and steps[-1] is ENDLESS:
        return events(*documents, gates=gates, end="hold")
    return events(*documents, chunk({}, "stop"), DONE, gates=gates)
