"""The modules of the chat view, joined without a build step."""

from __future__ import annotations

import re
from pathlib import Path

from h2o_magic import chat_panel
from h2o_magic.chat_panel.widget import _MODULES, joined_modules

FOLDER = Path(chat_panel.__file__).parent / "js"


def test_all_modules_are_joined_each_after_those_that_it_imports() -> None:
    assert {path.stem for path in FOLDER.glob("*.js")} == set(_MODULES)
    for place, name in enumerate(_MODULES):
        text = (FOLDER / f"{name}.js").read_text("utf-8")
        for imported in re.findall(r'^import .* from "\./(\w+)\.js";', text, re.M):
            assert imported in _MODULES[:place], f"{name} imports {imported}"


def test_an_import_names_what_the_other_module_exports() -> None:
    for name in _MODULES:
        text = (FOLDER / f"{name}.js").read_text("utf-8")
        for names, other in re.findall(
            r'^import \{ (.*) \} from "\./(\w+)\.js";', text, re.M
        ):
            exported = (FOLDER / f"{other}.js").read_text("utf-8")
            for each in names.split(", "):
                pattern = rf"^export (async )?(function|class|const) {each}\b"
                assert re.search(pattern, exported, re.M), f"{name}: {each}"
                assert len(re.findall(rf"\b{each}\b", text)) > 1, f"{name}: {each}"


def test_no_name_of_the_joined_module_is_declared_twice() -> None:
    joined = joined_modules()
    pattern = r"^(?:async )?(?:function|class|const) (\w+)"
    declared = re.findall(pattern, joined, re.M)
    assert len(declared) == len(set(declared)) > len(_MODULES)
    assert not re.search(r"^(import|export (?!default))", joined, re.M)
