"""Keys: where they come from, and that nobody sees them."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import keyring
import keyring.backend
import pytest
from keyring.credentials import SimpleCredential
from keyring.errors import KeyringError, NoKeyringError

from h2o_magic.backends.servers.credentials import NO_KEY, Credentials, KeySource
from h2o_magic.errors import ConfigurationError, MissingExtraError

URL = "https://gpu.example.org"
KEY = "geheim-0123456789abcdef"


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.error: Exception | None = None

    def get_password(self, service: str, username: str) -> str | None:
        if self.error:
            raise self.error
        return self.kept.get((service, username))

    def get_credential(self, service: str, _: str | None) -> Any:
        found = [(u, p) for (s, u), p in self.kept.items() if s == service]
        return SimpleCredential(*found[0]) if found else None

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def ring() -> Iterator[Ring]:
    before, mine = keyring.get_keyring(), Ring()
    keyring.set_keyring(mine)
    yield mine
    keyring.set_keyring(before)


def refused(keys: Credentials, source: KeySource) -> str:
    with pytest.raises(ConfigurationError) as caught:
        keys.read(source, URL)
    said = str(caught.value)
    assert "\n" not in said
    assert caught.value.__cause__ is None
    return said


def test_no_key_is_none() -> None:
    assert Credentials({}).read(NO_KEY, URL) is None


def test_a_variable_is_read_each_time() -> None:
    environ = {"LAB_KEY": KEY}
    keys, source = Credentials(environ), KeySource("env", "LAB_KEY")
    assert keys.read(source, URL) == KEY
    environ["LAB_KEY"] = f" {KEY}2\n"
    assert keys.read(source, URL) == f"{KEY}2"
    for environ["LAB_KEY"] in ("", "  "):
        said = "the environment variable LAB_KEY is not set"
        assert said in refused(keys, source)
    del environ["LAB_KEY"]
    assert f"the key for {URL} is missing" in refused(keys, source)


def test_the_processs_own_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("H2O_TEST_KEY", KEY)
    assert Credentials().read(KeySource("env", "H2O_TEST_KEY"), URL) == KEY


@pytest.mark.parametrize("bad", [f"{KEY}\r\nX-Evil: 1", f"{KEY} b", f"{KEY}é", "a\0b"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_unseen(bad: str) -> None:
    said = refused(Credentials({"K": bad}), KeySource("env", "K"))
    assert "must be visible ASCII" in said
    assert "geheim" not in said


@pytest.mark.parametrize("user", ["h2o-magic", "me"])
def test_the_keyring_is_asked_by_service(ring: Ring, user: str) -> None:
    source = KeySource("keyring", "lab")
    assert "the keyring has no entry 'lab'" in refused(Credentials({}), source)
    ring.kept["lab", user] = KEY
    assert Credentials({}).read(source, URL) == KEY


def test_the_name_h2o_magic_comes_first_in_the_keyring(ring: Ring) -> None:
    ring.kept["lab", "me"] = "other"
    ring.kept["lab", "h2o-magic"] = KEY
    assert Credentials({}).read(KeySource("keyring", "lab"), URL) == KEY


@pytest.mark.parametrize(
    "error", [NoKeyringError(KEY), KeyringError(KEY), OSError(KEY)]
)
def test_a_keyring_that_fails_is_one_line(ring: Ring, error: Exception) -> None:
    ring.error = error
    said = refused(Credentials({}), KeySource("keyring", "lab"))
    assert "keyring failed" in said
    assert "geheim" not in said


def test_without_the_package_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "keyring":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"run `pip install .*keyring"):
        Credentials({}).read(KeySource("keyring", "lab"), URL)


def test_a_key_that_was_asked_for_is_held_for_its_server_only() -> None:
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return f" {KEY}\n"

    keys, source = Credentials({}, ask=ask), KeySource("prompt")
    assert "it was not typed into this kernel" in refused(keys, source)
    assert not keys.has_typed(URL)
    keys.prompt(URL)
    assert prompts == [f"Key for {URL}: "]
    assert keys.has_typed(URL)
    assert keys.read(source, URL) == KEY
    for other in ("https://evil.example.org", f"{URL}:8443", "http://gpu.example.org"):
        with pytest.raises(ConfigurationError, match="is missing"):
            keys.read(source, other)
    keys.forget(URL)
    assert not keys.has_typed(URL)


@pytest.mark.parametrize("error", [EOFError, NotImplementedError, OSError])
def test_where_nobody_can_be_asked_another_way_is_named(
    error: type[Exception],
) -> None:
    def ask(_: str) -> str:
        raise error

    with pytest.raises(ConfigurationError, match="--key-env"):
        Credentials({}, ask=ask).prompt(URL)


def test_an_empty_answer_is_no_key() -> None:
    keys = Credentials({}, ask=lambda _: "")
    with pytest.raises(ConfigurationError, match="must be visible ASCII"):
        keys.prompt(URL)
    assert not keys.has_typed(URL)


def test_no_repr_shows_a_key() -> None:
    keys = Credentials({"K": KEY}, ask=lambda _: KEY)
    keys.prompt(URL)
    assert KEY not in repr(keys)
    assert KEY not in str(keys)


# Sources


def test_a_source_in_words() -> None:
    assert str(NO_KEY) == "no key"
    assert str(KeySource("env", "LAB_KEY")) == "LAB_KEY in the environment"
    assert str(KeySource("keyring", "lab")) == "lab in the keyring"
    assert str(KeySource("prompt")) == "typed in, kept in memory"


@pytest.mark.parametrize(
    "key",
    [
        "sk-0123456789abcdefghijABCDEFGHIJ",
        "hf_abcdefghijklmnopqrstuvwxyz0123456789",
        "a8f3c2d1e4b5a8f3c2d1e4b5",
        "geheim with blanks",
        "geheim\nx",
        "1geheim",
    ],
)
def test_a_key_given_in_the_place_of_a_variables_name_is_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="NAME of an environment") as caught:
        KeySource("env", key)
    assert key not in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("name", ["LAB_KEY", "key2", "_k", "OPENAI_API_KEY_2026_TEAM"])
def test_what_is_a_variables_name(name: str) -> None:
    assert KeySource("env", name).name == name


def test_one_source_at_most() -> None:
    assert KeySource.from_options() is None
    assert KeySource.from_options(key_env="K") == KeySource("env", "K")
    assert KeySource.from_options(key_ring="lab") == KeySource("keyring", "lab")
    assert KeySource.from_options(key_prompt=True) == KeySource("prompt")
    with pytest.raises(ConfigurationError, match="expected one source"):
        KeySource.from_options(key_env="K", key_prompt=True)


@pytest.mark.parametrize(
    ("kind", "name"), [("text", "a"), ("none", "a"), ("prompt", "a")]
)
def test_what_is_no_source(kind: Any, name: str) -> None:
    with pytest.raises(ConfigurationError):
        KeySource(kind, name)
