"""Each recording of the real server, and what the client makes of it.

147 exchanges. `MET` names the step of the protocol at which the client meets the
answer, and what comes of it; `NEVER` says why the client does not make the request.
Some of those in `MET` answer requests that this client does not make either (a missing
Referer, an id that is no UUID); their answers are understood all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.gptgm import GptGmBackend, create_completion
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.chat.events import Finished, Replaced, TextDelta
from h2o_magic.chat.messages import user
from h2o_magic.errors import (
    BackendError,
    GenerationError,
    IncompleteAnswerError,
    RateLimitedError,
    StatusError,
)
from tests.backends.scripted import (
    RECORDINGS,
    GptGmScript,
    ScriptedServer,
    load,
    recorded,
    serving,
)


@dataclass(frozen=True)
class Error:
    """The error that is raised, words of it, and whether a second try mends it."""

    kind: type[BackendError]
    words: str
    mended: bool = False
    partial: str = ""


USUAL = "A Jupyter magic is a command that starts with `%`."
EMOJI = "Hi 👋 é 日本語"
COUNT = " ".join(f"w{i}" for i in range(60))
INTERNAL = Error(StatusError, "Internal Error: it may not have the model")
FAILED = Error(StatusError, ": HTTP 500: Internal Error", mended=True)
REFERER = Error(StatusError, "referer", mended=True)
NO_TERMS = Error(StatusError, "You need to accept the welcome modal", mended=True)
LOST = Error(StatusError, "Conversation not found: the server does not keep")
NO_LOGIN = Error(StatusError, "You have to be logged in: the server needs a valid key")
VALIDATION = "Input validation error: `temperature` must be strictly positive"

MET: dict[str, tuple[str, str | Error]] = {
    "get-root": ("page", USUAL),
    "settings-ok-json": ("settings", USUAL),
    "settings-ok-accept-any": ("settings", USUAL),
    "settings-ok-no-accept": ("settings", USUAL),
    "settings-ok-accept-html": ("settings", USUAL),
    "settings-ok-original-client": ("settings", USUAL),
    "settings-ok-multipart": ("settings", USUAL),
    "settings-own-cookie-value": ("settings", USUAL),
    "settings-no-referer": ("settings", REFERER),
    "settings-no-referer-text": ("settings", REFERER),
    "settings-origin-only": ("settings", REFERER),
    "settings-foreign-referer": ("settings", REFERER),
    "settings-bad-referer": ("settings", INTERNAL),
    "settings-unknown-model": ("settings", INTERNAL),
    "settings-json-body": ("settings", INTERNAL),
    "no-origin-http-referer": ("settings", REFERER),
    "no-origin-https-referer": ("settings", USUAL),
    "dev-mode-settings": ("settings", USUAL),
    "dev-mode-conversation-create": ("create", USUAL),
    "dev-mode-generate": ("generate", USUAL),
    "aug2023-settings-share-false": ("settings", USUAL),
    "aug2023-settings-share-yes": ("settings", INTERNAL),
    "aug2023-settings-custom-prompt": ("settings", USUAL),
    "aug2023-settings-bad-custom-prompts": ("settings", INTERNAL),
    "aug2023-settings-original-client": ("settings", USUAL),
    "conversation-before-terms": ("create", NO_TERMS),
    "conversation-before-terms-text": ("create", NO_TERMS),
    "delete-before-terms": ("delete", USUAL),
    "no-disclaimer-create-without-terms": ("create", USUAL),
    "aug2023-create-before-terms": ("create", NO_TERMS),
    "aug2023-conversation-create": ("create", USUAL),
    "aug2023-bad-model": ("create", INTERNAL),
    "conversation-create": ("create", USUAL),
    "conversation-bad-model": ("create", INTERNAL),
    "conversation-bad-model-accept-any": ("create", INTERNAL),
    "conversation-bad-model-no-accept": ("create", INTERNAL),
    "conversation-no-model": ("create", INTERNAL),
    "conversation-bad-json": ("create", INTERNAL),
    "conversation-from-share": ("create", USUAL),
    "conversation-from-unknown-share": ("create", LOST),
    "conversation-get": ("create", Error(StatusError, "a redirect to '/'")),
    "conversation-put": ("create", Error(StatusError, "PUT method not allowed")),
    "delete": ("delete", USUAL),
    "delete-again": ("delete", USUAL),
    "delete-with-json-body": ("delete", USUAL),
    "generate-first-turn": ("generate", USUAL),
    "generate-second-turn": ("generate", "Your name is Ada."),
    "generate-minimal": ("generate", USUAL),
    "generate-no-accept": ("generate", EMOJI),
    "generate-no-accept-error": ("generate", FAILED),
    "generate-accept-html": ("generate", Error(StatusError, "HTTP 405: ")),
    "generate-missing-options": ("generate", FAILED),
    "generate-id-not-uuid": ("generate", FAILED),
    "generate-id-null": ("generate", FAILED),
    "generate-is-retry-string": ("generate", FAILED),
    "generate-empty-inputs": ("generate", FAILED),
    "generate-no-inputs": ("generate", FAILED),
    "generate-bool-inputs": ("generate", FAILED),
    "generate-web-search-null": ("generate", FAILED),
    "generate-web-search-id": ("generate", USUAL),
    "generate-web-search-unknown": ("generate", FAILED),
    "generate-unknown-conversation": ("generate", LOST),
    "generate-unknown-conversation-html": ("generate", LOST),
    "generate-malformed-id": ("generate", FAILED),
    "generate-12-char-id": ("generate", LOST),
    "generate-other-session": ("generate", LOST),
    "generate-no-cookie": ("generate", NO_TERMS),
    "generate-after-delete": ("generate", LOST),
    "generate-model-gone": ("generate", Error(StatusError, "choose another")),
    "retry-second-turn": ("generate", USUAL),
    "retry-first-turn": ("generate", USUAL),
    "retry-unknown-id": ("generate", USUAL),
    "aug2023-generate": ("generate", USUAL),
    "aug2023-missing-options": ("generate", FAILED),
    "body-too-large": ("generate", Error(StatusError, "shorten it")),
    "rate-limit-429": ("generate", Error(RateLimitedError, "ask again in 60 s")),
    "stream-emoji-empty-tokens": ("generate", EMOJI),
    "stream-split-bytes": ("generate", EMOJI),
    "stream-one-write": ("generate", USUAL),
    "stream-length-last-token-text": ("generate", "one two three"),
    "stream-stop-sequence": ("generate", "Fine."),
    "stream-empty-answer": ("generate", ""),
    "stream-keep-alive-comments": ("generate", "awake"),
    "stream-tricky-text": (
        "generate",
        'data: [DONE] <|endoftext|> }\n\ndata:{"x":1}\u2028 end',
    ),
    "stream-llama-eos": ("generate", "Hello!"),
    "stream-full-text": ("generate", "Hello!"),
    "stream-details": ("generate", "Hello!"),
    "stream-false": ("generate", USUAL),
    "stream-absent": ("generate", USUAL),
    "content-encoding-false": ("generate", "ok gzip"),
    "error-validation-in-stream": ("generate", Error(GenerationError, VALIDATION)),
    "error-truncate-in-stream": ("generate", Error(GenerationError, "`truncate`")),
    "error-overloaded-in-stream": (
        "generate",
        Error(GenerationError, "Model is overloaded", mended=True),
    ),
    "error-generation-first-event": (
        "generate",
        Error(GenerationError, "CUDA out of memory", mended=True),
    ),
    "error-midway": (
        "generate",
        Error(GenerationError, "CUDA out of memory", partial="This is par"),
    ),
    "error-validation-422": ("generate", Error(StatusError, VALIDATION)),
    "error-overloaded-429": (
        "generate",
        Error(RateLimitedError, "Model is overloaded", mended=True),
    ),
    "error-generation-424": (
        "generate",
        Error(StatusError, "CUDA out of memory", mended=True),
    ),
    "error-wrong-type-422-text": ("generate", Error(StatusError, "max_new_tokens")),
    "error-list-400": ("generate", Error(StatusError, "parameters.temperature")),
    "error-loading-503": (
        "generate",
        Error(StatusError, "is currently loading", mended=True),
    ),
    "error-engine-down": ("generate", FAILED),
    "error-gateway-502-html": (
        "generate",
        Error(StatusError, "502 Bad Gateway", mended=True),
    ),
    "end-without-final": (
        "generate",
        Error(IncompleteAnswerError, "final event", partial="This was cut"),
    ),
    "end-cut": (
        "generate",
        Error(IncompleteAnswerError, "server stopped", partial="This was"),
    ),
    "stop-stream": (
        "generate",
        Error(
            IncompleteAnswerError,
            "server stopped",
            partial=COUNT[: COUNT.index(" w13")],
        ),
    ),
    "stop-generating": ("stop", USUAL),
    "stop-stream-again": ("generate", COUNT),
    "stop-generating-again": ("stop", USUAL),
    "stop-generating-with-json-type": ("stop", USUAL),
    "stop-unknown": ("stop", USUAL),
    "stop-get": ("stop", USUAL),
    "generate-client-leaves": ("leave", "w0 w1 w2 w3 w4"),
    "generate-while-abandoned-turn-runs": ("generate", "Your name is Ada."),
    "data-json-root": ("models", USUAL),
    "aug2023-data-json-root": ("models", USUAL),
    "base-path-data-json": ("models", USUAL),
    "no-such-route": ("models", USUAL),
    "malformed-uri": ("create", Error(StatusError, "Malformed URI")),
    "login-required-401": ("create", NO_LOGIN),
    "login-required-401-text": ("create", NO_LOGIN),
    "login-required-settings-401": ("settings", NO_LOGIN),
    "base-path-wrong-path": (
        "create",
        Error(StatusError, "Not found: no gpt-gm server found at http:"),
    ),
}

TITLE = "titles of conversations are not made or changed"
SHARE = "conversations are not shared by link"
VOTE = "answers are not voted on"
SEARCH = "the server's web search is not driven from here"
STORED = "our own transcript is the record; the server's is never read"

NEVER = {
    "conversation-page-other-session": STORED,
    "title-patch": TITLE,
    "title-patch-empty": TITLE,
    "title-patch-101": TITLE,
    "summarize": TITLE,
    "summarize-empty-conversation": TITLE,
    "summarize-engine-down": TITLE,
    "share": SHARE,
    "share-again": SHARE,
    "share-data-json": SHARE,
    "message-prompt": "the prompt is not asked back",
    "vote": VOTE,
    "vote-zero": VOTE,
    "vote-bad": VOTE,
    "vote-unknown-message": VOTE,
    "conversations-delete-all": "only own conversations are deleted, one by one",
    "conversations-delete-all-no-referer": "as above",
    "web-search-no-key": SEARCH,
    "search-get": SEARCH,
    "data-json-after-abandoned-turn": STORED,
    "data-json-conversation": STORED,
    "data-json-other-session": STORED,
    "root-model-parameter": "the model is given with the conversation",
    "base-path-conversation-get": "conversations are only posted to",
}

AT_A_STEP = [
    case
    for case, (step, _) in MET.items()
    if step in ("page", "settings", "create", "generate")
]
FAILURES = [case for case in AT_A_STEP if isinstance(MET[case][1], Error)]
Ask = Callable[[ScriptedServer, str], tuple[str, str]]
RETRY = RetryPolicy(tries=2, wait=0.0)


def test_each_recording_is_either_met_or_never_met() -> None:
    cases = {path.stem for path in RECORDINGS.glob("*.json")}
    assert len(cases) == 147
    assert MET.keys() | NEVER.keys() == cases
    assert MET.keys() & NEVER.keys() == set()


@pytest.fixture(scope="module")
def host() -> Iterator[ScriptedServer]:
    with serving(GptGmScript()) as server:
        yield server


def question_of(case: str) -> str:
    """The recorded question, so that the server's echo of it is recognised."""
    known = {"generate-minimal": "What is it?", "stream-full-text": "And again"}
    return known.get(case, "What is a Jupyter magic?")


def ask_backend(server: ScriptedServer, question: str) -> tuple[str, str]:
    """What was shown, and the answer of record, of one question to a backend."""
    backend = GptGmBackend(server.url, retry=RETRY)
    shown = record = ""
    try:
        request = ChatRequest("falcon-40b", (user(question),))
        for event in backend.stream(request):
            match event:
                case TextDelta(text):
                    shown += text
                case Replaced(text):
                    shown = text
                case Finished(text, _):
                    record = text
    finally:
        backend.close()
    return shown, record


def ask_once(server: ScriptedServer, question: str) -> tuple[str, str]:
    messages = [{"role": "user", "content": question}]
    text = create_completion(
        "falcon-40b", messages, False, base_url=server.url, retry=RETRY
    )
    return text, text


@pytest.mark.parametrize("ask", [ask_backend, ask_once])
@pytest.mark.parametrize("case", AT_A_STEP)
def test_a_server_that_always_answers_so(
    case: str, ask: Ask, host: ScriptedServer
) -> None:
    step, expected = MET[case]
    host.script = script = GptGmScript()
    script.usual[step] = recorded(case)
    if isinstance(expected, str):
        assert ask(host, question_of(case)) == (expected, expected)
        return
    with pytest.raises(expected.kind) as caught:
        ask(host, question_of(case))
    assert type(caught.value) is expected.kind
    assert expected.words in str(caught.value)
    assert caught.value.partial == expected.partial
    if isinstance(caught.value, StatusError):
        assert caught.value.status == load(case)["response"]["status"]


@pytest.mark.parametrize("case", FAILURES)
def test_a_server_that_answers_so_once_is_asked_again_or_not(
    case: str, host: ScriptedServer
) -> None:
    step, expected = MET[case]
    assert isinstance(expected, Error)
    host.script = GptGmScript().then(step, recorded(case))
    before = len(host.requests)
    if expected.mended:
        assert ask_backend(host, question_of(case)) == (USUAL, USUAL)
        steps = [GptGmScript.step(r) for r in host.requests[before:]]
        assert steps.count(step) == 2
    else:
        with pytest.raises(expected.kind):
            ask_backend(host, question_of(case))
        steps = [GptGmScript.step(r) for r in host.requests[before:]]
        assert steps.count(step) == 1


@pytest.mark.parametrize("size", [1, 37, 1000])
@pytest.mark.parametrize(
    "case", [c for c in AT_A_STEP if c.startswith(("stream-", "generate-s", "error-m"))]
)
def test_the_network_may_cut_an_answer_anywhere(
    case: str, size: int, host: ScriptedServer
) -> None:
    host.script = GptGmScript(recorded(case).cut(size))
    expected = MET[case][1]
    if isinstance(expected, str):
        assert ask_backend(host, question_of(case)) == (expected, expected)
    else:
        with pytest.raises(expected.kind) as caught:
            ask_backend(host, question_of(case))
        assert caught.value.partial == expected.partial


@pytest.mark.parametrize(
    "case", [c for c, (step, _) in MET.items() if step == "delete"]
)
def test_a_failed_clean_up_is_no_failure(case: str, host: ScriptedServer) -> None:
    host.script = script = GptGmScript()
    script.usual["delete"] = recorded(case)
    assert ask_once(host, "Hi") == (USUAL, USUAL)
    assert GptGmScript.step(host.requests[-1]) == "delete"


@pytest.mark.parametrize("stop", [c for c, (step, _) in MET.items() if step == "stop"])
def test_leaving_an_answer_stops_the_server_whatever_it_says(
    stop: str, host: ScriptedServer
) -> None:
    host.script = script = GptGmScript(recorded("generate-client-leaves"))
    script.usual["stop"] = recorded(stop)
    before = len(host.requests)
    backend = GptGmBackend(host.url)
    answer = backend.stream(ChatRequest("falcon-40b", (user("Tell slowly"),)))
    shown = ""
    # The last letter waits for the next text: it may begin the cookie.
    while len(shown) < len(MET["generate-client-leaves"][1]) - 1:
        event = next(answer)
        assert isinstance(event, TextDelta)
        shown += event.text
    answer.close()
    assert host.left.acquire(timeout=60)
    steps = [GptGmScript.step(r) for r in host.requests[before:]]
    assert steps == ["page", "settings", "create", "generate", "stop", "delete"]
    backend.close()


@pytest.mark.parametrize(
    ("case", "prefix"),
    [
        ("data-json-root", ""),
        ("aug2023-data-json-root", ""),
        ("base-path-data-json", "/chat"),
    ],
)
def test_the_models_are_read_from_the_page_data(
    case: str, prefix: str, host: ScriptedServer
) -> None:
    host.script = script = GptGmScript()
    script.usual[f"{prefix}/api/models"] = recorded("no-such-route")
    script.usual[f"{prefix}/__data.json"] = recorded(case)
    backend = GptGmBackend(host.url + prefix)
    names = [model.name for model in backend.models()]
    backend.close()
    assert names == ["falcon-7b", "falcon-40b", "llama-13b"]
