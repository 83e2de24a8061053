import platform
import pwd
from pathlib import Path

import platformdirs
import pytest

from h2o_magic.config import paths
from h2o_magic.config.folders import make_private


def test_one_variable_puts_all_files_under_one_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))
    assert paths.runtime_file().parent == tmp_path
    assert paths.log_file().parent == tmp_path


def test_a_tilde_in_the_variable_is_the_users_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("H2O_MAGIC_HOME", "~/chat")
    assert paths.log_file() == tmp_path / "chat" / "server.log"


@pytest.mark.parametrize("home", [None, ""])
def test_without_the_variable_files_go_where_the_platform_keeps_them(
    monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    if home is None:
        monkeypatch.delenv("H2O_MAGIC_HOME", raising=False)
    else:
        monkeypatch.setenv("H2O_MAGIC_HOME", home)
    assert paths.runtime_file().parent == platformdirs.user_data_path("h2o_magic")
    assert paths.log_file().parent == platformdirs.user_log_path("h2o_magic")


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("lab-3.example.org", "server-lab-3.example.org.json"),
        ("Ann's Mac/../x", "server-Ann_s_Mac_.._x.json"),
        ("", "server-localhost.json"),
    ],
)
def test_machines_that_share_a_home_have_runtime_files_of_their_own(
    monkeypatch: pytest.MonkeyPatch, node: str, name: str
) -> None:
    monkeypatch.setattr(platform, "node", lambda: node)
    assert paths.runtime_file().name == name


@pytest.mark.parametrize("home", [None, "~", "~/chat", "~no-such-user/chat"])
def test_without_a_home_no_folder_is_made_of_a_tilde(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str | None
) -> None:
    def unknown(uid: object) -> None:
        raise KeyError(uid)

    monkeypatch.chdir(tmp_path)
    for name in ("getpwuid", "getpwnam"):
        monkeypatch.setattr(pwd, name, unknown)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("H2O_MAGIC_HOME", raising=False)
    for kind in ("DATA", "CONFIG", "CACHE", "STATE"):
        monkeypatch.delenv(f"XDG_{kind}_HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("H2O_MAGIC_HOME", home)
    for place in (paths.store_file(), paths.aliases_file(), paths.log_file()):
        with pytest.raises(FileNotFoundError, match="the home folder is not known"):
            make_private(place.parent)
        assert place.is_absolute()
    assert not [*tmp_path.iterdir()]


def test_asking_for_a_place_makes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path / "new"))
    paths.runtime_file()
    paths.log_file()
    assert not (tmp_path / "new").exists()
