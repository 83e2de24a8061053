"""The setting ``replay``: a mode, a folder, or both."""

from __future__ import annotations

import pytest

from h2o_magic.config.replay import ReplayChoice, ReplayMode
from h2o_magic.config.settings import Settings
from h2o_magic.errors import ConfigurationError


def after(*values: str, **environ: str) -> str:
    """Return the setting after it was set to each of some values."""
    settings = Settings(environ)
    for value in values:
        settings.set("replay", value)
    return str(settings["replay"])


@pytest.mark.parametrize(
    ("values", "then"),
    [
        (["answers/"], "on answers/"),
        (["answers/", "only"], "only answers/"),
        (["only answers/", "off", "on"], "on answers/"),
        (["only", "answers/"], "only answers/"),
        (["only answers/", "others/"], "only others/"),
        (["refresh", "answers/"], "refresh answers/"),
        (["off answers/", "others/"], "on others/"),
        (["on"], "on"),
    ],
)
def test_what_a_value_leaves_open_stays_as_it_was(values: list[str], then: str) -> None:
    assert after(*values) == then


def test_the_environments_mode_holds_for_a_notebooks_folder() -> None:
    only = {"H2O_MAGIC_REPLAY": "only"}
    assert after("answers/", **only) == "only answers/"
    assert after("on answers/", **only) == "on answers/"
    assert after(H2O_MAGIC_REPLAY="answers/") == "on answers/"
    settings = Settings(only)
    settings.set("replay", "answers/")
    settings.unset("replay")
    assert settings["replay"] == "only"


@pytest.mark.parametrize(
    ("text", "mode", "folder"),
    [
        ("only my answers/", "only", "my answers/"),
        ("my answers/", "on", "my answers/"),
        (" only  answers/ ", "only", "answers/"),
        ("~/answers", "on", "~/answers"),
        (r"C:\answers", "on", r"C:\answers"),
        ("answers", "on", "answers"),
        ("only only", "only", "./only"),
        ("./only", "on", "./only"),
        ("only/", "on", "only/"),
        ("Réponses 回答/", "on", "Réponses 回答/"),
    ],
)
def test_a_folder_may_have_any_name_and_survives_a_change_of_mode(
    text: str, mode: ReplayMode, folder: str
) -> None:
    assert ReplayChoice.of(after(text)) == (mode, folder)
    again = ReplayChoice.of(after(text, "refresh"))
    assert again.mode == "refresh"
    assert again.folder.removeprefix("./") == folder.removeprefix("./")


@pytest.mark.parametrize(
    ("text", "meant"),
    [("ony", "only"), ("refesh answers/", "refresh"), ("1", "on")],
)
def test_a_slip_in_a_mode_makes_no_folder(text: str, meant: str) -> None:
    said = f"did you mean '{meant}'[?] A folder of that name is ./{text}$"
    with pytest.raises(ConfigurationError, match=said):
        after(text)
    assert after(f"./{text}") == f"on ./{text}"


@pytest.mark.parametrize("value", ["", " ", "a\nb", "on a\x00b", True, None, 1])
def test_what_is_neither_mode_nor_folder_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="must be one of off, on, only"):
        Settings().set("replay", value)


@pytest.mark.parametrize(
    "text",
    [
        *("answers/ only", "answers/ ONLY", "only:answers/", "Only:answers/"),
        *("only,answers/", "answers/,only", "only|answers"),
    ],
)
def test_a_mode_that_stands_elsewhere_makes_no_folder(text: str) -> None:
    with pytest.raises(ConfigurationError, match="a mode comes first"):
        Settings().set("replay", text)


def test_a_slip_in_the_environment_asks_nobody() -> None:
    settings = Settings({"H2O_MAGIC_REPLAY": "onyl"})
    settings.set("replay", "answers/")
    assert settings["replay"] == "only answers/"
