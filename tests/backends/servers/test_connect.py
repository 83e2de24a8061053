"""Going to a server: from the session, over real sockets, and by the magic."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.formatters import DisplayFormatter

import h2o_magic
from h2o_magic.backends.base import Backend, ModelInfo
from h2o_magic.backends.http import Cancellation, Endpoint, HttpClient, Timeouts
from h2o_magic.backends.servers import scan
from h2o_magic.backends.servers.credentials import Credentials
from h2o_magic.backends.servers.known import KnownServer, KnownServers
from h2o_magic.backends.servers.model_cache import ModelCache
from h2o_magic.backends.servers.servers import Servers
from h2o_magic.config import paths
from h2o_magic.config.aliases import Aliases
from h2o_magic.config.settings import Settings
from h2o_magic.config.units import duration_in_words
from h2o_magic.conversation.session import Session
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    H2OMagicError,
    ProtocolError,
    StatusError,
)
from h2o_magic.ipython import commands, sessions
from tests.backends.replayed import NOTHING, replayed, routes
from tests.backends.scripted import (
    Answer,
    Request,
    answer,
    document,
    serving,
)
from tests.conversation.test_session import ScriptedBackend
from tests.ipython.commands.test_commands import rows, shown
from tests.shells import ipython

KEY = "geheim-0123456789abcdef"
VLLM = replayed("openai/vllm_api_server/models")


def vllm(*models: str) -> Answer:
    entries = [{"id": m, "owned_by": "vllm", "max_model_len": 4096} for m in models]
    return document({"object": "list", "data": entries})


def openai_server(*models: str, key: str | None = None, saying: str = "Yes.") -> Any:
    """Return the script of a small OpenAI-compatible server."""

    def script(request: Request) -> Answer:
        given = request.headers.get("authorization")
        if request.path.startswith("/v1/") and key and given != f"Bearer {key}":
            return replayed("openai/vllm_api_server/auth_none_models")
        if request.path == "/v1/models":
            return vllm(*models)
        if request.path == "/v1/chat/completions":
            delta = {"index": 0, "delta": {"content": saying}, "finish_reason": "stop"}
            chunk = {"model": request.json["model"], "choices": [delta]}
            event = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
            return answer(event, content_type="text/event-stream")
        return NOTHING

    return script


def own_server(best: str, *models: str) -> Any:
    """Return the script of a server of this package that says which model is best."""

    def described(name: str) -> dict[str, Any]:
        return {
            "id": name,
            "owned_by": "h2o_magic",
            "weights": f"{name} Q4_1",
            "answered_by": best if name not in models else None,
            "sampling": {
                "temperature": {"value": 0.2, "from": f"recommended for {best}"},
                "top_k": {"value": 40, "from": "the model's file"},
            },
            "system": "Be correct.",
        }

    def script(request: Request) -> Answer:
        if request.path == "/v1/models":
            listed = [described(name) for name in ("llama-13b", *models)]
            return document({"object": "list", "data": listed})
        if request.path.startswith("/v1/models/"):
            name = request.path.rpartition("/")[2]
            return document(described(best if name == "default" else name))
        return openai_server(*models)(request)

    return script


@dataclass
class Asked:
    """Answers the question for a key, and counts."""

    key: str = KEY
    prompts: list[str] = field(default_factory=list)

    def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self.key


@dataclass
class Desk:
    """A session with files of its own."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    ask: Asked = field(default_factory=Asked)
    said: list[str] = field(default_factory=list)

    def session(self, environ: Mapping[str, str] | None = None) -> Session:
        """Return a new kernel's session."""
        servers = Servers(
            KnownServers(self.folder / "servers.json", self.said.append),
            credentials=Credentials(self.environ, ask=self.ask),
        )
        settings = Settings(environ)
        aliases = Aliases(self.folder / "aliases.json", self.said.append)
        return Session(settings=settings, servers=lambda: servers, aliases=aliases)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "home")


@pytest.fixture
def session(desk: Desk) -> Iterator[Session]:
    session = desk.session()
    yield session
    session.close()


def model(session: Session) -> tuple[object, str]:
    return session.settings["model"], session.settings.origin("model")


# Going there


def test_an_address_is_enough(session: Session) -> None:
    with serving(openai_server("qwen", "phi")) as server:
        connected = session.connect(server.url)
        assert str(connected) == (
            f"Connected to vllm ({server.url}): OpenAI-compatible (vLLM), 2 models "
            "(detected by: GET /v1/models answered 200).\nModel: qwen."
        )
        assert (connected.dialect, connected.models) == ("openai", ("qwen", "phi"))
        assert session.settings["server"] == "vllm"
        assert session.settings.origin("server") == "%h2o connect"
        assert session.ask("Hi").read() == "Yes."
        asked = server.asked("POST /v1/chat/completions")[0]
        assert asked.json["model"] == "qwen"
        session.close()


def test_a_known_server_is_gone_back_to_by_name_in_another_kernel(
    desk: Desk, session: Session
) -> None:
    with serving(openai_server("qwen")) as server:
        session.connect(f"{server.url}/v1", name="lab")
        other = desk.session()
        before = len(server.requests)
        connected = other.connect("lab")
        assert connected.url == f"{server.url}/v1"
        assert "detected by" not in str(connected)  # nobody asked what it is
        assert len(server.requests) == before + 1
        for kernel in (session, other):
            kernel.close()


def test_each_dialect_is_connected_to(session: Session) -> None:
    old = {"/__data.json": replayed("gpt-gm/data-json-root")}
    with serving(openai_server("qwen")) as new, serving(routes(old)) as older:
        assert session.connect(new.url).dialect == "openai"
        assert session.backend.dialect == "openai"
        assert session.connect(older.url).dialect == "gpt-gm"
        assert session.backend.dialect == "gpt-gm"
        session.close()


def test_chat_ui_is_refused_and_the_session_stays(session: Session) -> None:
    chat_ui = {"/api/models": replayed("chat-ui/api-models")}
    with serving(openai_server("qwen")) as server:
        session.connect(server.url, name="lab")
        server.script = routes(chat_ui)
        for name in (server.url, "lab"):
            with pytest.raises(ConfigurationError, match="HuggingChat-style chat-ui"):
                session.connect(name)
        assert session.settings["server"] == "lab"
        (known,) = session.servers.known()
        assert known.dialect == "openai"
        session.close()


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        (
            "chat-ui",
            "the dialect 'chat-ui' is no longer supported: connect to the OpenAI",
        ),
        ("klingon", "one of gpt-gm, openai, got 'klingon': install the package that"),
    ],
)
def test_a_known_server_whose_dialect_is_gone_is_told_so(
    desk: Desk, session: Session, dialect: str, words: str
) -> None:
    with serving(openai_server("qwen")) as server:
        KnownServers(desk.folder / "servers.json").keep(
            KnownServer("lab", server.url, dialect)
        )
        with pytest.raises(ConfigurationError, match=words):
            session.connect("lab")
        assert server.requests == []
        assert session.connect("lab", dialect="auto").dialect == "openai"
        session.close()


def test_another_server_at_a_known_address_is_found_out(
    session: Session,
) -> None:
    with serving(openai_server("qwen")) as server:
        session.connect(server.url, name="lab")
        server.script = routes({"/__data.json": replayed("gpt-gm/data-json-root")})
        assert session.connect("lab").dialect == "gpt-gm"
        (known,) = session.servers.known()
        assert known.dialect == "gpt-gm"
        session.close()


def test_a_dialect_that_is_named_is_believed(session: Session) -> None:
    page = {"/__data.json": replayed("gpt-gm/data-json-root")}
    both = routes({**page, "/v1/models": vllm("qwen")})
    with serving(both) as server:
        for dialect, asked in (
            ("openai", ["GET /v1/models"]),
            ("gpt-gm", ["GET /api/models", "GET /__data.json"]),
        ):
            server.requests.clear()
            connected = session.connect(server.url, dialect=dialect, name="lab")
            assert connected.dialect == dialect
            assert server.calls() == asked
            assert session.connect("lab").dialect == dialect  # and it stays so
        assert session.connect("lab", dialect="auto").dialect == "openai"
        with pytest.raises(ConfigurationError, match="did you mean 'openai'"):
            session.connect(server.url, dialect="opnai")
        session.close()


def test_a_server_without_a_list_of_models_can_be_named(
    session: Session,
) -> None:
    with serving(lambda _: NOTHING) as server:
        connected = session.connect(server.url, dialect="openai", name="lab")
        assert "it does not list its models" in str(connected)
        assert connected.model == "llama-13b"
        assert session.connect("lab").dialect == "openai"  # and goes on so
        session.close()


@pytest.mark.parametrize(
    "reply", [NOTHING, answer(b"<p>hi</p>", content_type="text/html")]
)
def test_where_nothing_fits_the_session_stays(session: Session, reply: Answer) -> None:
    with serving(lambda _: reply) as server, pytest.raises(ProtocolError):
        session.connect(server.url)
    assert session.settings["server"] == ""
    assert session.servers.known() == ()


def test_where_nobody_answers_the_session_stays(session: Session) -> None:
    with serving(openai_server("qwen")) as server:
        session.connect(server.url, name="lab")
        url = server.url
    backend = session.backend
    with pytest.raises(ConnectionFailedError):
        session.connect("http://127.0.0.1:1")
    assert session.settings["server"] == "lab"
    assert session.backend is backend
    assert [known.url for known in session.servers.known()] == [url]


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("nowhere", "unknown server 'nowhere'"),
        ("http://user:geheim@host", "user name or password"),
        ("ftp://host/", "starts with http"),
        ("http://[::1/", "invalid server address"),
        ("http://host/?key=geheim", "without '\\?'"),
    ],
)
def test_what_is_no_server(session: Session, server: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        session.connect(server)
    assert "geheim" not in str(caught.value).replace("key=geheim", "")


def test_a_name_that_is_taken_is_refused_before_anything_is_sent(
    session: Session,
) -> None:
    with serving(openai_server("a")) as one, serving(openai_server("b")) as other:
        session.connect(one.url, name="lab")
        with pytest.raises(ConfigurationError, match="the name lab is taken by"):
            session.connect(other.url, name="lab", key_prompt=True)
        assert other.requests == []
        session.close()


def test_a_server_that_gets_another_name_says_which_it_had(
    session: Session,
) -> None:
    with serving(openai_server("qwen")) as server:
        session.connect(server.url, name="lab")
        assert "formerly" not in str(session.connect(server.url, name="lab"))
        connected = session.connect(server.url, name="gpu")
        assert f"gpu ({server.url}), formerly lab: " in str(connected)
        session.close()


def test_a_server_of_two_dialects_is_taken_by_the_one_that_is_named(
    session: Session,
) -> None:
    own = [{"id": "qwen", "owned_by": "h2o_magic"}]
    both = {"/api/models": document(own), "/v1/models": document({"data": own})}
    with serving(routes(both)) as server:
        for dialect in ("openai", "gpt-gm"):
            connected = session.connect(server.url, dialect=dialect)
            assert connected.dialect == dialect
        session.close()


def test_a_version_segment_means_the_api_that_is_there(
    session: Session,
) -> None:
    own = document([{"id": "qwen", "owned_by": "h2o_magic"}])
    both = {"/api/models": own, "/v1/models": own, "/v2/models": vllm("qwen")}
    with serving(routes(both)) as server:
        connected = session.connect(server.url, name="lab", dialect="gpt-gm")
        assert connected.dialect == "gpt-gm"
        for address in (f"{server.url}/v1", f"{server.url}/v2"):
            connected = session.connect(address)
            assert (connected.dialect, connected.url) == ("openai", address)
        (known,) = session.servers.known()
        assert (known.name, known.url) == ("lab", f"{server.url}/v2")
        session.close()


def test_a_server_that_cannot_be_kept_is_used_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    desk = Desk(tmp_path / "file")
    session = desk.session()
    with serving(openai_server("qwen")) as server:
        session.connect(server.url, name="lab")
        (line,) = desk.said
        assert "cannot be written (Not a directory)" in line
        assert session.settings["server"] == "lab"
        session.configure(server="")
        session.configure(server="lab")
        assert session.ask("Hi").read() == "Yes."
        session.close()


def test_a_list_that_the_server_never_gave_is_none(session: Session) -> None:
    with serving(lambda _: NOTHING) as server:
        connected = session.connect(server.url, dialect="gpt-gm")
        assert "it does not list its models" in str(connected)
        session.close()


def test_an_address_without_its_beginning_is_told_so(session: Session) -> None:
    with pytest.raises(ConfigurationError, match="write http://localhost:8000"):
        session.connect("localhost:8000")


def test_an_ipv6_address_is_connected_to(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_found(_: Endpoint, **_options: Any) -> None:
        raise ProtocolError("nothing")

    monkeypatch.setattr("h2o_magic.backends.detect.detect", nothing_found)
    reached: list[tuple[str, str, str | None]] = []

    def make(*given: Any) -> Backend:
        reached.append(given)
        return cast(Backend, ScriptedBackend())

    session.servers = Servers(make=make)
    session.connect("http://[::1]:8000/below/", dialect="openai")
    assert reached == [("openai", "http://[::1]:8000/below", None)]


# The local one


def test_local_is_gone_back_to(session: Session) -> None:
    with serving(openai_server("qwen")) as server:
        session.connect(server.url)
        connected = session.connect("local")
        assert str(connected) == (
            "Connected to local: the local server, started when needed."
        )
        assert session.settings["server"] == ""
        assert model(session) == ("llama-13b", "default")


def test_the_local_server_is_told_with_the_model_behind_an_alias(
    session: Session,
) -> None:
    session.aliases.set("fast", "falcon-7b")
    session.configure(model="fast")
    assert session.connect("local").model == "falcon-7b"


def test_the_local_server_takes_no_key(session: Session) -> None:
    with pytest.raises(ConfigurationError, match="has a name"):
        session.connect("local", key_env="K")


# Which model is current


def test_a_server_lends_its_first_model_where_nobody_has_chosen_one(
    session: Session,
) -> None:
    with (
        serving(openai_server("qwen", "phi")) as one,
        serving(openai_server("a", "llama-13b")) as two,
    ):
        session.connect(one.url, name="one")
        assert model(session) == ("qwen", "the first of one")
        session.connect(two.url, name="two")
        assert model(session) == ("llama-13b", "default")
        session.connect("one")
        session.configure(server="")
        assert model(session) == ("llama-13b", "default")


def test_a_server_of_this_package_lends_its_best_model(
    desk: Desk, session: Session
) -> None:
    with (
        serving(own_server("smollm2-135m", "smollm2-135m")) as team,
        serving(openai_server("qwen")) as other,
    ):
        connected = session.connect(team.url, name="team")
        assert connected.model == "smollm2-135m"
        assert model(session) == ("smollm2-135m", "the best on team")
        assert session.ask("Hi").read() == "Yes."
        session.connect(other.url, name="other")
        assert model(session) == ("qwen", "the first of other")
        session.connect("team")
        assert model(session) == ("smollm2-135m", "the best on team")
        again = desk.session({"H2O_MAGIC_SERVER": "team"})
        again.ask("Hi").read()
        assert model(again) == ("smollm2-135m", "the best on team")
        for request in team.asked("POST /v1/chat/completions"):
            assert request.json["model"] == "smollm2-135m"
        session.configure(server="")
        assert model(session) == ("llama-13b", "default")
        session.configure(model="llama-13b")
        session.connect("team")
        assert model(session) == ("llama-13b", "Python")
        for kernel in (session, again):
            kernel.close()


def test_a_chosen_model_stays_and_its_lack_is_told(session: Session) -> None:
    session.configure(model="qwen-7b")
    with serving(openai_server("phi", "qwen-72b")) as server:
        connected = session.connect(server.url)
        assert model(session) == ("qwen-7b", "Python")
        assert connected.notes == (
            "It does not list qwen-7b: did you mean 'qwen-72b'?",
        )
        assert session.ask("Hi", model="any/id:at-all").read() == "Yes."
        asked = server.asked("POST /v1/chat/completions")[0]
        assert asked.json["model"] == "any/id:at-all"
        session.close()


def test_a_name_that_no_setting_can_hold_is_not_lent(session: Session) -> None:
    with serving(openai_server(" bad\n", "good")) as server:
        assert session.connect(server.url).model == "good"
        session.close()


@pytest.mark.parametrize("way", ["setting", "environment"])
def test_a_server_that_is_set_is_found_out_at_the_first_question(
    desk: Desk, way: str
) -> None:
    with serving(openai_server("qwen")) as server:
        environ = {"H2O_MAGIC_SERVER": server.url} if way == "environment" else {}
        session = desk.session(environ)
        session.configure(server=server.url)
        coming = session.ask("Hi")
        assert server.requests == []
        assert coming.read() == "Yes."
        assert coming.facts.model == "qwen"
        assert model(session) == ("qwen", f"the first of {server.url}")
        (turn,) = session.turns()
        assert turn.model == "qwen"
        detected = server.calls().count("GET /api/models")
        session.configure(server="")
        session.configure(server=server.url)
        session.ask("Hi").read()
        assert server.calls().count("GET /api/models") == detected == 1
        assert session.servers.known() == ()
        session.close()


def test_a_set_server_that_wants_a_key_says_how(session: Session) -> None:
    with serving(openai_server("qwen", key=KEY)) as server:
        session.configure(server=server.url)
        with pytest.raises(StatusError, match="--key-env VAR") as caught:
            session.ask("Hi").read()
        assert server.url in str(caught.value)
        assert session.turns() == ()


def test_a_preview_names_the_model_that_would_answer(session: Session) -> None:
    with serving(openai_server("qwen")) as server:
        session.configure(server=server.url)
        assert session.preview("Hi").model == "qwen"
        session.close()


# Keys


def everything(desk: Desk, session: Session) -> str:
    """Return all that a user could see or that is stored."""
    files = [p for p in desk.folder.rglob("*") if p.is_file()]
    texts = [p.read_bytes().decode("utf-8", "replace") for p in files]
    things = (session.servers, session.servers.credentials, session.backend, *desk.said)
    return "\n".join([*texts, *map(repr, things), *map(repr, session.servers.known())])


def test_a_key_of_the_environment_is_read_at_each_connection(desk: Desk) -> None:
    session = desk.session()
    with serving(openai_server("qwen", key=KEY)) as server:
        with pytest.raises(StatusError, match="requires a key"):
            session.connect(server.url, name="lab")
        with pytest.raises(ConfigurationError, match="LAB_KEY is not set"):
            session.connect(server.url, name="lab", key_env="LAB_KEY")
        desk.environ["LAB_KEY"] = "wrong"
        with pytest.raises(StatusError, match=r"rejected the key \(LAB_KEY in the"):
            session.connect(server.url, name="lab", key_env="LAB_KEY")
        assert session.servers.known() == ()
        desk.environ["LAB_KEY"] = KEY
        connected = session.connect(server.url, name="lab", key_env="LAB_KEY")
        assert session.ask("Hi").read() == "Yes."
        assert KEY not in everything(desk, session) + str(connected) + repr(connected)
        other = desk.session()
        other.configure(server="lab")
        assert other.ask("Hi").read() == "Yes."
        for kernel in (session, other):
            kernel.close()


def test_a_key_that_is_asked_for_is_asked_once_for_a_kernel(desk: Desk) -> None:
    session = desk.session()
    with serving(openai_server("qwen", key=KEY)) as server:
        session.connect(server.url, name="lab", key_prompt=True)
        session.connect("local")
        session.connect("lab")
        session.configure(server=server.url)
        assert session.ask("Hi").read() == "Yes."
        assert desk.ask.prompts == [f"Key for {server.url}: "]
        assert KEY not in everything(desk, session)
        session.close()

        fresh = desk.session()
        fresh.configure(server="lab")
        with pytest.raises(ConfigurationError, match="not typed into this kernel"):
            fresh.ask("Hi").read()
        fresh.connect("lab")
        assert len(desk.ask.prompts) == 2
        assert fresh.ask("Hi").read() == "Yes."
        fresh.close()


def test_a_key_that_was_refused_is_asked_for_anew(desk: Desk) -> None:
    session = desk.session()
    desk.ask.key = "wrong-geheim"
    with serving(openai_server("qwen", key=KEY)) as server:
        with pytest.raises(StatusError, match="rejected the key") as caught:
            session.connect(server.url, key_prompt=True)
        assert "geheim" not in str(caught.value)
        desk.ask.key = KEY
        session.connect(server.url, key_prompt=True)
        assert len(desk.ask.prompts) == 2
        session.close()


def test_a_key_goes_to_the_server_it_was_given_for_only(desk: Desk) -> None:
    session = desk.session()
    desk.environ["LAB_KEY"] = KEY
    with (
        serving(openai_server("qwen", key=KEY)) as mine,
        serving(openai_server("phi")) as other,
    ):
        session.connect(mine.url, name="lab", key_env="LAB_KEY")
        session.connect(other.url)
        session.ask("Hi").read()
        session.close()
        assert all("authorization" not in r.headers for r in other.requests)
        # A redirect is not followed, whether to the models or at a question.
        away = answer(b"", status=307, headers={"Location": f"{other.url}/v1/models"})
        count = len(other.requests)
        mine.script = lambda _: away
        with pytest.raises(BackendError, match="redirect"):
            session.connect("lab")
        session.configure(server="lab", model="qwen")
        with pytest.raises(BackendError, match="redirect"):
            session.ask("Hi").read()
        assert len(other.requests) == count
        session.close()


def test_a_known_servers_key_is_kept_until_another_is_given(desk: Desk) -> None:
    session = desk.session()
    desk.environ.update(OLD=KEY, NEW=KEY)
    with serving(openai_server("qwen", key=KEY)) as server:
        session.connect(server.url, name="lab", key_env="OLD")
        session.connect(server.url)
        (known,) = session.servers.known()
        assert (known.name, known.key.name) == ("lab", "OLD")
        session.connect("lab", key_env="NEW")
        (known,) = session.servers.known()
        assert known.key.name == "NEW"
        session.close()


def test_a_key_that_stands_in_a_models_name_is_neither_shown_nor_kept(
    desk: Desk,
) -> None:
    session = desk.session()
    desk.environ["LAB_KEY"] = KEY
    session.servers.model_cache = ModelCache(desk.folder / "lists.json")
    own = document([{"id": f"a-{KEY}", "owned_by": "h2o_magic"}])
    both = {"/api/models": own, "/v1/models": own}
    with (
        serving(openai_server(f"a-{KEY}", key=KEY)) as one,
        serving(routes(both)) as two,
    ):
        for url, dialect in ((one.url, ""), (two.url, "gpt-gm")):
            connected = session.connect(url, key_env="LAB_KEY", dialect=dialect)
            assert connected.models == ("a-***",)
            assert [m.name for m in session.listed_models().models] == ["a-***"]
            assert KEY not in str(connected) + everything(desk, session)
        session.close()
    assert "a-***" in (desk.folder / "lists.json").read_text()


# Forgetting


def test_the_current_server_is_forgotten_and_left(session: Session) -> None:
    with serving(openai_server("qwen")) as server:
        session.connect(server.url, name="lab")
        assert session.forget_server(f"{server.url}/v1").name == "lab"
    assert session.settings["server"] == ""
    assert model(session) == ("llama-13b", "default")
    with pytest.raises(ConfigurationError, match="unknown server 'lab'"):
        session.connect("lab")


def test_a_name_that_is_gone_is_told_at_the_question(
    desk: Desk, session: Session
) -> None:
    session.configure(server="lab")
    with pytest.raises(ConfigurationError, match="unknown server 'lab'"):
        session.ask("Hi").read()
    assert session.turns() == ()


# Lists of models


def test_the_last_list_stands_in_for_a_server_that_does_not_answer(
    session: Session,
) -> None:
    with serving(openai_server("qwen", "phi")) as server:
        session.connect(server.url)
        assert session.listed_models().problem == ""
        session.close()
    listed = session.listed_models()
    assert [m.name for m in listed.models] == ["qwen", "phi"]
    assert "cannot connect to http" in listed.problem
    with pytest.raises(ConnectionFailedError):
        session.models()
    session.close()


def test_without_a_last_list_the_failure_is_told(session: Session) -> None:
    session.servers = Servers()
    session.configure(server="http://127.0.0.1:1")
    with pytest.raises(ConnectionFailedError):
        session.listed_models()


def test_a_refusal_is_no_silence(session: Session) -> None:
    backend = ScriptedBackend()
    session.backend = cast(Backend, backend)
    session.listed_models()

    def refuse() -> list[ModelInfo]:
        raise StatusError("no", status=403)

    backend.models = refuse  # type: ignore[method-assign]
    with pytest.raises(StatusError):
        session.listed_models()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 seconds"),
        (1.9, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (7199, "1 hour"),
        (200_000, "2 days"),
    ],
)
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words


# Aliases


def test_an_alias_stands_for_its_model_wherever_one_is_named(
    session: Session,
) -> None:
    with serving(openai_server("qwen/72b", "phi")) as server:
        session.connect(server.url)
        session.aliases.set("fast", "phi")
        session.ask("Hi", model="fast").read()
        session.configure(model="fast")
        session.ask("Hi").read()
        asked = server.asked("POST /v1/chat/completions")
        assert [request.json["model"] for request in asked] == ["phi", "phi"]
        assert [turn.model for turn in session.turns()] == ["phi", "phi"]
        session.connect(server.url)
        assert session.settings["model"] == "fast"
        session.close()


def test_aliases_are_kept(desk: Desk) -> None:
    aliases = desk.session().aliases
    assert aliases.set("fast", "phi") == "phi"
    assert aliases.set("quick", "fast") == "phi"  # followed now
    aliases.set("fast", "qwen")
    again = desk.session().aliases
    assert again.all() == {"fast": "qwen", "quick": "phi"}
    assert again.remove("fast") == "qwen"
    assert again.model("fast") == "fast"
    with pytest.raises(ConfigurationError, match="did you mean 'quick'"):
        again.remove("quik")


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        ("llama-13b", "phi", "is the name of a model"),
        ("a b", "phi", "an alias has 1 to 40"),
        ("", "phi", "an alias has 1 to 40"),
        ("fast", "fast", "cannot be an alias of itself"),
        ("fast", " x", "`model` must be the name of a model"),
    ],
)
def test_what_is_no_alias(session: Session, name: str, target: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        session.aliases.set(name, target)


# The magic


@dataclass
class Bench:
    """What the subcommands see of the magics, and what they showed."""

    session: Session
    publisher: Any
    shell: Any = field(default_factory=lambda: SimpleNamespace(kernel=None))
    option = staticmethod(str)

    def run(self, line: str) -> dict[str, str]:
        before = len(self.publisher.outputs)
        commands.run(cast(Any, self), line)
        (output,) = self.publisher.outputs[before:]
        return cast(dict[str, str], output["data"])

    def plain(self, line: str) -> str:
        return self.run(line)["text/plain"]

    def rows(self, line: str) -> list[list[str]]:
        return rows(self.run(line)["text/markdown"])

    def refused(self, line: str) -> str:
        with pytest.raises(H2OMagicError) as error:
            commands.run(cast(Any, self), line)
        assert "\n" not in str(error.value)
        return str(error.value)


@pytest.fixture
def bench(
    session: Session, monkeypatch: pytest.MonkeyPatch, home: Path
) -> Iterator[Bench]:
    with ipython() as shell:
        publisher = CapturingDisplayPublisher(parent=shell)
        monkeypatch.setattr(shell, "display_pub", publisher)
        yield Bench(session, publisher)


def test_a_notebook_shows_a_connection_from_python_as_the_magic_does(
    session: Session,
) -> None:
    with serving(openai_server("<b>qwen</b>")) as server:
        connection = session.connect(server.url, name="lab")
    shown, _ = DisplayFormatter().format(connection)
    assert shown["text/plain"] == str(connection)
    assert shown["text/markdown"].startswith("Connected to lab ")
    assert "<b>" not in shown["text/markdown"]


def test_connecting_says_in_two_lines_what_was_found(bench: Bench) -> None:
    with serving(openai_server("qwen", "phi")) as server:
        said = bench.plain(f"connect {server.url} --name lab").split("\n")
        assert said[0].startswith(f"Connected to lab ({server.url}): OpenAI-comp")
        assert said[-1] == "Model: qwen."
        assert bench.rows("connect") == [
            [
                "local",
                "this machine, started on demand",
                "OpenAI-compatible",
                "its own",
            ],
            ["lab ✓", server.url, "OpenAI-compatible", "no key"],
        ]
        assert bench.plain("connect local").startswith("Connected to local")
        assert bench.rows("connect")[0][0] == "local ✓"
        bench.session.configure(server="http://127.0.0.1:1")
        assert bench.rows("connect")[-1] == ["✓", "http://127.0.0.1:1", "?", "no key"]
        said = [bench.plain("connect lab --forget")]
        assert said == [f"Removed lab ({server.url})."]
        assert len(bench.rows("connect")) == 2
        bench.run(f"connect {server.url} --name lab")
        assert bench.plain("connect lab --forget") == (
            f"Removed lab ({server.url}). Using the local server from now on."
        )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("connect --name lab", "expected SERVER with --name, got nothing"),
        ("connect --forget", "expected SERVER with --forget, got nothing"),
        ("connect lab --forget --name x", "--forget takes no other options: leave out"),
        ("connect --scan --key-prompt", "--scan takes no other options"),
        ("connect lab --scan", "--scan searches only this machine"),
        ("connect lab --forget --scan", "cannot be combined"),
        ("connect lab --key-env A --key-prompt", "cannot be combined"),
        ("connect lab --dialct openai", "did you mean '--dialect'?"),
        ("connect lab", "unknown server 'lab'"),
        ("connect http://a --key-env sk-0123456789abcdefghij", "not shown"),
        ("alias fast", "expected NAME=MODEL, got 'fast'"),
        ("alias fast=", "unknown alias 'fast': there are none"),
    ],
)
def test_what_is_typed_wrongly_is_one_line(bench: Bench, line: str, words: str) -> None:
    said = bench.refused(line)
    assert words in said
    assert "sk-0123" not in said


def test_an_alias_is_made_listed_and_taken_away(bench: Bench) -> None:
    assert "No aliases." in bench.plain("alias")
    assert bench.plain("alias fast=llama-13b") == "fast → llama-13b."
    assert bench.rows("alias") == [["fast", "llama-13b"]]
    bench.session.configure(model="fast")
    status = {row[0]: row[1:] for row in bench.rows("status")}
    assert status["model"] == ["fast → llama-13b", "Python"]
    assert bench.plain("alias fast=") == "Removed: fast → llama-13b."


def test_models_come_from_the_last_list_with_its_age(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(openai_server("qwen", "phi")) as server:
        bench.run(f"connect {server.url}")
        listed = bench.rows("models")
        assert [row[0] for row in listed] == ["qwen ✓", "phi"]
        assert listed[0][3] == "4,096 tokens"
        bench.session.close()
    now = __import__("time").time() + 7300
    monkeypatch.setattr("h2o_magic.ipython.commands.models.time.time", lambda: now)
    output = bench.run("models")
    assert [row[0] for row in rows(output["text/markdown"])][:2] == ["qwen ✓", "phi"]
    assert "does not respond; this list is 2 hours old" in output["text/plain"]


def test_status_says_the_server_its_dialect_and_where_the_key_is(
    bench: Bench, desk: Desk
) -> None:
    desk.environ["LAB_KEY"] = KEY
    with serving(openai_server("qwen", key=KEY)) as server:
        bench.run(f"connect {server.url} --name lab --key-env LAB_KEY")
        output = bench.run("status")
        status = {row[0]: row[1:] for row in rows(output["text/markdown"])}
        assert status["server"] == [f"lab, {server.url}", "%h2o connect"]
        assert status["dialect"] == ["OpenAI-compatible", ""]
        assert status["key"] == ["LAB_KEY in the environment", ""]
        assert status["model"] == ["qwen", "the first of lab"]
        assert KEY not in str(output)
        bench.session.close()
    bench.session.configure(server="http://127.0.0.1:1")
    status = {row[0]: row[1:] for row in bench.rows("status")}
    assert status["server"] == ["http://127.0.0.1:1", "Python"]
    assert status["dialect"][0] == "detected by the first question"
    bench.session.configure(server="gone")
    assert bench.rows("connect")[-1][:2] == ["gone ✓", "removed"]
    assert "unknown server" in shown(bench.rows("status")[0][1])


def test_an_empty_list_of_models_is_put_into_words(bench: Bench) -> None:
    with serving(openai_server()) as server:
        said = bench.plain(f"connect {server.url} --dialect openai")
        assert "it lists no models" in said
        assert "Load or pull one there first." in said
        assert bench.plain("models") == (
            "The server lists no models: load or pull one there first."
        )
        bench.session.close()


def test_status_names_no_parameter_that_is_not_sent_and_not_known(bench: Bench) -> None:
    with serving(openai_server("qwen")) as server:
        bench.run(f"connect {server.url}")
        bench.session.configure(repetition_penalty=1.1, temperature=0)
        status = {row[0]: row[1:] for row in bench.rows("status")}
        bench.session.close()
    assert status["repetition_penalty"] == ["1.1", "Python"]
    assert status["temperature"] == ["0.0", "Python"]
    assert not status.keys() & {"top_p", "max_new_tokens", "do_sample", "truncate"}
    assert status["system"] == ["none", "default"]


def test_status_says_what_counts_where_nobody_set_it_and_where_that_is_from(
    bench: Bench,
) -> None:
    with serving(own_server("smollm2-135m", "smollm2-135m")) as server:
        bench.run(f"connect {server.url} --name team")
        status = {row[0]: row[1:] for row in bench.rows("status")}
        assert status["model"] == [
            "smollm2-135m, smollm2-135m Q4_1",
            "the best on team",
        ]
        assert status["temperature"] == ["0.2", "recommended for smollm2-135m"]
        assert status["top_k"] == ["40 tokens", "the model's file"]
        assert status["system"] == ["Be correct.", "recommended for smollm2-135m"]
        bench.session.configure(temperature=0.7, system="Be brief.")
        status = {row[0]: row[1:] for row in bench.rows("status")}
        assert status["temperature"] == ["0.7", "Python"]
        assert status["system"] == ["Be brief.", "Python"]
        bench.session.configure(model="llama-13b")
        status = {row[0]: row[1:] for row in bench.rows("status")}
        assert status["model"] == [
            "llama-13b, not installed: SmolLM2-135M answers",
            "Python",
        ]
        bench.session.close()


# Looking on this machine


def test_a_scan_finds_what_answers_and_offers_a_line_for_each(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = openai_server("phi", key=KEY)
    with (
        serving(openai_server("qwen")) as one,
        serving(locked) as two,
        serving(lambda _: NOTHING) as three,
        serving(lambda _: Answer(b"", end="hold")) as four,
    ):
        quick = Timeouts(first_byte=0.1)
        monkeypatch.setattr(scan, "_TIMEOUTS", quick)
        ports = (one.port, 1, two.port, three.port, four.port)
        monkeypatch.setattr(scan.scan, "__defaults__", (ports,))
        output = bench.run("connect --scan")
        assert output["text/plain"].split("\n")[-2:] == [
            f"Open, but not a known server: {three.url} (another program answers).",
            f"Open, but not a known server: {four.url} (no answer within 0.1 s).",
        ]
        assert rows(output["text/markdown"])[:2] == [
            [
                one.url,
                "OpenAI-compatible (vLLM), 1 model",
                f"%h2o connect {one.url} --name vllm".join("``"),
            ],
            [
                two.url,
                "OpenAI-compatible, requires a key",
                f"%h2o connect {two.url} --name openai".join("``"),
            ],
        ]
        assert {r.method for s in (one, two, three) for r in s.requests} == {"GET"}
        assert bench.session.servers.known() == ()


def test_a_scan_that_finds_nothing_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan.scan, "__defaults__", ((1,),))
    assert bench.plain("connect --scan") == (
        "No server found on the usual ports of this machine."
    )


def test_a_scan_asks_no_other_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def create_connection(address: Any, *_: Any) -> Any:
        asked.append(address)
        raise OSError

    monkeypatch.setattr(scan.socket, "create_connection", create_connection)
    assert scan.scan() == ()
    assert {host for host, _ in asked} == {"127.0.0.1"}
    assert {port for _, port in asked} >= {8000, 11434, 8080, 1234, 5000, 5001, 3000}


# From Python


def test_the_package_connects_the_running_notebook(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_without_shell", [])
    monkeypatch.setenv("LAB_KEY", KEY)
    with serving(openai_server("qwen", key=KEY)) as server:
        connected = h2o_magic.connect(server.url, name="lab", key_env="LAB_KEY")
        assert connected.models == ("qwen",)
        session = h2o_magic.session()
        assert session.ask("Hi", history=False).read() == "Yes."
        session.aliases.set("q", "qwen")
        session.close()
    assert [known.name for known in Servers.of_user().known()] == ["lab"]
    kept = "".join(p.read_text("utf-8") for p in home.glob("*.json"))
    assert '"env": "LAB_KEY"' in kept
    assert KEY not in kept
    assert paths.model_lists_file().exists()


# The way there


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a certificate authority's file, and a certificate of it with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    authority = ["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority"]
    openssl("req", "-x509", *new, *authority, "-days", "30")
    openssl("req", *new, "-keyout", "key.pem", "-out", "csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"]
    openssl("x509", "-req", "-in", "csr", *signed, "-extfile", "names", "-out", "crt")
    (folder / "both.pem").write_bytes(
        (folder / "crt").read_bytes() + (folder / "key.pem").read_bytes()
    )
    return folder / "ca.pem", folder / "both.pem"


class _Models(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"data": [{"id": "qwen", "owned_by": "vllm"}]}).encode()
        self.send_response(200 if self.path == "/v1/models" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that trusts nobody breaks the handshake off."""


@pytest.fixture
def https(certificate: tuple[Path, Path]) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1])
    server = _Quiet(("127.0.0.1", 0), _Models)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"https://localhost:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_certificate_is_checked(session: Session, https: str) -> None:
    with pytest.raises(ConnectionFailedError, match="REQUESTS_CA_BUNDLE") as caught:
        session.connect(f"{https}/lab")
    assert f"cannot connect to {https}/lab: its certificate is not" in str(caught.value)
    session.configure(server=https)
    with pytest.raises(ConnectionFailedError, match="REQUESTS_CA_BUNDLE"):
        session.ask("Hi").read()
    assert session.servers.known() == ()


def test_a_bundle_of_the_environment_is_trusted(
    session: Session,
    https: str,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    assert session.connect(https).models == ("qwen",)
    session.close()


def test_an_answer_over_tls_comes_as_it_is_sent_and_can_be_ended(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1])
    ended: list[bytes] = []

    def speak(listener: socket.socket) -> None:
        with context.wrap_socket(listener.accept()[0], server_side=True) as sock:
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            sock.sendall(b"3\r\none\r\n3\r\ntwo\r\n9\r\nth")
            with contextlib.suppress(OSError):
                ended.append(sock.recv(1))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=speak, args=(listener,))
        thread.start()
        cancellation = Cancellation()
        client = HttpClient(Endpoint(f"https://localhost:{listener.getsockname()[1]}"))
        with client.send("GET", "/", cancellation=cancellation) as reply:
            pieces = reply.chunks()
            assert next(pieces) == b"onetwo"
            assert next(pieces) == b"th"
            threading.Timer(0.1, cancellation.cancel).start()
            with pytest.raises(ConnectionFailedError, match="cancelled"):
                next(pieces)
        client.close()
        thread.join()
    assert ended in ([], [b""])


def test_a_proxy_is_used_for_other_machines(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    def proxy(request: Request) -> Answer:
        path = request.path.removeprefix("http://gpu.example.org")
        return openai_server("qwen")(Request(request.method, path, {}, b"", 1))

    with serving(proxy) as server:
        monkeypatch.setenv("http_proxy", server.url)
        assert session.connect("http://gpu.example.org").server == "gpu"
        assert set(server.calls()) == {
            "GET http://gpu.example.org/api/models",
            "GET http://gpu.example.org/v1/models",
        }
        session.close()


def test_a_proxy_is_asked_for_a_tunnel_and_sees_no_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append(f"{self.path} {self.headers}")
            self.send_error(403)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setenv(
            "https_proxy", f"http://127.0.0.1:{server.server_address[1]}"
        )
        client = HttpClient(Endpoint("https://gpu.example.org", KEY))
        with pytest.raises(ConnectionFailedError) as caught:
            client.send("GET", "/v1/models")
        client.close()
        server.shutdown()
        thread.join()
    assert len(asked) == 1
    assert asked[0].startswith("gpu.example.org:443 ")
    assert KEY not in asked[0] + str(caught.value)
