"""Each dialect's wire, for laws that hold for all backends.

A test says what a server answers in words that all dialects have: tokens, an end, a
failure. The table at the end says what is different, and why.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from h2o_magic.backends.base import Backend, ChatRequest
from h2o_magic.backends.gptgm import GptGmBackend
from h2o_magic.backends.gptgm.parser import GptGmParser
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.backends.openai.parser import OpenAIParser
from h2o_magic.backends.parser import AnswerParser
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.chat.events import Event
from h2o_magic.chat.messages import user
from h2o_magic.errors import BackendError
from tests.backends import scripted
from tests.backends.scripted import (
    Answer,
    GptGmScript,
    Request,
    Script,
    ScriptedServer,
    answer,
    document,
    serving,
)

QUICK = RetryPolicy(tries=3, wait=0.001)
SECRET = "s3cret-of-the-user"


@dataclass(frozen=True, repr=False)
class Dialect:
    """One protocol.

    Attributes
    ----------
    name : str
        For the names of the tests.
    make : callable
        Makes the backend of an address.
    token, end, failure : callable
        The documents that say a piece of text; that the answer is whole, and which it
        is; that it failed, in some words.
    question : callable
        The text that a request asks; None if it is another call.
    others : callable
        Makes the script for all calls but the question.
    parser : callable
        Makes the pure parser of a body.
    unsayable : mapping
        Parameters that the dialect cannot express, with a value for each.
    defaults : frozenset of str
        The parameters that are sent though nobody set them.
    models_call : str
        The path of the list of models.
    models : Answer
        A list with the model ``tiny``.
    no_list_is_no_error : str
        Why a server without a list of models is none, where that is so.
    """

    name: str
    make: Callable[..., Backend]
    token: Callable[[str], Any]
    end: Callable[[str], list[Any]]
    failure: Callable[[str], Any]
    question: Callable[[Request], str | None]
    others: Callable[[], Script]
    parser: Callable[[], AnswerParser]
    unsayable: Mapping[str, Any]
    defaults: frozenset[str]
    models_call: str
    models: Answer
    no_list_is_no_error: str

    def __repr__(self) -> str:
        return self.name

    def pieces(self, *documents: Any, ascii_only: bool = True) -> list[bytes]:
        """The bytes of documents in a stream; a bytes object stands for its JSON."""
        return [
            b"data: %s\n\n"
            % (
                d
                if isinstance(d, bytes)
                else json.dumps(d, ensure_ascii=ascii_only).encode()
            )
            for d in documents
        ]

    def whole(self, *tokens: str) -> list[Any]:
        """The documents of a whole answer."""
        return [*map(self.token, tokens), *self.end("".join(tokens))]

    def says(self, *tokens: str, **kwargs: Any) -> Answer:
        """A whole answer, a document to a send."""
        return self.stream(*self.pieces(*self.whole(*tokens)), **kwargs)

    def begins(self, *tokens: str, **kwargs: Any) -> Answer:
        """The beginning of an answer; `end` says what comes of it."""
        return self.stream(*self.pieces(*map(self.token, tokens)), **kwargs)

    def stream(self, *pieces: bytes, **kwargs: Any) -> Answer:
        return answer(list(pieces), content_type="text/event-stream", **kwargs)

    def script(self, *queued: Answer, then: Script | None = None) -> Script:
        """Answers to questions, in turn, and then by `then`; else it says "ok"."""
        waiting, others = list(queued), self.others()

        def reply(request: Request) -> Answer:
            if self.question(request) is None:
                return others(request)
            if waiting:
                return waiting.pop(0)
            return then(request) if then else self.says("o", "k")

        return reply

    @contextmanager
    def answering(
        self, *queued: Answer, then: Script | None = None, **options: Any
    ) -> Iterator[tuple[Backend, ScriptedServer]]:
        """A backend and its server, which gives these answers to questions."""
        with self.refusing(self.script(*queued, then=then), **options) as both:
            yield both

    @contextmanager
    def refusing(
        self, script: Script, **options: Any
    ) -> Iterator[tuple[Backend, ScriptedServer]]:
        """A backend and its server, which answers every call by `script`."""
        options = {"retry": QUICK, "token": SECRET, **options}
        with (
            serving(script) as server,
            closing(self.make(server.url, **options)) as backend,
        ):
            yield backend, server

    def questions(self, server: ScriptedServer) -> list[str]:
        """The questions that a server was asked."""
        asked = map(self.question, list(server.requests))
        return [text for text in asked if text is not None]

    def read(self, *pieces: bytes) -> tuple[list[Event], BackendError | None]:
        """Read a body in these pieces: what came of it, and the failure at its end."""
        parser, got = self.parser(), []
        try:
            for piece in pieces:
                got.extend(_each(parser.feed(piece), into=got))
            got.extend(_each(parser.flush(), into=got))
            got.append(parser.end())
        except BackendError as error:
            return got, error
        return got, None


def _each(events: Iterable[Event], *, into: list[Event]) -> list[Event]:
    """Put events where they are kept one by one, since there may be an error after."""
    for event in events:
        into.append(event)
    return []


def request(text: str = "Hi", **more: Any) -> ChatRequest:
    return ChatRequest("tiny", (user(text),), **more)


# gpt-gm


def _gptgm_question(request: Request) -> str | None:
    asks = GptGmScript.step(request) == "generate"
    return request.json["inputs"] if asks else None


def _gptgm_others() -> Script:
    script = GptGmScript()

    def reply(request: Request) -> Answer:
        if script.step(request) == "create":
            return document({"conversationId": uuid.uuid4().hex[:24]})
        if request.path == GPTGM.models_call:
            return GPTGM.models
        return script(request)

    return reply


GPTGM = Dialect(
    "gptgm",
    make=GptGmBackend,
    token=scripted.token,
    end=lambda text: [scripted.final(text)],
    failure=lambda words: {"error": words, "error_type": "validation"},
    question=_gptgm_question,
    others=_gptgm_others,
    parser=GptGmParser,
    unsayable={"min_p": 0.5, "reasoning_effort": "low", "extra": {"any": 1}},
    # The original client sends them; a service may rely on it.
    defaults=frozenset(
        {
            "temperature",
            "repetition_penalty",
            "max_new_tokens",
            "truncate",
            "do_sample",
            "return_full_text",
        }
    ),
    models_call="/api/models",
    models=document([{"id": "tiny"}]),
    no_list_is_no_error="chat-ui of 2023 has none; it offers the models that are known",
)


# OpenAI


def _chunk(text: str | None, finish: str | None = None) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "choices": [choice], "model": "tiny"}


def _openai_question(request: Request) -> str | None:
    asks = request.path.endswith("/chat/completions")
    return request.json["messages"][-1]["content"] if asks else None


OPENAI = Dialect(
    "openai",
    make=OpenAIBackend,
    token=_chunk,
    end=lambda _: [_chunk(None, "stop"), b"[DONE]"],
    failure=lambda words: {"error": {"message": words}},
    question=_openai_question,
    others=lambda: lambda _: OPENAI.models,
    parser=OpenAIParser,
    unsayable={"top_k": 5, "typical_p": 0.5, "truncate": 9, "return_full_text": True},
    defaults=frozenset(),
    models_call="/v1/models",
    models=document({"data": [{"id": "tiny", "owned_by": "nobody"}]}),
    no_list_is_no_error="",
)


DIALECTS = (GPTGM, OPENAI)
