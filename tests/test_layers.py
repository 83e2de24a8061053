"""Which way the modules look: the rules of the design, read from the imports."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import h2o_magic

ROOT = Path(h2o_magic.__file__).parent

#: Pure modules: no I/O, and imported by all floors.
GROUND = {
    "amounts",
    "answers",
    "blocks",
    "captions",
    "catalogue",
    "context",
    "endpoint",
    "error_text",
    "errors",
    "events",
    "expecting",
    "fences",
    "fetching",
    "formats",
    "frames",
    "identity",
    "json_answer",
    "listing",
    "messages",
    "nearest",
    "pacing",
    "option_words",
    "parameter",
    "parameters",
    "places",
    "processes",
    "prompt",
    "prompt_fields",
    "prompt_values",
    "prose",
    "reasoning",
    "result",
    "safe_inline",
    "safe_markdown",
    "schemas",
    "setting",
    "setting_table",
    "settings",
    "shapes",
    "table_answer",
    "tables",
    "turns",
    "type_schemas",
    "uninterrupted",
    "values",
    "waiting_line",
    "welcome",
}
#: What people touch. Nothing on the floors below imports it.
TOP = {
    "arguments",
    "cells",
    "chat_panel",
    "cli",
    "completion",
    "current",
    "display",
    "ended",
    "extension",
    "failed_cell",
    "failures",
    "live",
    "magics",
    "names",
    "next_cell",
    "preview_view",
    "pull_view",
    "rendering",
    "subcommands",
    "terminal_ask",
    "traits",
}

NOT_ON_THE_GROUND = {"IPython", "ipywidgets", "requests", "sqlite3", "urllib3"}


def name_of(path: Path) -> str:
    """Return a module's dotted name without the package: ``server.engine``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(name: str) -> Iterator[str]:
    """Yield the full name of everything that a module imports, wherever in it."""
    package = ["h2o_magic", *name.split(".")]
    if MODULES[name].name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*up, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{start}.{alias.name}".removeprefix("h2o_magic.")
                yield f"h2o_magic.{inner}" if inner in MODULES else start


def foreign(name: str) -> set[str]:
    """Return the packages of others that a module imports."""
    return {full.partition(".")[0] for full in imports(name)} - {"h2o_magic"}


def own(name: str) -> set[str]:
    """Return the modules of this package that a module imports."""
    inside = (full.partition(".") for full in imports(name))
    return {rest for package, _, rest in inside if package == "h2o_magic"}


def floors(names: set[str]) -> set[str]:
    """Return the first parts of dotted names: a package stands on one floor."""
    return {name.partition(".")[0] for name in names}


def on_floor(floor: set[str]) -> list[str]:
    return [name for name in MODULES if name.partition(".")[0] in floor]


@pytest.mark.parametrize("name", on_floor(GROUND))
def test_the_ground_floor_touches_nothing_outside(name: str) -> None:
    assert foreign(name) & NOT_ON_THE_GROUND == set()


@pytest.mark.parametrize("name", on_floor(GROUND))
def test_the_ground_floor_imports_only_itself(name: str) -> None:
    assert floors(own(name)) <= GROUND


@pytest.mark.parametrize("name", MODULES)
def test_nothing_looks_up_to_the_top_floor(name: str) -> None:
    if name and name.partition(".")[0] not in TOP:
        assert {module for module in own(name) if module.split(".")[0] in TOP} == set()


@pytest.mark.parametrize("name", MODULES)
def test_only_the_top_floor_knows_ipython_and_widgets(name: str) -> None:
    # The package itself names the shell's type for the type checker.
    if name and name.partition(".")[0] not in TOP:
        assert foreign(name) & {"IPython", "ipywidgets", "anywidget"} == set()


@pytest.mark.parametrize("library", ["requests", "urllib3"])
def test_only_the_transport_knows_the_http_library(library: str) -> None:
    users = {name for name in MODULES if library in foreign(name)}
    assert {name.partition(".")[0] for name in users} == {"transport"}


def test_only_the_store_imports_sqlite3() -> None:
    users = floors({name for name in MODULES if "sqlite3" in foreign(name)})
    assert users == {"store"}


@pytest.mark.parametrize("name", on_floor({"server"}))
def test_the_server_imports_only_the_ground_floor_and_itself(name: str) -> None:
    assert floors(own(name)) - {"server"} <= GROUND


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_named_for_its_idea(name: str) -> None:
    words = set(name.replace("_", ".").split("."))
    assert words & {"util", "utils", "helper", "helpers", "misc", "common"} == set()


LOAD = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
before = set(sys.modules)
import h2o_magic
imported = set(sys.modules)
h2o_magic.load_ipython_extension(shell)
assert "h2o" in shell.magics_manager.magics["cell"]
print(json.dumps([sorted(imported - before), sorted(set(sys.modules) - before)]))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    """Return the modules that are new after the import, and after the extension."""
    folder = str(tmp_path_factory.mktemp("ipython"))
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        env={**os.environ, "IPYTHONDIR": folder},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    by_import, by_load = json.loads(done.stdout.splitlines()[-1])
    return by_import, by_load


HEAVY = (
    "requests",
    "urllib3",
    "ipywidgets",
    "anywidget",
    "h2o_magic.server",
    "xllamacpp",
)


def test_loading_the_extension_imports_nothing_heavy(
    loaded: tuple[list[str], list[str]],
) -> None:
    _, new = loaded
    heavy = [
        name for name in new if f"{name}.".startswith(tuple(f"{h}." for h in HEAVY))
    ]
    assert heavy == []


def test_importing_the_package_imports_nothing_else_of_it(
    loaded: tuple[list[str], list[str]],
) -> None:
    assert loaded[0] == ["h2o_magic"]


def test_loading_the_extension_imports_few_modules(
    loaded: tuple[list[str], list[str]],
) -> None:
    assert len(loaded[1]) <= 30, loaded[1]
