"""Dialects of other packages: the documented one in use, and broken ones told of."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import h2o_magic
from h2o_magic.backends import registry
from h2o_magic.backends.base import Backend, ChatRequest, Dialect
from h2o_magic.backends.detect import detect
from h2o_magic.backends.servers.servers import Servers
from h2o_magic.chat.messages import user
from h2o_magic.config.url import Endpoint
from h2o_magic.conversation.session import Session
from h2o_magic.errors import BackendError, ConfigurationError, ProtocolError
from tests.backends.replayed import NOTHING, routes
from tests.backends.scripted import Answer, Request, answer, document, serving
from tests.docs.pages import pages
from tests.ipython.completion.test_completion import texts
from tests.packages import importable, install, write_plugin
from tests.shells import ipython

TAGS = document({"models": [{"name": "qwen", "size": 5}, {"name": "phi", "size": 6}]})
OPENAI = document({"data": [{"id": "qwen", "owned_by": "library"}]})
KEY = "geheim-0123456789abcdef"


def said(*texts: str, **end: object) -> Answer:
    """Return an answer of Ollama's own API."""
    parts = [{"message": {"content": text}, "done": False} for text in texts]
    if end:
        parts.append({"message": {"content": ""}, "done": True, **end})
    return answer([json.dumps(part).encode() + b"\n" for part in parts])


YES = said("Ye", "s.", done_reason="stop", prompt_eval_count=9, eval_count=2)


def asked(request: Request) -> bool:
    return request.path == "/api/chat"


# The documented package


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the package of the documentation is installed."""
    (page,) = pages(("docs/dialects.md",))
    folder = tmp_path_factory.mktemp("plugin")
    page.write_files(folder)
    install(folder / "h2o-magic-ollama", folder / "site")
    return folder / "site"


@pytest.fixture
def shell(site: Path, home: Path) -> Iterator[InteractiveShell]:
    """A notebook beside which the package is installed."""
    with importable(site), ipython() as shell:
        run(shell, "%load_ext h2o_magic")
        yield shell
        run(shell, "%unload_ext h2o_magic")


def run(shell: InteractiveShell, cell: str) -> None:
    result = shell.run_cell(cell)
    error = result.error_before_exec or result.error_in_exec
    assert error is None, error


def imported() -> bool:
    return "h2o_magic_ollama" in sys.modules


def test_the_documented_dialect_is_recognised_after_the_built_in_ones(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(routes({"/api/tags": TAGS, "/api/chat": YES})) as server:
        run(shell, f"%h2o connect {server.url} --name lab")
        first = server.calls()[:6]
        assert first[:2] == ["GET /api/models", "GET /v1/models"]
        assert first[4:] == ["GET /__data.json", "GET /api/tags"]
        assert "Ollama, 2 models" in capsys.readouterr().out
        run(shell, "%%h2o --top-k 20 --max-new-tokens 7 --system Shortly.\nWhy?")
        (turn,) = h2o_magic.session().turns()
        assert (turn.answer, turn.status) == ("Yes.", "complete")
        (question,) = filter(asked, server.requests)
        assert question.json == {
            "model": "qwen",
            "messages": [
                {"role": "system", "content": "Shortly."},
                {"role": "user", "content": "Why?"},
            ],
            "options": {"top_k": 20, "num_predict": 7},
        }
        for command in ("status", "connect", "models"):
            run(shell, f"%h2o {command}")
        shown = capsys.readouterr().out
        assert shown.count("Ollama") == 2
        assert "phi" in shown


def test_a_dialect_of_a_package_that_is_named_is_believed(
    shell: InteractiveShell,
) -> None:
    both = {"/api/tags": TAGS, "/v1/models": OPENAI}
    with serving(routes(both)) as server:
        run(shell, f"%h2o connect {server.url}")
        assert h2o_magic.session().backend.dialect == "openai"
        assert len(server.requests) == 3
        assert not imported()
        server.requests.clear()
        run(shell, f"%h2o connect {server.url} --dialect ollama")
        assert server.calls() == ["GET /api/tags"]
        assert imported()


def test_a_dialect_that_nobody_speaks_is_told_with_the_nearest(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(routes({"/v1/models": OPENAI})) as server:
        shell.run_cell(f"%h2o connect {server.url} --dialect olama")
        assert server.requests == []
    (line,) = capsys.readouterr().err.splitlines()
    assert "one of gpt-gm, openai, ollama, got 'olama': did you mean" in line


def test_what_fails_there_is_one_line(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    failures = [
        (document({"error": "no such model"}, status=500), "no such model"),
        (answer(b'{"error": "out of memory"}\n'), "out of memory"),
        (said("Ye"), "ended without its final event"),
        (answer(b"{"), "JSONDecodeError"),
    ]
    with serving(routes({"/api/tags": TAGS})) as server:
        run(shell, f"%h2o connect {server.url}")
        for reply, words in failures:
            server.script = routes({"/api/tags": TAGS, "/api/chat": reply})
            shell.run_cell("%%h2o\nWhy?")
            (line,) = re.findall("^ServerError: .*$", capsys.readouterr().out, re.M)
            assert words in line
        shell.run_cell("%%h2o --repetition-penalty 1.1\nWhy?")
    shell.run_cell("%%h2o\nWhy?")
    shown = capsys.readouterr()
    (refused,) = shown.err.splitlines()
    assert "Ollama does not take repetition_penalty" in refused
    assert "ServerError: " in shown.out
    assert "Connection refused" in shown.out


def test_its_key_is_sent_and_shown_nowhere(
    shell: InteractiveShell,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LAB_KEY", KEY)
    with serving(routes({"/api/tags": TAGS, "/api/chat": YES})) as server:
        run(shell, f"%h2o connect {server.url} --dialect ollama --key-env LAB_KEY")
        run(shell, "%%h2o\nWhy?")
        sent = {request.headers.get("authorization") for request in server.requests}
        assert sent == {f"Bearer {KEY}"}
    assert KEY not in "".join(capsys.readouterr())


def test_its_name_is_completed(shell: InteractiveShell) -> None:
    assert texts(shell, "%h2o connect http://a --dialect o|") == ["openai", "ollama"]
    assert not imported()


def test_nothing_is_read_of_packages_before_a_dialect_is_looked_for(
    site: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> None:
        raise AssertionError("packages were read")

    monkeypatch.setattr(importlib.metadata, "distributions", read)
    with importable(site), ipython() as shell:
        run(shell, "%load_ext h2o_magic")
        with serving(routes({"/v1/models": OPENAI})) as server:
            run(shell, f"%h2o connect {server.url} --dialect openai")
            run(shell, f"%h2o connect {server.url}")
            run(shell, "%h2o status")
        run(shell, "%unload_ext h2o_magic")


def test_what_a_backend_leaves_out_its_server_cannot_do(site: Path) -> None:
    with importable(site), serving(routes({"/api/tags": TAGS})) as server:
        found = detect(Endpoint(f"{server.url}/v1"))
        assert (found.dialect, found.models) == ("ollama", 2)
        assert str(found) == "Ollama, 2 models"
        with closing(registry.connect("ollama", server.url)) as backend:
            checked: Backend = backend
            assert [model.name for model in checked.models()] == ["qwen", "phi"]
            assert checked.model("qwen") is checked.count_tokens("qwen", []) is None


# Broken packages

HEAD = "from h2o_magic.backends import *\n"
GOOD = HEAD + "D = Dialect('odd', 'Odd', {connect}, ('/odd',), {recognise})\n"

UNUSABLE = {
    r"raise ImportError('no\nlibodd.so')": "ImportError: no libodd.so",
    "import sys; sys.exit(3)": "SystemExit: 3",
    "1 / 0": "ZeroDivisionError",
    "def": "SyntaxError",
    "": "AttributeError",
    "D = 7": "expected odd:D to be the Dialect 'odd', got 7",
    HEAD + "D = Dialect('even', 'Even', print)": "to be the Dialect 'odd'",
    HEAD + "D = Dialect('odd', 'Odd', print, '/odd')": "expected `probes` as a tuple",
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose packages are found."""
    with importable(tmp_path):
        yield tmp_path


def odd(folder: Path, connect: str = "None", recognise: str = "None") -> Dialect:
    """Return the dialect of a package with these functions."""
    code = GOOD.format(connect=connect, recognise=recognise)
    write_plugin(folder, "h2o-odd", "odd = odd:D", "odd", code)
    return registry.find("odd")


def one_line(error: BaseException) -> str:
    text = str(error)
    assert text.startswith("the package h2o-odd cannot be used as a plug-in")
    assert text.endswith("update it, or report this to its authors")
    assert "\n" not in text
    return text


@pytest.mark.parametrize("code", UNUSABLE)
def test_a_package_that_cannot_be_used_is_named_in_one_line(
    folder: Path, code: str
) -> None:
    write_plugin(folder, "h2o-odd", "odd = odd:D", "odd", code)
    with pytest.raises(ConfigurationError) as caught:
        registry.find("odd")
    assert UNUSABLE[code] in one_line(caught.value)
    assert registry.names() == ("gpt-gm", "openai", "odd")
    assert registry.label("odd") == "odd"


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ("odd = odd:D", "ModuleNotFoundError"),
        ("odd = what is this", "Error: "),
        ("openai = odd:D", "the name 'openai' is already taken"),
        ("auto = odd:D", "the name 'auto' is already taken"),
        ("odd", "its entry_points.txt cannot be read"),
    ],
)
def test_detection_warns_of_it_and_asks_the_others(
    site: Path, folder: Path, entries: str, why: str
) -> None:
    write_plugin(folder, "h2o-odd", entries)
    with importable(site), serving(routes({"/api/tags": TAGS})) as server:
        with pytest.warns(UserWarning, match="h2o-odd") as warned:
            assert detect(Endpoint(server.url)).dialect == "ollama"
        (warning,) = warned
        assert why in one_line(warning.message)  # type: ignore[arg-type]
        with serving(routes({"/v1/models": OPENAI})) as other:
            assert detect(Endpoint(other.url)).dialect == "openai"


SILENT = """
from h2o_magic.backends import *
from h2o_magic.errors import ProtocolError

class B(Backend):
    url = "http://odd"
    def __init__(self, url, token): pass
    def stream(self, request): pass
    def models(self):
        raise ProtocolError("it has no list")

D = Dialect("odd", "Odd", B)
"""


@pytest.mark.usefixtures("home")
def test_a_dialect_without_probes_is_spoken_where_it_is_named(folder: Path) -> None:
    write_plugin(folder, "h2o-odd", "odd = odd:D", "odd", SILENT)
    with serving(routes({"/v1/models": OPENAI})) as server:
        for name, dialect in ((server.url, "odd"), ("odd", "")):
            with closing(Session(servers=Servers.of_user)) as session:
                connected = session.connect(name, dialect=dialect)
                assert connected.dialect == "odd"
                assert "Odd, it does not list its models" in str(connected)
        assert server.requests == []


def test_of_two_packages_with_one_dialect_the_first_counts(folder: Path) -> None:
    write_plugin(
        folder / "a",
        "h2o-first",
        "odd = odd:D",
        "odd",
        GOOD.format(connect="None", recognise="None"),
    )
    write_plugin(folder / "b", "h2o-odd", "odd = other:D")
    write_plugin(folder / "c", "h2o-first", "odd = older:D")
    with importable(folder / "c"), importable(folder / "b"), importable(folder / "a"):
        with pytest.warns(
            UserWarning, match="h2o-odd.*the name 'odd' is already taken"
        ):
            assert [dialect.label for dialect in registry.added()] == ["Odd"]
        assert registry.find("odd").label == "Odd"
        assert registry.names() == ("gpt-gm", "openai", "odd")


@pytest.mark.parametrize("recognise", ["lambda a, e: 1 / 0", "lambda a, e: True"])
def test_a_mistake_in_recognising_is_a_warning(folder: Path, recognise: str) -> None:
    odd(folder, recognise=recognise)
    with serving(lambda _: NOTHING) as server:
        with (
            pytest.warns(UserWarning, match="h2o-odd") as warned,
            pytest.raises(ProtocolError, match="other dialects: gpt-gm, odd"),
        ):
            detect(Endpoint(server.url))
        assert server.calls()[-1] == "GET /odd"
    one_line(warned[0].message)  # type: ignore[arg-type]


def test_a_mistake_in_connecting_is_one_line(folder: Path) -> None:
    dialect = odd(folder, connect="lambda url, token: 1 / 0")
    with pytest.raises(ConfigurationError) as caught:
        dialect.connect("http://a", None)
    assert "ZeroDivisionError" in one_line(caught.value)


def test_a_backend_that_fails_everywhere_is_reported_and_can_be_left(
    folder: Path,
) -> None:
    backend = odd(folder, connect="lambda url, token: object()").connect("a", None)
    request = ChatRequest("tiny", (user("Hi"),))
    for call in (
        lambda: backend.url,
        backend.models,
        backend.model,
        lambda: backend.count_tokens("tiny", []),
        lambda: backend.stream(request),
    ):
        with pytest.raises(BackendError) as caught:
            call()
        assert "AttributeError" in one_line(caught.value)
    backend.close()


BACKEND = """
class B(Backend):
    url = "http://odd"
    def models(self):
        return []
    def stream(self, request):
        try:
            yield 1
            1 / 0
        finally:
            request.append("closed")
"""


def test_an_answer_that_fails_is_reported_and_closed(folder: Path) -> None:
    code = f"{HEAD}{BACKEND}{GOOD}".format(
        connect="lambda url, token: B()", recognise="None"
    )
    write_plugin(folder, "h2o-odd", "odd = odd:D", "odd", code)
    backend = registry.connect("odd", "http://odd")
    for close in (True, False):
        noted: list[str] = []
        events = backend.stream(noted)  # type: ignore[arg-type]
        next(events)
        if close:
            events.close()  # type: ignore[attr-defined]
            assert list(events) == []
        else:
            with pytest.raises(BackendError) as caught:
                next(events)
            assert "ZeroDivisionError" in one_line(caught.value)
        assert noted == ["closed"]
