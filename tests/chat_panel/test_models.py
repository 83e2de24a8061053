"""The model's menu: what it lists, choosing, connecting, downloading."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from h2o_magic.backends.servers.credentials import KeySource
from h2o_magic.backends.servers.known import KnownServer, KnownServers
from h2o_magic.backends.servers.servers import Servers
from h2o_magic.chat_panel import model_list
from h2o_magic.chat_panel.controller import Controller
from h2o_magic.config.settings import Settings
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError, ConnectionFailedError
from h2o_magic.ipython.panel_host import PanelHost
from h2o_magic.weights.progress import PullEvent, PullProgress
from tests.backends.scripted import ScriptedServer, document, serving

ENTRIES = [
    {"id": "large", "max_model_len": 32_768, "vision": True},
    {"id": "small", "context_length": 2048, "size": 98_362_432},
]


class Menu:
    """A view of a session that knows two servers; one of them does not answer."""

    def __init__(self, url: str) -> None:
        known = KnownServers()
        known.keep(KnownServer("work", f"{url}/v1", "openai"))
        known.keep(
            KnownServer("gone", "http://127.0.0.1:9/v1", "openai", KeySource("prompt"))
        )
        self.session = Session(settings=Settings(), servers=lambda: Servers(known))
        self.got: queue.Queue[dict[str, Any]] = queue.Queue()
        notebook: Any = SimpleNamespace(session=self.session, shell=None, option=str)
        self.host = PanelHost(notebook)
        self.controller = Controller(self.session, self.host, self.got.put)

    def send(self, kind: str, **parts: Any) -> None:
        self.controller.receive({"type": kind, "view": "here", **parts})

    def wait_for(self, kind: str, fits: Callable[[Any], object]) -> Any:
        while True:
            message = self.got.get(timeout=30)
            if message["type"] == kind and fits(message):
                return message

    def group(self, kind: str, server: str = "") -> dict[str, Any]:
        """Return the next group that is not still being asked for."""

        def fits(message: dict[str, Any]) -> bool:
            group = message["group"]
            which = (group["kind"], group.get("server", ""))
            return which == (kind, server) and not group.get("asking")

        group: dict[str, Any] = self.wait_for("models", fits)["group"]
        return group

    def download(self, state: str, percent: int) -> dict[str, Any]:
        """Wait until the only download is there, and return its row."""

        def fits(message: dict[str, Any]) -> bool:
            rows = [(r["state"], r["percent"]) for r in message["downloads"]]
            return rows == [(state, percent)]

        (row,) = self.wait_for("downloads", fits)["downloads"]
        return dict(row)

    def state(self, fits: Callable[[Any], object] = lambda _: True) -> dict[str, Any]:
        self.controller._messages.send_state()
        state: dict[str, Any] = self.wait_for("state", lambda m: fits(m["state"]))
        return dict(state["state"])


@pytest.fixture(name="work")
def _work() -> Iterator[ScriptedServer]:
    listed = {"object": "list", "data": ENTRIES}
    with serving(lambda _: document(listed)) as server:
        yield server


@pytest.fixture(name="menu")
def _menu(home: Path, work: ScriptedServer) -> Iterator[Menu]:
    menu = Menu(work.url)
    yield menu
    menu.controller.close()
    menu.session.close()


def test_each_group_comes_at_once_as_it_was_and_again_as_it_is(menu: Menu) -> None:
    menu.send("models")
    first: dict[str, Any] = {}
    while len(first) < 3:
        group = menu.wait_for("models", lambda _: True)["group"]
        first.setdefault(group.get("server", group["kind"]), group)
    assert {name for name, group in first.items() if group["asking"]} == {
        "work",
        "gone",
        "here",
    }
    menu.send("models")
    models = menu.group("server", "work")["models"]
    assert models == [
        {
            "name": "large",
            "title": "large",
            "size": "",
            "context": 32_768,
            "vision": True,
            "note": "",
        },
        {
            "name": "small",
            "title": "small",
            "size": "98.4 MB",
            "context": 2048,
            "vision": None,
            "note": "",
        },
    ]
    # What it listed last is there at once, when the menu is opened again.
    menu.send("models")
    again = menu.wait_for("models", lambda m: m["group"].get("server") == "work")
    assert again["group"]["models"] == models
    assert again["group"]["asking"]


def test_a_server_that_cannot_be_asked_says_why_in_a_line(menu: Menu) -> None:
    menu.send("models")
    problem = menu.group("server", "gone")["problem"]
    assert problem.startswith("the key for http://127.0.0.1:9/v1 is missing: ")
    assert "\n" not in problem


def _has_answered(message: dict[str, Any]) -> bool:
    return message["group"]["kind"] == "server" and not message["group"].get("asking")


def test_a_server_is_not_asked_again_while_it_is_being_asked(
    menu: Menu, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = list[str](), threading.Event()

    def models(_: object, server: KnownServer) -> tuple[()]:
        asked.append(server.name)
        go_on.wait(60)
        return ()

    monkeypatch.setattr(model_list.ModelList, "_models", models)
    for _ in range(5):
        menu.send("models")
    go_on.set()
    for _ in range(2):
        menu.wait_for("models", _has_answered)
    assert sorted(asked) == ["gone", "work"]


def test_weights_here_and_those_to_download_are_told_apart(menu: Menu) -> None:
    menu.send("models")
    download = {row["name"]: row for row in menu.group("download")["models"]}
    here = {row["name"]: row for row in menu.group("here")["models"]}
    assert list(here) == ["", "demo"]
    best = here[""]
    assert (best["title"], best["note"]) == ("Best on this machine", "Built-in demo")
    assert (here["demo"]["title"], here["demo"]["vision"]) == ("Built-in demo", False)
    assert here["demo"]["context"] > 0
    assert "demo" not in download
    small = download["smollm2-135m"]
    assert (small["size"], small["licence"]) == ("98.4 MB", "Apache-2.0")
    assert download["llama-13b"]["licence"] == ""  # only its card says it


def test_server_and_model_are_chosen_together(menu: Menu) -> None:
    settings = menu.session.settings
    assert menu.state()["model"] == {
        "name": "",
        "title": "Best on this machine",
        "server": "",
        "place": "",
    }
    menu.send("choose", server="work", model="large")
    assert (settings["server"], settings["model"]) == ("work", "large")
    assert settings.origin("model") == "panel"
    assert menu.state(lambda s: s["model"]["name"] == "large")["model"] == {
        "name": "large",
        "title": "large",
        "server": "work",
        "place": "work",
    }
    menu.send("choose", server="", model="demo")
    assert (settings["server"], settings["model"]) == ("", "demo")
    menu.send("choose", server="", model="")
    assert not settings.is_set("model")
    menu.send("choose", server="work", model=" bad")
    assert "`model` must be" in menu.wait_for("error", lambda _: True)["text"]
    assert settings["server"] == ""  # neither was changed


def test_another_server_is_connected_to_with_the_commands_words(
    menu: Menu, work: ScriptedServer
) -> None:
    menu.send("connect", server="http://127.0.0.1:7", n=3)
    failed = menu.wait_for("unconnected", lambda m: m["n"] == 3)
    with pytest.raises(Exception, match=r"127\.0\.0\.1:7") as error:
        menu.session.connect("http://127.0.0.1:7")
    assert failed["text"] == model_list.plain_line(error.value)
    assert failed["to"] == "here"
    menu.send("connect", server=f" {work.url} ", n=4)
    connected = menu.wait_for("connected", lambda _: True)["text"]
    assert connected.startswith("Connected to work")
    assert connected.endswith("2 models. Model: large.")
    assert [row["name"] for row in menu.group("server", "work")["models"]] == [
        "large",
        "small",
    ]
    assert menu.state()["model"]["server"] == "work"


def test_a_key_never_comes_to_a_page(
    menu: Menu, work: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-never-in-a-page-1234567890abcdef"
    monkeypatch.setenv("WORK_KEY", secret)
    menu.session.connect(work.url, key_env="WORK_KEY")
    menu.send("models")
    menu.send("settings")
    menu.group("server", "work")
    menu.state()
    menu.send("connect", server=secret, n=1)
    menu.wait_for("unconnected", lambda m: secret not in m["text"])
    seen = json.dumps([menu.got.get() for _ in range(menu.got.qsize())])
    assert secret not in seen


class Pulling:
    """Downloads that go on step by step."""

    def __init__(self, menu: Menu, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: queue.Queue[int | Exception] = queue.Queue()
        menu.session.downloads._pull = self.pull
        monkeypatch.setattr("h2o_magic.conversation.downloads._INTERVAL", 0)

    def pull(
        self, _model: str, report: Callable[[PullEvent], None] = lambda _: None
    ) -> None:
        while (step := self.steps.get(timeout=60)) != 100:
            if isinstance(step, Exception):
                raise step
            report(PullProgress(step * 1_000_000, 100_000_000))


def test_two_panels_show_a_download_which_then_answers(
    menu: Menu, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulling, other = Pulling(menu, monkeypatch), queue.Queue[dict[str, Any]]()
    beside = Controller(menu.session, menu.host, other.put)
    menu.send("pull", model="smollm2-135m")
    pulling.steps.put(42)
    row = menu.download("running", 42)
    assert (row["title"], row["sizes"]) == ("SmolLM2-135M", "42.0 MB of 100.0 MB")
    assert menu.state()["downloads"] == [row]  # for a view that is opened now
    assert menu.state()["model"]["name"] == ""
    pulling.steps.put(100)
    menu.state(lambda s: s["model"]["name"] == "smollm2-135m")
    while (message := other.get(timeout=30))["type"] != "downloads" or (
        message["downloads"][0]["state"] != "done"
    ):
        pass
    beside.close()


def test_a_download_does_not_undo_a_later_choice(
    menu: Menu, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulling = Pulling(menu, monkeypatch)
    menu.send("pull", model="smollm2-135m")
    menu.send("choose", server="", model="demo")
    pulling.steps.put(100)
    menu.group("here")  # which is looked at again, after the end
    assert menu.session.settings["model"] == "demo"


def test_a_download_is_stopped_or_says_why_it_failed(
    menu: Menu, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulling = Pulling(menu, monkeypatch)
    menu.send("pull", model="smollm2-135m")
    menu.download("running", 0)
    menu.send("stop_pull", model="smollm2-135m")
    menu.download("stopped", 0)
    pulling.steps.put(1)
    menu.send("pull", model="smollm2-135m")
    pulling.steps.put(ConnectionFailedError("the hub refuses: `try` again"))
    assert menu.download("failed", 0)["problem"] == "the hub refuses: try again"
    menu.send("stop_pull", model="smollm2-135m")
    assert menu.state()["downloads"] == []
    assert not menu.session.settings.is_set("model")


def test_the_commands_pull_and_model_work_in_a_panel(
    menu: Menu, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulling = Pulling(menu, monkeypatch)
    session, host = menu.session, menu.host
    assert host.command("pull smollm2-135m").startswith("Downloading smollm2-135m.")
    (download,) = session.downloads.all()
    pulling.steps.put(100)
    assert download.ended.wait(60)
    assert not session.settings.is_set("model")  # as in a cell
    with pytest.raises(ConfigurationError, match="expected a model"):
        host.command("pull")
    assert host.command("model falcon-7b") == "Model: falcon-7b, on this machine."
    assert session.settings.origin("model") == "%h2o model"
    assert host.command("model") == "Model: falcon-7b, on this machine."
