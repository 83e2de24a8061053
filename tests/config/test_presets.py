"""Generation parameters under a name."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.config.presets import BUILT_IN, Presets
from h2o_magic.config.settings import Settings
from h2o_magic.conversation.notifications import Notification, SettingChanged
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings" / "presets.json"


@pytest.fixture
def session(path: Path) -> Session:
    return Session(presets=Presets(path))


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_preset_fits_the_table(name: str) -> None:
    for parameter, value in BUILT_IN[name].items():
        assert value is None or CHAT_PARAMETERS[parameter].check(value) == value
    assert BUILT_IN[name].keys() == BUILT_IN["balanced"].keys()


def test_a_preset_sets_what_it_names_and_says_where_it_is_from(
    session: Session,
) -> None:
    told: list[Notification] = []
    session.configure(max_new_tokens=77)
    session.listen(told.append)
    session.use_preset("precise")
    assert session.settings["temperature"] == BUILT_IN["precise"]["temperature"]
    assert session.settings.origin("temperature") == "preset precise"
    assert session.settings["max_new_tokens"] == 77
    assert told == [SettingChanged("temperature"), SettingChanged("top_p")]
    assert session.preset == "precise"


def test_the_balanced_preset_leaves_all_to_the_model(
    session: Session,
) -> None:
    assert set(BUILT_IN["balanced"].values()) == {None}
    assert session.preset == "balanced"
    session.use_preset("creative")
    session.use_preset("balanced")
    assert not session.settings.is_set("temperature")
    assert not session.settings.is_set("top_p")
    session.configure(temperature=0.77)
    assert session.preset == ""


def test_a_preset_goes_before_the_environment() -> None:
    session = Session(
        settings=Settings({"H2O_MAGIC_TEMPERATURE": "0.9", "H2O_MAGIC_TOP_P": "0.5"})
    )
    session.use_preset("balanced")
    assert session.settings["temperature"] is None
    assert session.settings["top_p"] is None
    assert session.settings.origin("temperature") == "preset balanced"
    assert session.settings.origin("top_p") == "preset balanced"


def test_what_is_saved_comes_back_whole_in_another_kernel(
    session: Session, path: Path
) -> None:
    session.configure(temperature=0.9, seed=3, stop=["END", "\n"], top_p=None)
    session.save_preset("mine")
    other = Session(presets=Presets(path))
    other.configure(top_k=5)
    other.use_preset("mine")
    assert other.settings.parameters() == session.settings.parameters()
    assert other.settings.origin("seed") == "preset mine"
    assert list(other.presets()) == [*BUILT_IN, "mine"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    other.remove_preset("mine")
    assert list(session.presets()) == list(BUILT_IN)


def test_a_preset_of_an_earlier_version_keeps_what_can_still_be_set(
    session: Session, path: Path
) -> None:
    path.parent.mkdir()
    mine: dict[str, object] = {
        "temperature": 0.4,
        "do_sample": True,
        "seed": 1,
        "truncate": 2048,
        "return_full_text": False,
        "top_p": None,
    }
    path.write_text(json.dumps({"version": 1, "entries": {"mine": mine}}))
    assert session.presets()["mine"] == {
        "temperature": None,
        "top_p": None,
        "do_sample": None,
        "seed": 1,
    }
    session.use_preset("mine")
    assert session.settings["seed"] == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "a preset's name has 1 to 40"),
        ("a b", "a preset's name has 1 to 40"),
        ("precise", "is built in: choose another name"),
    ],
)
def test_what_is_no_name_is_refused(session: Session, name: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        session.save_preset(name)


def test_a_preset_that_is_not_there_is_refused_with_the_nearest(
    session: Session,
) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'precise'"):
        session.use_preset("precize")
    with pytest.raises(ConfigurationError, match="there are none"):
        session.remove_preset("mine")
    with pytest.raises(ConfigurationError, match="built in and cannot be removed"):
        session.remove_preset("precise")


@pytest.mark.parametrize(
    "entry",
    [
        {"temperature": -1},
        {"warmth": 1},
        {"seed": 1.5},
        ["temperature"],
        "hot",
        {"stop": [1]},
    ],
)
def test_a_damaged_entry_is_kept_aside_and_the_others_stay(
    path: Path, entry: object
) -> None:
    path.parent.mkdir()
    entries = {"good": {"seed": 1}, "bad": entry}
    path.write_text(json.dumps({"version": 1, "entries": entries}))
    said: list[str] = []
    presets = Presets(path, said.append)
    assert list(presets.all()) == [*BUILT_IN, "good"]
    assert len(said) == 1
    assert "presets" in said[0]
