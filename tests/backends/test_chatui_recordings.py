"""Each recording of today's chat-ui, and what the client makes of it.

76 exchanges. Each stands in `CASES` with the step of the protocol at which the client
meets its answer, and what comes of it. Some answer requests that the client does not
make; `never` says why, and the answer is understood at the step where it stands all the
same.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from h2o_magic.backends import ChatRequest
from h2o_magic.backends.chatui import ChatUIBackend
from h2o_magic.backends.chatui.reader import AnswerReader
from h2o_magic.backends.chatui.stream import Interpreter
from h2o_magic.backends.patience import Patience
from h2o_magic.errors import (
    BackendError,
    GenerationError,
    IncompleteAnswerError,
    ProtocolError,
    RateLimitedError,
    StatusError,
)
from h2o_magic.events import Event, Finished, Replaced, TextDelta
from h2o_magic.messages import assistant, user
from tests.backends import scripted
from tests.backends.chatui_server import question, step
from tests.backends.scripted import Answer, Request, ScriptedServer, serving

FOLDER = Path(__file__).parents[1] / "recordings" / "chat-ui"


@dataclass(frozen=True)
class Error:
    """The error that is raised, words of it, and whether a second try mends it."""

    kind: type[BackendError]
    words: str
    mended: bool = False
    partial: str = ""


@dataclass(frozen=True)
class Case:
    """Where an answer is met, what comes of it, and why it never is.

    `outcome` is the answer's text at the steps "create", "generate" and "leave"; the
    message that the next question goes under at "tree" and "old tree"; the models at
    "models" and "v2 models"; nothing at "stop" and "delete".
    """

    step: str
    outcome: str | list[str] | Error | None
    never: str = ""


def recorded(case: str) -> Answer:
    return scripted.recorded(case, FOLDER)


USUAL = "A Jupyter magic is a command that starts with `%`."
EMOJI = "Hi 👋 日本語 and a piece longer than sixteen characters\n\u2028 end"
COUNT = [f"w{i} " for i in range(60)]
TWICE = "A Jupyter magic" * 2
# Of the recorded conversation: its root, its first answer, and that one's generation.
ROOT = "18a63be7-a5a9-41a2-929b-7596588817c8"
ANSWER = "b295078d-4f34-4e99-b66a-7219ccbc20d0"
GENERATION = "09b48db9-4e9e-455c-bec8-9ee1603fdde8"
MODELS = ["tiny-llama", "other-model"]

LOST = Error(StatusError, "Conversation not found: the server keeps", mended=True)
NO_MODEL = Error(StatusError, "perhaps the server does not have the model 'tiny-llama'")
FAILED = Error(StatusError, "HTTP 500: An error occurred")
# A server that may be from before June 2024 gets the question in the form of that time.
FAILED_ONCE = Error(StatusError, "HTTP 500: An error occurred", mended=True)
ORIGIN = Error(StatusError, "the server is known by another address")
NO_LOGIN = Error(StatusError, "You have to be logged in: the server wants a login")

RETRY = "a question that is asked again is another branch, so is_retry is not used"
STORED = "our own transcript is the record; of the server's only ids are read"
TITLE = "titles of conversations are not made or changed"
ALWAYS = "the client always sends what is missing here"
PAGES = "no page of the site is read"

CASES: dict[str, Case] = {
    # the session, its models and conversations
    "get-root": Case("tree", ROOT, PAGES),
    "api-models": Case("models", MODELS),
    "api-v2-models": Case("v2 models", MODELS),
    "conversation-create": Case("create", USUAL),
    "conversation-bad-model": Case("create", NO_MODEL),
    "conversation-no-model": Case("create", NO_MODEL, ALWAYS),
    "conversation-bad-json": Case("create", FAILED, "the body is always JSON"),
    "conversation-unknown-share": Case("create", LOST, "shared ones are not copied"),
    "cookie-insecure-allowed": Case("create", USUAL),
    "api-v2-conversation": Case("tree", ROOT),
    "api-v2-conversation-two-turns": Case("tree", ANSWER),
    "api-v2-conversation-bad-id": Case(
        "tree",
        Error(StatusError, "Invalid conversation ID format"),
        "ids come from the server",
    ),
    "api-v2-conversation-other-session": Case(
        "tree", Error(StatusError, "access to this conversation", mended=True)
    ),
    "api-v2-conversations": Case("tree", ROOT, STORED),
    "api-conversations": Case("tree", ROOT, STORED),
    "api-conversation": Case("old tree", ROOT),
    "api-v2-user-settings": Case("tree", ROOT, "settings of the page are not read"),
    "data-json-root": Case("tree", ROOT, PAGES),
    "settings-old-route": Case("create", FAILED, "no terms have to be accepted"),
    "summarize-old-route": Case("tree", ROOT, TITLE),
    "healthcheck": Case("tree", ROOT, "a server that answers is healthy"),
    "no-such-page": Case("tree", ROOT),  # so a server before June 2025 answers
    "share": Case("tree", ROOT, "conversations are not shared by link"),
    "title-patch": Case("delete", None, TITLE),
    "title-patch-empty": Case("delete", None, TITLE),
    "delete": Case("delete", None),
    "delete-again": Case("delete", None),
    # answers
    "generate-first-turn": Case("generate", USUAL),
    "generate-second-turn": Case("generate", "Your name is Ada."),
    "generate-without-parent-id": Case("generate", FAILED_ONCE, ALWAYS),
    "generate-emoji-padding": Case("generate", EMOJI),
    "generate-late-start-keepalive": Case("generate", USUAL),
    "generate-reasoning": Case("generate", f"<think>Let me think.</think>{USUAL}"),
    "generate-length": Case("generate", "one two"),
    "generate-nothing": Case(
        "generate", Error(GenerationError, "No output was generated. Something went")
    ),
    "generate-blank-inputs": Case("generate", USUAL, "blank questions are refused"),
    "generate-with-file": Case("generate", USUAL, "no files are sent"),
    "output-file": Case("tree", ROOT, "no files are fetched"),
    "retry-user-message": Case("generate", "Your name is Ada.", RETRY),
    "retry-assistant-message": Case("generate", "Your name is Ada.", RETRY),
    "stop-stream": Case("generate", "".join(COUNT[:9])),
    "stop-generating": Case("stop", None),
    "stop-stream-with-stop-point": Case("generate", "".join(COUNT[:3])),
    "stop-generating-with-stop-point": Case("stop", None),
    "generate-client-leaves": Case("leave", "".join(COUNT[:11]).rstrip()),
    "stream-resume-sse": Case(
        "generate",
        Error(ProtocolError, "which protocol the server speaks"),
        "a broken answer is asked again rather than resumed",
    ),
    "stream-resume-unknown": Case(
        "generate",
        Error(ProtocolError, "which protocol the server speaks"),
        "a broken answer is asked again rather than resumed",
    ),
    # errors
    "error-midway": Case(
        "generate", Error(GenerationError, "CUDA out of memory", partial=TWICE)
    ),
    "error-midway-then-retried": Case("generate", USUAL),
    "error-backend-cut": Case(
        "generate", Error(GenerationError, "terminated", partial=TWICE)
    ),
    "error-backend-401": Case(
        "generate", Error(StatusError, "Incorrect API key provided: the model behind")
    ),
    "error-backend-429": Case(
        "generate", Error(RateLimitedError, "Rate limit reached: the model behind")
    ),
    "error-backend-500": Case("generate", Error(GenerationError, "500 boom")),
    "error-no-origin": Case("generate", ORIGIN, ALWAYS),
    "error-no-origin-json": Case("generate", ORIGIN, ALWAYS),
    "error-foreign-origin": Case(
        "generate", Error(StatusError, "is known by another address", mended=True)
    ),
    "error-json-body": Case("generate", FAILED_ONCE),
    "error-no-data-part": Case(
        "generate", Error(StatusError, "HTTP 400: Invalid request"), ALWAYS
    ),
    "error-bad-parent-uuid": Case("generate", FAILED_ONCE, "ids come from the server"),
    "error-unknown-parent": Case("generate", FAILED_ONCE),
    "error-empty-inputs": Case("generate", FAILED_ONCE, "blank questions are refused"),
    "error-retry-unknown": Case(
        "generate", Error(StatusError, "Message not found", mended=True), RETRY
    ),
    "error-unknown-conversation": Case("generate", LOST),
    "error-unknown-conversation-no-accept": Case("generate", LOST, ALWAYS),
    "error-malformed-id": Case("generate", FAILED_ONCE, "ids come from the server"),
    "error-other-session": Case("generate", LOST),
    "error-accept-html": Case(
        "generate", Error(StatusError, "HTTP 405"), "pages are not accepted"
    ),
    "body-too-large": Case("generate", Error(StatusError, "shorten it")),
    "limit-message-too-long": Case(
        "generate", Error(StatusError, "Message too long: shorten the question")
    ),
    "limit-rate-429": Case("generate", Error(RateLimitedError, "ask again in 60 s")),
    "limit-conversations-429": Case(
        "create", Error(RateLimitedError, "maximum number of conversations")
    ),
    "login-required-create": Case(
        "create",
        Error(
            StatusError,
            "a redirect to 'https://login.example/authorize', not followed: the server "
            "wants a login",
        ),
    ),
    "login-required-401": Case("generate", NO_LOGIN),
    "login-required-401-text": Case("generate", NO_LOGIN),
    "login-required-api-models": Case("models", MODELS),
    "login-required-api-v2-conversations": Case(
        "v2 models", Error(ProtocolError, "expected a list of models"), STORED
    ),
}


def cases(*steps: str, failing: bool = False) -> list[str]:
    return [
        name
        for name, case in CASES.items()
        if case.step in steps and (isinstance(case.outcome, Error) or not failing)
    ]


def streams() -> list[str]:
    """The recorded answers of JSON lines."""
    return [
        path.stem
        for path in sorted(FOLDER.glob("*.json"))
        if "application/jsonl" in path.read_text("utf-8")
    ]


def test_each_recording_has_its_place() -> None:
    assert len(CASES) == 76
    assert CASES.keys() == {path.stem for path in FOLDER.glob("*.json")}
    assert len(streams()) == 20
    assert all(CASES[name].step in ("generate", "leave") for name in streams())


# --- the pure reader


def read(*pieces: bytes) -> tuple[list[Event], BackendError | None]:
    """The events of a body cut into pieces, and the error at its end."""
    reader = AnswerReader(Interpreter())
    events: list[Event] = []
    try:
        for piece in pieces:
            events.extend(reader.feed(piece))
        events.extend(reader.flush())
        events.append(reader.end())
    except BackendError as error:
        # What came before an error in the same piece counts, too.
        return events, error
    return events, None


def shown(events: list[Event]) -> str:
    text = ""
    for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        if isinstance(event, Replaced):
            text = event.text
    return text


def same(one: BackendError | None, other: BackendError | None) -> bool:
    return repr(one) == repr(other) and getattr(one, "partial", "") == getattr(
        other, "partial", ""
    )


@pytest.mark.parametrize("name", streams())
def test_an_answer_cut_at_every_byte_is_the_same(name: str) -> None:
    body = scripted.recorded_body(name, FOLDER)
    whole, failure = read(body)
    outcome = CASES[name].outcome
    if isinstance(outcome, Error):
        assert type(failure) is outcome.kind
        assert outcome.words in str(failure)
        assert shown(whole) == failure.partial == outcome.partial
    elif CASES[name].step == "leave":
        assert isinstance(failure, IncompleteAnswerError)
        assert shown(whole) == failure.partial == outcome
    else:
        reason = "stopped" if name.startswith("stop") else "end"
        assert whole[-1] == Finished(str(outcome), reason)
        assert shown(whole) == outcome
    bytewise = read(*[body[i : i + 1] for i in range(len(body))])
    assert bytewise[0] == whole
    assert same(bytewise[1], failure)
    for cut in cuts(body):
        events, error = read(body[:cut], body[cut:])
        assert events == whole
        assert same(error, failure)


def cuts(body: bytes) -> Iterator[int]:
    """Every place in a body; inside the 4096 blanks, which are all alike, a few."""
    padding = re.search(rb" {4096}", body)
    start, end = padding.span() if padding else (0, 0)
    for cut in range(len(body) + 1):
        if not start + 2 < cut < end - 2 or cut % 512 == 0:
            yield cut


@pytest.mark.parametrize("name", streams())
def test_an_answer_that_ends_anywhere_is_never_passed_off_as_whole(name: str) -> None:
    body = scripted.recorded_body(name, FOLDER)
    final = re.search(rb'\{"type":"finalAnswer".*\}', body)
    failed = re.search(rb'\{"type":"status","status":"error".*\}', body)
    decided = (final or failed or re.search(rb"\Z", body)).end()  # type: ignore[union-attr]
    for cut in range(0, decided, 7):
        events, error = read(body[:cut])
        assert isinstance(error, IncompleteAnswerError | ProtocolError)
        assert shown(events) == error.partial


# --- over sockets, as recorded


@dataclass
class Replay:
    """A server that answers with recordings, at one step always with the same one."""

    instead: dict[str, list[Answer]] = field(default_factory=dict)
    times: int = 1000

    def __call__(self, request: Request) -> Answer:
        name = step(request)
        if self.times and (answers := self.instead.get(name)):
            self.times -= 1
            return answers[0]
        return USUALLY[name]


USUALLY = {
    "create": recorded("conversation-create"),
    "generate": recorded("generate-first-turn"),
    "stop": recorded("stop-generating"),
    "delete": recorded("delete"),
    "tree": recorded("api-v2-conversation-two-turns"),
    "old tree": recorded("no-such-page"),
    "models": recorded("no-such-page"),
    "v2 models": recorded("no-such-page"),
}


@pytest.fixture(scope="module")
def host() -> Iterator[ScriptedServer]:
    with serving(Replay()) as server:
        yield server


@pytest.fixture
def backend(
    host: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ChatUIBackend]:
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(GENERATION))
    host.requests.clear()
    backend = ChatUIBackend(host.url, patience=Patience(tries=2, wait=0.0))
    yield backend
    host.script = Replay()
    backend.close()


def ask(backend: ChatUIBackend, *history: str) -> tuple[str, str]:
    """What was shown, and the answer of record."""
    roles = [(user, assistant)[i % 2] for i in range(len(history))]
    messages = tuple(make(text) for make, text in zip(roles, history, strict=True))
    events = list(backend.stream(ChatRequest("chat", "tiny-llama", messages)))
    assert isinstance(events[-1], Finished)
    return shown(events), events[-1].text


def steps(host: ScriptedServer) -> list[str]:
    return [step(request) for request in host.requests]


@pytest.mark.parametrize("name", cases("create", "generate"))
def test_a_server_that_always_answers_so(
    name: str, host: ScriptedServer, backend: ChatUIBackend
) -> None:
    case = CASES[name]
    host.script = Replay({case.step: [recorded(name)]})
    if not isinstance(case.outcome, Error):
        assert ask(backend, "What is it?") == (case.outcome, case.outcome)
        return
    with pytest.raises(case.outcome.kind) as caught:
        ask(backend, "What is it?")
    assert type(caught.value) is case.outcome.kind
    assert case.outcome.words in str(caught.value)
    assert caught.value.partial == case.outcome.partial
    response = scripted.load(name, FOLDER)["response"]
    if isinstance(caught.value, StatusError) and response["status"] != 200:
        assert caught.value.status == response["status"]


@pytest.mark.parametrize("name", cases("create", "generate", failing=True))
def test_a_server_that_answers_so_once_is_asked_again_or_not(
    name: str, host: ScriptedServer, backend: ChatUIBackend
) -> None:
    case = CASES[name]
    assert isinstance(case.outcome, Error)
    host.script = Replay({case.step: [recorded(name)]}, times=1)
    if case.outcome.mended:
        assert ask(backend, "What is it?") == (USUAL, USUAL)
    else:
        with pytest.raises(case.outcome.kind):
            ask(backend, "What is it?")
    assert steps(host).count(case.step) == (2 if case.outcome.mended else 1)


@pytest.mark.parametrize("name", cases("tree", "old tree"))
def test_the_next_question_goes_where_the_tree_says(
    name: str, host: ScriptedServer, backend: ChatUIBackend
) -> None:
    case = CASES[name]
    missing = {"tree": [recorded("no-such-page")]} if case.step == "old tree" else {}
    asked = "What is a Jupyter magic?"
    ask(backend, asked)
    host.script = Replay({**missing, case.step: [recorded(name)]})
    if isinstance(case.outcome, Error) and not case.outcome.mended:
        with pytest.raises(case.outcome.kind, match=case.outcome.words):
            ask(backend, asked, USUAL, "And now?")
        return
    ask(backend, asked, USUAL, "And now?")
    posts = [r for r in host.requests if step(r) == "generate"]
    made_again = isinstance(case.outcome, Error)
    assert steps(host).count("create") == (2 if made_again else 1)
    sent = question(posts[-1])
    assert sent["id"] == (ROOT if made_again else case.outcome)
    assert (sent["inputs"] == "And now?") == (case.outcome == ANSWER)
    if case.outcome == ANSWER:  # as it was when the server was recorded
        body = scripted.load("generate-second-turn", FOLDER)["request"]["body"]
        assert f'"id": "{sent["id"]}"' in body


@pytest.mark.parametrize("name", cases("models", "v2 models"))
def test_the_models_are_listed(
    name: str, host: ScriptedServer, backend: ChatUIBackend
) -> None:
    case = CASES[name]
    host.script = Replay({case.step: [recorded(name)]})
    if isinstance(case.outcome, Error):
        with pytest.raises(BackendError):
            backend.models()
        return
    assert [model.name for model in backend.models()] == case.outcome


@pytest.mark.parametrize("name", cases("delete"))
def test_a_failed_clean_up_is_no_failure(
    name: str, host: ScriptedServer, backend: ChatUIBackend
) -> None:
    ask(backend, "Hi")
    host.script = Replay({"delete": [recorded(name)]})
    backend.close()
    assert steps(host) == ["create", "generate", "delete"]


@pytest.mark.parametrize("stop", cases("stop"))
@pytest.mark.parametrize("name", cases("leave"))
def test_leaving_an_answer_stops_the_server(
    name: str, stop: str, host: ScriptedServer, backend: ChatUIBackend
) -> None:
    host.script = Replay({"generate": [recorded(name)], "stop": [recorded(stop)]})
    messages = (user("Tell slowly"),)
    answer = backend.stream(ChatRequest("chat", "tiny-llama", messages))
    events: list[Event] = []
    while shown(events) != CASES[name].outcome:
        events.append(next(answer))
    answer.close()
    assert host.left.acquire(timeout=60)
    assert steps(host) == ["create", "generate", "stop"]
    point = {"generationId": GENERATION, "seenContentLength": len(shown(events))}
    assert host.requests[-1].json == point
