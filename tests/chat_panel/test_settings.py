"""The settings as a form, changed by views and by others."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from h2o_magic.backends.base import ModelInfo
from h2o_magic.chat_panel import settings as module
from h2o_magic.chat_panel.fields import FOLDS, field, takes
from h2o_magic.chat_panel.messages import Messages
from h2o_magic.chat_panel.settings import SettingsForm
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameters import CHAT_PARAMETERS, PARAMETERS
from h2o_magic.config.settings import Settings
from h2o_magic.conversation.notifications import Notification, SettingChanged
from h2o_magic.conversation.session import Session
from tests.backends.scripted import document, serving

SMALL = ModelInfo(
    "smollm2-135m",
    system="Be correct.",
    sampling={
        "temperature": (0.2, "recommended for smollm2-135m"),
        "top_p": (0.9, "the model's file"),
    },
)


class Form:
    """The form of a session whose server describes its model."""

    def __init__(self, info: ModelInfo | None) -> None:
        self.info = info
        self.asked = 0
        self.session = Session(settings=Settings())
        self.got: queue.Queue[dict[str, Any]] = queue.Queue()
        self.part = SettingsForm(self.session, Messages(self.session, self.got.put, ""))
        self.session.listen(self.on_notification)

    def on_notification(self, news: Notification) -> None:
        if isinstance(news, SettingChanged):
            self.part.refresh([news.setting])

    def test(self, _: Session) -> Any:
        self.asked += 1
        return module._Test("Answers in 40 ms.", self.info)

    def send(self, kind: str, **parts: Any) -> None:
        getattr(self.part, f"_on_{kind}")("here", parts)

    def wait_for(self, kind: str) -> dict[str, Any]:
        while (message := self.got.get(timeout=60))["type"] != kind:
            pass
        return message

    def last(self) -> dict[str, Any]:
        """Return the values as they were last sent."""
        values = self.wait_for("values")
        while not self.got.empty():
            message = self.got.get()
            values = message if message["type"] == "values" else values
        return values

    def wait_until_tested(self) -> dict[str, Any]:
        while (values := self.wait_for("values"))["server"]["text"] == "Asking …":
            pass
        return values


def row(values: dict[str, Any], name: str) -> dict[str, Any]:
    return next(v for v in values["values"] if v["name"] == name)


def shown(values: dict[str, Any], name: str) -> tuple[str, str]:
    """Return what a field shows, and where that comes from."""
    value = row(values, name)
    text = value["text"] or value["own"] or value["none"]
    return text, value["origin"] or value["source"]


@pytest.fixture
def form(home: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Form]:
    form = Form(SMALL)
    monkeypatch.setattr(module, "_tested", form.test)
    yield form
    form.session.close()


def test_without_a_value_the_models_own_and_its_origin_are_shown(form: Form) -> None:
    form.send("settings")
    values = form.wait_until_tested()
    assert values["server"] == {"text": "Answers in 40 ms.", "problem": False}
    recommended = "recommended for smollm2-135m"
    assert shown(values, "temperature") == ("0.2", recommended)
    assert shown(values, "top_p") == ("0.9", "the model's file")
    assert shown(values, "system") == ("Be correct.", recommended)
    assert shown(values, "top_k") == ("the model's own", "")
    assert shown(values, "do_sample") == ("true", "")
    assert form.session.settings.parameters() == dict.fromkeys(CHAT_PARAMETERS)
    assert not any(value["reset"] for value in values["values"])
    form.session.configure(temperature=0)
    assert shown(form.last(), "do_sample") == ("false", "")


def test_a_value_shows_who_set_it_until_it_is_reset(form: Form) -> None:
    form.send("settings")
    form.wait_until_tested()
    form.send("set", name="top_p", text="0.5")
    assert form.session.settings["top_p"] == 0.5
    assert shown(form.last(), "top_p") == ("0.5", "panel")
    form.session.configure(temperature=0, system="Be brief.")
    values = form.last()
    assert shown(values, "temperature") == ("0.0", "Python")
    assert shown(values, "system") == ("Be brief.", "Python")
    form.send("preset", action="use", name="precise")
    values = form.last()
    assert shown(values, "temperature") == ("0.1", "preset precise")
    assert values["presets"]["current"] == "precise"
    for name in ("top_p", "temperature", "system"):
        assert row(values, name)["reset"]
        form.send("reset", name=name)
    values = form.last()
    assert shown(values, "temperature") == ("0.2", "recommended for smollm2-135m")
    assert shown(values, "system")[0] == "Be correct."
    form.send("set", name="top_p", text="0.5")
    form.send("set", name="top_p", text=" ")  # emptied, it is nobody's choice
    assert row(form.last(), "top_p")["origin"] == ""


def test_texts_are_values_of_their_settings_or_refused_in_the_view(form: Form) -> None:
    def refused(name: str, text: str) -> str:
        form.send("set", name=name, text=text)
        message = form.wait_for("refused")
        assert (message["to"], message["name"]) == ("here", name)
        return str(message["text"])

    settings = form.session.settings
    for name, text, value in (
        ("temperature", "0", 0.0),
        ("extra", '{"any": 1}', {"any": 1}),
        ("stop", "END", ("END",)),
        ("stop", '["A", "B"]', ("A", "B")),
        ("reasoning_effort", "none", "none"),
        ("reasoning_effort", "", None),
        ("vision", "true", True),
        ("vision", "", None),
        ("evaluate", "true", True),
        ("system", " Be brief. ", " Be brief. "),
        ("system", "", ""),
        ("max_turns", "none", None),
        ("context", "512", 512),
        ("context", "", 4096),
        ("replay", "on answers/", "on answers/"),
        ("replay", "only answers/", "only answers/"),
        ("replay", "off answers/", "off answers/"),
        ("replay", "on ", "on"),  # the user's own store: no folder is left
        ("replay", "off ", "off"),
    ):
        form.send("set", name=name, text=text)
        assert settings[name] == value, (name, text)
    assert refused("temperature", "hot").startswith("temperature must be a number, 0")
    assert refused("extra", "any") == "extra must be a JSON object, got 'any'"
    assert "a folder such as answers/" in refused("replay", "on an\tswer/")
    assert settings["temperature"] == 0.0
    assert settings["extra"] == {"any": 1}
    form.send("preset", action="save", name="precise")
    assert form.wait_for("refused")["name"] == "preset"


def test_a_preset_is_saved_used_and_removed(form: Form) -> None:
    form.send("set", name="temperature", text="0.7")
    form.send("preset", action="save", name=" mine ")
    presets = form.last()["presets"]
    assert (presets["current"], presets["removable"]) == ("mine", True)
    form.send("preset", action="use", name="precise")
    assert form.last()["presets"]["removable"] is False
    form.send("preset", action="use", name="mine")
    assert form.session.settings["temperature"] == 0.7
    form.send("preset", action="remove", name="mine")
    presets = form.last()["presets"]
    assert presets["current"] == ""
    assert "mine" not in presets["names"]


def test_another_model_is_asked_about_and_only_the_newest_answer_counts(
    form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    form.send("settings")
    form.wait_until_tested()
    slow, asked = threading.Event(), queue.Queue[str]()

    def ask(session: Session) -> Any:
        model = str(session.settings["model"])
        asked.put(model)
        if model == "slow":
            slow.wait(60)
        sampling = {"top_k": (len(model), "the model's file")}
        return module._Test("Answers.", ModelInfo(model, sampling=sampling))

    monkeypatch.setattr(module, "_tested", ask)
    form.session.configure(model="slow")
    assert asked.get(timeout=60) == "slow"
    assert form.last()["server"]["text"] == "Asking …"  # and nobody waits
    form.session.configure(model="falcon-7b")
    values = form.wait_until_tested()
    assert shown(values, "top_k") == ("9", "the model's file")
    assert shown(values, "temperature") == ("the model's own", "")
    slow.set()
    for thread in threading.enumerate():
        if thread.name == "h2o_magic-settings":
            thread.join(60)
    form.send("set", name="seed", text="1")
    assert shown(form.last(), "top_k")[0] == "9"


def test_nothing_is_sent_or_asked_before_a_view_opens_the_settings(form: Form) -> None:
    form.session.configure(model="falcon-7b", temperature=1)
    assert form.got.empty()
    assert form.asked == 0


@pytest.mark.usefixtures("home")
def test_a_server_is_timed_and_what_it_does_not_take_is_marked() -> None:
    listed = {"object": "list", "data": [{"id": "m", "owned_by": "vllm"}]}
    with serving(lambda _: document(listed)) as server:
        form, host = Form(None), server.url.removeprefix("http://")
        form.session.configure(server=f"{server.url}/v1", model="m")
        form.session.configure(typical_p=0.5)
        form.send("settings")
        values = form.wait_until_tested()
        assert values["server"]["text"].startswith("Answers in ")
        assert not row(values, "typical_p")["taken"]  # and yet shown: it is set
        assert row(values, "top_k")["taken"]
    form.send("test")
    failed = form.wait_until_tested()["server"]
    assert failed["problem"]
    assert failed["text"].startswith(f"Cannot connect to http://{host}")
    form.session.close()


def test_what_a_dialect_ignores_is_known_from_the_table_of_parameters() -> None:
    taken = {
        kind: {n for n in CHAT_PARAMETERS if takes(PARAMETERS[n], *kind)}
        for kind in (("gpt-gm", None), ("openai", "standard"), ("openai", None))
    }
    assert taken["gpt-gm", None] == {n for n, p in CHAT_PARAMETERS.items() if p.gptgm}
    assert "min_p" not in taken["openai", "standard"]
    assert {"temperature", "do_sample", "extra"} <= taken["openai", "standard"]
    assert taken["openai", None] == set(CHAT_PARAMETERS)  # until it is known
    assert all(takes(row, "a-plug-in", None) for row in CHAT_PARAMETERS.values())


def test_each_parameter_of_a_question_has_one_field_with_a_title_and_help() -> None:
    names = [name for fold in FOLDS.values() for name in fold]
    assert len(names) == len(set(names))
    assert set(CHAT_PARAMETERS) <= set(names)
    fields = {name: field(SETTINGS[name]) for name in names}
    titles = [each["title"] for each in fields.values()]
    assert len(set(titles)) == len(titles)
    assert all(each["help"].endswith(".") for each in fields.values())
    assert fields["temperature"]["title"] == "Creativity (temperature)"
    slider = fields["typical_p"]
    assert (slider["kind"], slider["least"], slider["most"]) == ("slider", 0.01, 0.99)
    assert fields["reasoning_effort"]["optional"]
    assert fields["reasoning_effort"]["choices"][-1] == ["xhigh", "Extra high"]
    assert not fields["reasoning"]["optional"]
