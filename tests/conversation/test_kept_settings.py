"""The server and the model of a notebook, when it is opened again."""

from __future__ import annotations

from pathlib import Path

import pytest

from h2o_magic.config.settings import Settings
from h2o_magic.conversation.kept_settings import SAVED, Kept, restore, to_keep
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.session import Session

WORK: Kept = {"server": ("work", "%h2o connect"), "model": ("m", "%config")}


def restored(kept: Kept, **environ: str) -> Settings:
    settings = Settings(environ)
    restore(settings, kept)
    return settings


def test_what_was_chosen_in_the_notebook_holds_again() -> None:
    settings = restored(WORK)
    assert (settings["server"], settings["model"]) == ("work", "m")
    assert settings.origin("server") == SAVED
    assert to_keep(settings).keys() == WORK.keys()


def test_it_holds_against_the_environment_of_all_notebooks() -> None:
    assert restored(WORK, H2O_MAGIC_SERVER="hub")["server"] == "work"


def test_a_notebook_that_chose_this_machine_stays_here() -> None:
    kept: Kept = {"server": ("", "%h2o connect")}
    assert restored(kept, H2O_MAGIC_SERVER="hub")["server"] == ""


def test_what_the_environment_said_holds_where_it_says_nothing_now() -> None:
    kept = to_keep(Settings({"H2O_MAGIC_SERVER": "old"}))
    assert restored(kept)["server"] == "old"
    assert restored(kept, H2O_MAGIC_SERVER="new")["server"] == "new"


def test_what_this_kernel_has_chosen_already_stays() -> None:
    settings = Settings()
    settings.set("server", "mine", "%config")
    restore(settings, WORK)
    assert settings["server"] == "mine"
    assert not settings.is_set("model")  # it was the other server's


def test_a_servers_own_default_model_is_pinned_and_goes_with_the_server() -> None:
    kept: Kept = {"server": ("work", "%config"), "model": ("a", "the first of work")}
    settings = restored(kept)
    assert settings["model"] == "a"
    assert settings.origin("model") == "the first of work, as before"
    session = Session(settings=settings)
    assert session.connection.current_model_name() == "a"  # nobody is asked
    session.settings.set("server", "", "%config")
    assert not settings.is_set("model")


def test_the_best_model_of_this_machine_is_found_anew() -> None:
    settings = Settings()
    settings.set("model", "tiny", "the best on this machine")
    assert to_keep(settings) == {}


@pytest.mark.parametrize(
    "damaged",
    ["{", "[]", '{"server": 1}', '{"server": ["", "", ""]}', '{"model": [[], ""]}'],
)
def test_damage_to_them_restores_nothing(tmp_path: Path, damaged: str) -> None:
    record = Record(tmp_path / "store", "file:a")
    record.settings = WORK
    record._open().execute("UPDATE notebooks SET settings = ?", [damaged])
    settings = Settings()
    Session(record=record, settings=settings)
    assert not settings.is_set("server")
    assert not settings.is_set("model")
    record.close()


def test_they_are_saved_when_they_change_and_with_each_question(tmp_path: Path) -> None:
    path = tmp_path / "store"
    session = Session(record=Record(path, "file:a"))
    session.settings.set("server", "work", "%config")
    session.close()
    again = Session(record=Record(path, "file:a"))
    assert again.settings["server"] == "work"
    again.close()
