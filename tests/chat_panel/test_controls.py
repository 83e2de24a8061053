"""The settings beside the chat, changed by pages and by others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from h2o_magic.backends.base import ModelInfo
from h2o_magic.chat_panel.controls import Controls
from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.config.settings import Settings
from h2o_magic.conversation.session import Session

SMALL = ModelInfo(
    "smollm2-135m",
    system="Be correct.",
    sampling={
        "temperature": (0.2, "recommended for smollm2-135m"),
        "top_p": (0.9, "the model's file"),
        "min_p": (0.05, "the model's file"),
    },
)


class Panel:
    """The controls of a session whose server describes its model."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, info: ModelInfo | None) -> None:
        self.info = info
        self.asked = 0
        monkeypatch.setattr(Session, "current_model", lambda _: self.ask())
        self.session = Session(settings=Settings())
        self.controls = Controls(self.session, lambda _: ())
        self.session.settings.watch(self.controls.refresh)
        self.controls.show(True)

    def ask(self) -> ModelInfo | None:
        self.asked += 1
        return self.info

    def row(self, name: str) -> Any:
        return self.controls._rows[name]

    def shown(self, name: str) -> tuple[object, str]:
        """Return the value or placeholder that a row shows, and its origin."""
        row = self.row(name)
        value = row.control.value
        if value == "" and hasattr(row.control, "placeholder"):
            value = row.control.placeholder
        return value, row._origin.value


@pytest.fixture
def panel(home: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    panel = Panel(monkeypatch, SMALL)
    yield panel
    panel.session.close()


def test_without_a_value_the_models_own_and_its_origin_are_shown(
    panel: Panel,
) -> None:
    assert panel.shown("temperature") == ("0.2", "recommended for smollm2-135m")
    assert panel.shown("top_p") == (0.9, "the model's file")
    assert panel.shown("system") == ("Be correct.", "recommended for smollm2-135m")
    assert panel.shown("top_k") == ("the model's own", "")
    assert panel.session.settings.parameters() == dict.fromkeys(CHAT_PARAMETERS)
    assert "h2o-own" in panel.row("top_p").control._dom_classes
    assert panel.shown("do_sample") == (True, "")
    panel.session.configure(temperature=0)
    assert panel.shown("do_sample") == (False, "")
    panel.session.settings.unset("temperature")
    assert "h2o-unset" in panel.row("typical_p").control._dom_classes
    assert panel.row("top_p")._reset.layout.visibility == "hidden"


def test_an_effort_is_chosen_from_a_list_or_left_to_the_model(panel: Panel) -> None:
    row = panel.row("reasoning_effort")
    choices = dict(row.control.options)
    assert choices.pop("the model's own") is None
    assert list(choices) == list(CHAT_PARAMETERS["reasoning_effort"].choices)
    assert panel.shown("reasoning_effort") == (None, "")
    row.control.value = "none"
    assert panel.session.settings["reasoning_effort"] == "none"
    assert panel.shown("reasoning_effort") == ("none", "panel")
    panel.session.configure(reasoning_effort="high")
    assert row.control.value == "high"
    row._reset.click()
    assert panel.session.settings["reasoning_effort"] is None
    assert row.control.value is None


def test_extra_is_typed_as_json(panel: Panel) -> None:
    row = panel.row("extra")
    row.control.value = '{"any": 1}'
    assert panel.session.settings["extra"] == {"any": 1}
    row.control.value = "any"
    assert row._error.value == "extra must be a JSON object, got 'any'"
    assert panel.session.settings["extra"] == {"any": 1}
    row.control.value = ""
    assert panel.session.settings["extra"] is None
    panel.session.configure(extra={"b": [1]})
    assert row.control.value == '{"b": [1]}'


def test_whether_a_model_sees_and_expressions_are_evaluated_is_switched(
    panel: Panel,
) -> None:
    vision = panel.row("vision")
    assert panel.shown("vision") == (False, "")
    assert "h2o-unset" in vision.control._dom_classes
    vision.control.value = True
    assert panel.session.settings["vision"] is True
    assert panel.shown("vision") == (True, "panel")
    vision._reset.click()
    assert panel.session.settings["vision"] is None
    assert panel.shown("vision") == (False, "")
    panel.row("evaluate").control.value = True
    assert panel.session.settings["evaluate"] is True


def test_a_value_shows_who_set_it_until_it_is_reset(panel: Panel) -> None:
    panel.row("top_p").control.value = 0.5
    assert panel.session.settings["top_p"] == 0.5
    assert panel.shown("top_p") == (0.5, "panel")
    panel.session.configure(temperature=0, system="Be brief.")
    assert panel.shown("temperature") == ("0.0", "Python")
    assert panel.shown("system") == ("Be brief.", "Python")
    panel.session.use_preset("precise")
    assert panel.shown("temperature") == ("0.1", "preset precise")
    for name in ("top_p", "temperature", "system"):
        assert panel.row(name)._reset.layout.visibility == "visible"
        panel.row(name)._reset.click()
    assert panel.shown("temperature") == ("0.2", "recommended for smollm2-135m")
    assert panel.shown("top_p") == (0.9, "the model's file")
    assert panel.shown("system") == ("Be correct.", "recommended for smollm2-135m")


def test_another_model_shows_its_own_values(panel: Panel) -> None:
    panel.info = ModelInfo("falcon-7b", sampling={"top_k": (10, "the model's file")})
    panel.session.configure(model="falcon-7b")
    assert panel.shown("top_k") == ("10", "the model's file")
    assert panel.shown("temperature") == ("the model's own", "")
    assert panel.shown("system") == ("none", "")


def test_another_server_is_not_asked_since_it_could_keep_the_panel_waiting(
    panel: Panel,
) -> None:
    asked = panel.asked
    panel.session.configure(server="http://127.0.0.1:1")
    assert panel.asked == asked
    assert panel.shown("temperature") == ("the model's own", "")
    assert "h2o-unset" in panel.row("top_p").control._dom_classes


def test_the_server_is_asked_while_settings_can_be_changed(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, free = panel.controls._lock, list[bool]()

    def try_lock() -> None:
        free.append(lock.acquire(timeout=5))
        if free[-1]:
            lock.release()

    def ask(_: Session) -> ModelInfo | None:
        page = threading.Thread(target=try_lock)
        page.start()
        page.join(60)
        return SMALL

    monkeypatch.setattr(Session, "current_model", ask)
    panel.controls.show(True)
    panel.session.configure(model="falcon-7b")
    panel.row("model")._reset.click()
    assert len(free) >= 3
    assert all(free)


@pytest.mark.usefixtures("home")
def test_without_a_server_no_value_is_made_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    panel = Panel(monkeypatch, None)
    for name in ("temperature", "top_k", "repetition_penalty", "max_new_tokens"):
        assert panel.shown(name) == ("the model's own", "")
    panel.session.close()


def test_each_parameter_of_a_question_has_a_control_and_no_other(panel: Panel) -> None:
    named = [name for name in panel.controls._rows if name in CHAT_PARAMETERS]
    assert named == list(CHAT_PARAMETERS)
    assert not panel.controls._rows.keys() & {"truncate", "return_full_text"}


def test_a_typed_value_is_set_and_an_invalid_one_shows_an_error(panel: Panel) -> None:
    row = panel.row("temperature")
    row.control.value = "0"
    assert panel.session.settings["temperature"] == 0.0
    row.control.value = "hot"
    assert row._error.value.startswith("temperature must be a number, 0 or above")
    assert panel.session.settings["temperature"] == 0.0
    row.control.value = ""
    assert panel.session.settings["temperature"] is None


@pytest.mark.usefixtures("home")
def test_a_choice_is_not_reverted_by_an_older_value_shown_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Session(settings=Settings())
    controls = Controls(session, lambda _: ())
    controls.show(True)
    choice = controls._presets._choice
    choice.value = "precise"
    read, chosen = threading.Event(), threading.Event()
    preset = Session.preset.fget

    def look(of: Session) -> str:
        found = str(preset(of))
        if threading.current_thread() is showing:
            read.set()
            chosen.wait(0.5)  # in vain: the choice waits for the lock
        return found

    monkeypatch.setattr(Session, "preset", property(look))
    showing = threading.Thread(target=controls.refresh, args=("temperature",))
    showing.start()
    assert read.wait(60)
    choice.value = "creative"
    chosen.set()
    showing.join(60)
    assert (choice.value, session.preset) == ("creative", "creative")
    session.close()
