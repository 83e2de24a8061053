"""Which way the modules look: the rules of the design, read from the imports."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h2o_magic

ROOT = Path(h2o_magic.__file__).parent

#: Where a package of others may be imported: a room, or a part of one.
USERS = {
    **dict.fromkeys(
        ("IPython", "ipywidgets", "anywidget"), ("", "ipython", "chat_panel", "cli")
    ),
    **dict.fromkeys(("requests", "urllib3"), ("backends.http",)),
    "sqlite3": ("conversation.store",),
    "aiohttp": ("server",),
    "psutil": ("server",),
    "xllamacpp": ("server",),
}


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


#: All that each module imports, lazily or for types only included.
IMPORTS = {name: set(imports(name)) for name in MODULES}
#: Of that, the modules of this package.
OWN = {
    name: {
        full.removeprefix("h2o_magic.")
        for full in all_
        if full.startswith("h2o_magic.")
    }
    for name, all_ in IMPORTS.items()
}


def test_a_room_imports_only_from_those_below_it() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_packages_of_others_are_imported_where_they_belong_only() -> None:
    breaches = [
        f"{name} imports {full}"
        for name, all_ in IMPORTS.items()
        for full in all_
        for rooms in [USERS.get(full.partition(".")[0])]
        if rooms
        and not f"{name}.".startswith(tuple(f"{r}." if r else "." for r in rooms))
        and name not in rooms
    ]
    assert breaches == []


def reached(name: str) -> set[str]:
    """Return all that a module imports, directly or through others."""
    found: set[str] = set()
    new = {name}
    while new:
        new = {other for one in new for other in OWN.get(one, ())} - found
        found |= new
    return found


def test_no_module_is_in_a_circle_of_imports() -> None:
    assert [name for name in MODULES if name in reached(name)] == []


def test_a_module_is_named_for_its_idea() -> None:
    vague = {"util", "utils", "helper", "helpers", "misc", "common"}
    named = {name: set(name.replace("_", ".").split(".")) for name in MODULES}
    assert [name for name, words in named.items() if words & vague] == []


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


HEAVY = (
    "requests",
    "urllib3",
    "ipywidgets",
    "anywidget",
    "h2o_magic.server",
    "xllamacpp",
)


def test_loading_the_extension_imports_nothing_heavy_and_few_modules(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    by_import, by_load = json.loads(done.stdout.splitlines()[-1])
    assert by_import == ["h2o_magic"]
    heavy = tuple(f"{name}." for name in HEAVY)
    assert [name for name in by_load if f"{name}.".startswith(heavy)] == []
    assert len(by_load) <= 60, by_load
