"""The settings as traits, in real shells, real processes and a real kernel."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, magics_class
from jupyter_client.manager import start_new_kernel
from traitlets import TraitError
from traitlets.config import Config

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Parameter
from h2o_magic.config.settings import Settings
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.options import parse_cell_line
from h2o_magic.ipython.traits import SettingsTraits
from tests.setting_values import accepted, each_setting, refused
from tests.shells import ipython


@magics_class
class H2OMagics(SettingsTraits, Magics):
    """Magics as the package has them, with nothing but their settings."""

    def __init__(self, shell: InteractiveShell, *, settings: Settings) -> None:
        super().__init__(shell, settings=settings)


class Shell:
    """A shell with its configuration, and the magics that are loaded into it."""

    def __init__(self, shell: InteractiveShell, caplog: pytest.LogCaptureFixture):
        self.shell = shell
        self._caplog = caplog

    def load(
        self, environ: dict[str, str] | None = None, **config: object
    ) -> H2OMagics:
        self.shell.config.H2OMagics.update(config)
        magics = H2OMagics(self.shell, settings=Settings(environ))
        self.shell.register_magics(magics)
        return magics

    def config(self, line: str) -> Any:
        return self.shell.run_line_magic("config", line)

    @property
    def errors(self) -> list[str]:
        """What IPython said of refused values; a user sees it as ``ERROR:root:...``."""
        records = self._caplog.records
        return [r.getMessage() for r in records if r.levelno >= logging.ERROR]


@pytest.fixture
def shell(caplog: pytest.LogCaptureFixture) -> Iterator[Shell]:
    with ipython() as shell:
        yield Shell(shell, caplog)


def state(settings: Settings, name: str) -> tuple[object, str]:
    return settings[name], settings.origin(name)


# %config lists


def test_config_lists_every_setting_with_its_help(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.load()
    shell.config("H2OMagics")
    said = re.sub(r"\s+", " ", capsys.readouterr().out)
    kinds = {str: "<Unicode>", bool: "<Bool>", int: "<Int>", float: "<Float>"}
    kinds |= {tuple: "<list-item-1>", dict: "<key-1>=<value-1>"}
    for setting in SETTINGS.values():
        kind = kinds[setting.kind]
        assert f"H2OMagics.{setting.name}={kind}" in said
        about = said.partition(f"H2OMagics.{setting.name}=")[2]
        about = about.partition(" H2OMagics.")[0]
        assert setting.help in about
        assert f"Environment: {setting.variable}" in about
        assert f"Default: {setting.default!r}." in about
        assert f"Current: {setting.default!r}" in about
        assert (f"Unit: {setting.unit}." in about) is bool(setting.unit)


def test_config_lists_nothing_else() -> None:
    assert set(H2OMagics.class_traits(config=True)) == set(SETTINGS)


def test_config_shows_the_values_in_force(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.load({"H2O_MAGIC_SEED": "7"}, model="falcon-7b")
    shell.config("H2OMagics")
    said = capsys.readouterr().out
    assert "Current: 7\n" in said
    assert "Current: 'falcon-7b'\n" in said


# The order


@each_setting
def test_option_before_config_before_environment_before_default(
    shell: Shell, setting: Parameter
) -> None:
    name, (environment, config, option) = setting.name, accepted(setting)
    magics = shell.load({setting.variable: setting.write(environment)})
    assert getattr(magics, name) == environment
    assert state(magics.settings, name) == (environment, setting.variable)
    shell.config(f"H2OMagics.{name} = {config!r}")
    assert getattr(magics, name) == config
    assert state(magics.settings, name) == (config, "%config")
    if setting.option:
        merged = magics.settings.merged({name: option})
        assert merged[name] == option
    magics.settings.unset(name)
    assert getattr(magics, name) == environment
    assert shell.errors == []


@each_setting
def test_the_configuration_file_comes_before_the_environment(
    shell: Shell, setting: Parameter
) -> None:
    name, (environment, file, config) = setting.name, accepted(setting)
    magics = shell.load({setting.variable: setting.write(environment)}, **{name: file})
    assert getattr(magics, name) == file
    assert state(magics.settings, name) == (file, "ipython_config.py")
    shell.config(f"H2OMagics.{name} = {config!r}")
    assert state(magics.settings, name) == (config, "%config")


@each_setting
def test_without_all_that_the_default_holds(shell: Shell, setting: Parameter) -> None:
    magics = shell.load()
    assert getattr(magics, setting.name) == setting.default
    assert state(magics.settings, setting.name) == (setting.default, "default")


def test_an_option_is_read_over_what_is_set(shell: Shell) -> None:
    magics = shell.load({"H2O_MAGIC_SEED": "1"})
    shell.config("H2OMagics.seed = 2")
    options = parse_cell_line("--seed 3 --model falcon-7b")
    merged = magics.settings.merged(options.settings)
    assert (merged["seed"], merged["model"]) == (3, "falcon-7b")


@each_setting
def test_the_value_that_holds_already_can_be_chosen(
    shell: Shell, setting: Parameter
) -> None:
    name = setting.name
    magics = shell.load({}, **{name: setting.default})
    assert state(magics.settings, name) == (setting.default, "ipython_config.py")
    shell.config(f"H2OMagics.{name} = {setting.default!r}")
    assert state(magics.settings, name) == (setting.default, "%config")


# Refusals


def as_option(shell: Shell, setting: Parameter) -> str:
    with pytest.raises(ConfigurationError) as caught:
        shell.load().settings.merged({setting.name: refused(setting)})
    return str(caught.value)


def as_config(shell: Shell, setting: Parameter) -> str:
    shell.load()
    shell.config(f"H2OMagics.{setting.name} = {refused(setting)!r}")
    (said,) = shell.errors
    return said


def as_variable(shell: Shell, setting: Parameter) -> str:
    text = setting.write(refused(setting))
    (said,) = shell.load({setting.variable: text}).settings.problems
    return said


def in_the_file(shell: Shell, setting: Parameter) -> str:
    with pytest.raises(TraitError) as caught:
        shell.load(**{setting.name: refused(setting)})
    return str(caught.value)


WAYS = {
    as_option: "`{name}`",
    as_config: "H2OMagics.{name}: `{name}` must",
    as_variable: "H2O_MAGIC_{NAME} is ignored: `{name}`",
    in_the_file: "H2OMagics.{name}: `{name}` must",
}


@each_setting
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_refused_value_is_refused_in_one_line_whichever_way_it_comes(
    shell: Shell, way: Callable[[Shell, Parameter], str], setting: Parameter
) -> None:
    said = way(shell, setting)
    start = WAYS[way].format(name=setting.name, NAME=setting.name.upper())
    if setting.name == "server":
        start = start.replace("` must", "`")
    if setting.if_invalid is not None:
        start = start.replace("ignored", f"taken for '{setting.if_invalid}'")
    if setting.option or way is not as_option:
        assert said.startswith(start)
    assert len(said.splitlines()) == 1


@each_setting
def test_a_value_that_config_refuses_changes_nothing(
    shell: Shell, setting: Parameter
) -> None:
    magics, told = shell.load(), []
    magics.settings.watch(told.append)
    shell.config(f"H2OMagics.{setting.name} = {refused(setting)!r}")
    assert getattr(magics, setting.name) == setting.default
    assert state(magics.settings, setting.name) == (setting.default, "default")
    assert told == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("strict = 1", "`strict` must be true or false, got 1"),
        ("top_k = True", "`top_k` must be a whole number above 0, got True"),
        ("top_k = 5.0", "`top_k` must be a whole number above 0, got 5.0"),
        ("top_p = True", "`top_p` must be > 0.0 and <= 1.0, got True"),
        ("top_p = '0.5'", "`top_p` must be > 0.0 and <= 1.0, got '0.5'"),
        ("system = None", "`system` must be text, got None"),
        ("temprature = 1", "unknown setting 'temprature': did you mean 'temperature'?"),
        (
            "truncate = 1000",
            (
                "`truncate` belongs to the gpt-gm protocol and is not a setting: "
                "`h2o_magic.create_completion(..., truncate=...)` accepts it"
            ),
        ),
    ],
)
def test_what_config_says_of_a_refused_value(
    shell: Shell, line: str, said: str
) -> None:
    shell.load()
    shell.config(f"H2OMagics.{line}")
    assert shell.errors == [f"H2OMagics.{line.split(maxsplit=1)[0]}: {said}"]


def test_a_value_that_config_refused_does_not_come_back_later(shell: Shell) -> None:
    shell.load()
    shell.config("H2OMagics.top_p = 5")
    shell.config("H2OMagics.temprature = 5")
    assert len(shell.errors) == 2
    assert shell.load().settings["top_p"] is None


def test_a_password_in_an_address_is_not_shown(shell: Shell) -> None:
    shell.load()
    shell.config("H2OMagics.server = 'https://user:geheim@host'")
    (said,) = shell.errors
    assert "geheim" not in said
    with pytest.raises(TraitError) as caught:
        shell.load(server="https://user:geheim@host")
    assert "geheim" not in str(caught.value)


def test_of_several_values_all_are_taken_or_none(shell: Shell) -> None:
    magics = shell.load()
    with pytest.raises(TraitError, match=r"^H2OMagics\.top_p: "):
        magics.update_config(Config({"H2OMagics": {"seed": 1, "top_p": 5}}))
    assert state(magics.settings, "seed") == (None, "default")
    magics.update_config(Config({"H2OMagics": {"seed": 1, "top_p": 0.5}}))
    assert (magics.settings["seed"], magics.settings["top_p"]) == (1, 0.5)


def test_magics_that_could_not_be_made_leave_nothing_in_the_shell(shell: Shell) -> None:
    before = list(shell.shell.configurables)
    with pytest.raises(TraitError):
        shell.load(seed=-1)
    assert shell.shell.configurables == before


def test_a_list_that_is_only_added_to_is_refused(shell: Shell) -> None:
    shell.shell.config.H2OMagics.stop.append("END")
    with pytest.raises(TraitError) as caught:
        shell.load()
    assert str(caught.value) == (
        "H2OMagics.stop: expected a value, got items to add to a list: "
        "use `c.H2OMagics.stop = [...]`"
    )


def test_a_value_that_the_file_only_reads_is_no_value(shell: Shell) -> None:
    _ = shell.shell.config.H2OMagics.model
    assert shell.load().settings["model"] == SETTINGS["model"].default


def test_an_unknown_name_in_the_file_is_told_with_the_nearest(shell: Shell) -> None:
    with pytest.warns(UserWarning, match="Did you mean `temperature`"):
        shell.load(temprature=1)


# Values of about the right kind


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("temperature = 1", 1.0),
        ("temperature = None", None),
        ("stop = 'END'", ("END",)),
        ("stop = ['a', 'b']", ("a", "b")),
        ("stop = []", ()),
        ("stop = None", None),
        ("do_sample = None", None),
        ("max_turns = 0", 0),
        ("max_turns = None", None),
        ("server = 'https://host/'", "https://host"),
    ],
)
def test_config_takes_what_the_setting_takes(
    shell: Shell, line: str, value: object
) -> None:
    name = line.split(maxsplit=1)[0]
    magics = shell.load({SETTINGS[name].variable: "0.5"})
    shell.config(f"H2OMagics.{line}")
    assert shell.errors == []
    assert state(magics.settings, name) == (value, "%config")
    assert getattr(magics, name) == shell.config(f"H2OMagics.{name}") == value
    assert type(getattr(magics, name)) is type(value)


# Settings and traits are one


@each_setting
def test_a_setting_that_is_changed_elsewhere_changes_its_trait(
    shell: Shell, setting: Parameter
) -> None:
    name, (first, second, _) = setting.name, accepted(setting)
    magics, seen = shell.load(), []
    magics.observe(lambda change: seen.append(change["new"]), name)
    magics.settings.set(name, first, "this notebook")
    magics.settings.set(name, second)
    assert seen == [first, second]
    assert getattr(magics, name) == second
    assert state(magics.settings, name) == (second, "Python")


def test_the_origin_of_a_change_elsewhere_stays(shell: Shell) -> None:
    magics = shell.load()
    magics.settings.set("thread", "side", "this notebook")
    assert (magics.thread, magics.settings.origin("thread")) == (
        "side",
        "this notebook",
    )
    magics.settings.unset("thread")
    assert not magics.settings.is_set("thread")


def test_one_change_is_told_once(shell: Shell) -> None:
    magics, settings, traits = shell.load(), [], []
    magics.settings.watch(settings.append)
    magics.observe(lambda change: traits.append(change["name"]))
    shell.config("H2OMagics.seed = 1")
    magics.settings.set("seed", 2)
    magics.seed = 3
    assert settings == traits == ["seed"] * 3
    assert magics.settings.origin("seed") == "%config"


def test_config_of_others_brings_no_old_value_back(shell: Shell) -> None:
    # traitlets loads a configuration with such a list again at each %config.
    shell.shell.config.InteractiveShellApp.exec_lines.append("pass")
    magics = shell.load(model="falcon-7b")
    magics.settings.set("model", "falcon-40b", "Python")
    shell.config("H2OMagics.seed = 1")
    shell.config("InteractiveShell.show_rewritten_input = False")
    assert state(magics.settings, "model") == ("falcon-40b", "Python")
    assert magics.settings["seed"] == 1


# Real processes

DEFINE = """
import os
from IPython import get_ipython
from IPython.core.magic import Magics, magics_class
from h2o_magic.config.settings import SETTINGS, Settings
from h2o_magic.ipython.traits import SettingsTraits

@magics_class
class H2OMagics(SettingsTraits, Magics):
    pass

magics = H2OMagics(get_ipython(), settings=Settings(os.environ))
get_ipython().register_magics(magics)
"""
TELL = """
import json
s = magics.settings
print(json.dumps({name: [s[name], s.origin(name)] for name in SETTINGS}))
"""


def environment(folder: Path, **variables: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("H2O_MAGIC_")}
    return {
        **kept,
        "IPYTHONDIR": str(folder),
        "H2O_MAGIC_HOME": str(folder),
        **variables,
    }


def test_file_command_line_and_environment_of_a_real_ipython(tmp_path: Path) -> None:
    profile = tmp_path / "profile_default"
    profile.mkdir()
    (profile / "ipython_config.py").write_text(
        "c.H2OMagics.model = 'falcon-7b'\nc.H2OMagics.top_k = 5\n", "utf-8"
    )
    given = ["--H2OMagics.temperature=0.9", "--H2OMagics.stop=END"]
    done = subprocess.run(
        [sys.executable, "-m", "IPython", *given, "-c", DEFINE + TELL],
        env=environment(tmp_path, H2O_MAGIC_MODEL="x", H2O_MAGIC_SEED="7"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["model"] == ["falcon-7b", "ipython_config.py"]
    assert told["top_k"] == [5, "ipython_config.py"]
    assert told["temperature"] == [0.9, "ipython_config.py"]
    assert told["stop"] == [["END"], "ipython_config.py"]
    assert told["seed"] == [7, "H2O_MAGIC_SEED"]
    assert told["system"] == ["", "default"]


def test_config_in_a_real_kernel(tmp_path: Path) -> None:
    manager, client = start_new_kernel(env=environment(tmp_path, H2O_MAGIC_SEED="7"))
    texts: dict[str, str] = {"stdout": "", "stderr": ""}

    def take(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            texts[message["content"]["name"]] += message["content"]["text"]

    def run(code: str) -> tuple[str, str]:
        texts.update(stdout="", stderr="")
        reply = client.execute_interactive(code, output_hook=take, timeout=60)
        assert reply["content"]["status"] == "ok"
        return texts["stdout"], texts["stderr"]

    try:
        assert run(DEFINE) == ("", "")
        listed, _ = run("%config H2OMagics")
        assert all(f"H2OMagics.{name}=" in listed for name in SETTINGS)
        assert run("%config H2OMagics.stop = 'END'") == ("", "")
        assert run("%config H2OMagics.temperature = None") == ("", "")
        _, refusal = run("%config H2OMagics.top_p = 5")
        assert refusal.splitlines() == [
            "ERROR:root:H2OMagics.top_p: `top_p` must be > 0.0 and <= 1.0, got 5"
        ]
        told = json.loads(run(TELL)[0])
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert told["stop"] == [["END"], "%config"]
    assert told["temperature"] == [None, "%config"]
    assert told["seed"] == [7, "H2O_MAGIC_SEED"]
    assert told["top_p"] == [None, "default"]


LIGHT = dedent(
    """
    import sys
    from IPython.core.interactiveshell import InteractiveShell
    before = set(sys.modules)
    import h2o_magic.ipython.traits
    new = {name.partition(".")[0] for name in set(sys.modules) - before}
    print(sorted(new - set(sys.stdlib_module_names)))
    """
)


def test_the_settings_bring_no_other_package_along(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['h2o_magic']"
