"""The modules of the chat view, joined without a build step."""

from __future__ import annotations

import re
from pathlib import Path

from h2o_magic import chat_panel
from h2o_magic.chat_panel.widget import joined_modules, joined_styles

PACKAGE = Path(chat_panel.__file__).parent
FOLDER = PACKAGE / "js"
MODULES = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.js")}


def test_all_modules_are_joined_each_once_and_after_those_that_it_imports() -> None:
    joined = joined_modules()
    places = {}
    for name, text in MODULES.items():
        body = re.sub(r"^import [^;]*;\n|^export (?!default)", "", text, flags=re.M)
        assert joined.count(body) == 1, name
        places[name] = joined.index(body)
    for name, text in MODULES.items():
        for imported in re.findall(r'^import .* from "\./(\w+)\.js";', text, re.M):
            assert places[imported] < places[name], f"{name} imports {imported}"


def test_all_styles_are_joined_those_of_the_frame_first() -> None:
    joined = joined_styles()
    assert joined.startswith((PACKAGE / "css" / "frame.css").read_text("utf-8"))
    for path in PACKAGE.glob("css/*.css"):
        assert path.read_text("utf-8") in joined


def test_an_import_names_what_the_other_module_exports() -> None:
    for name, text in MODULES.items():
        for names, other in re.findall(
            r'^import \{ (.*) \} from "\./(\w+)\.js";', text, re.M
        ):
            exported = MODULES[other]
            for each in names.split(", "):
                pattern = rf"^export (async )?(function|class|const) {each}\b"
                assert re.search(pattern, exported, re.M), f"{name}: {each}"
                assert len(re.findall(rf"\b{each}\b", text)) > 1, f"{name}: {each}"


def test_no_name_of_the_joined_module_is_declared_twice() -> None:
    joined = joined_modules()
    pattern = r"^(?:async )?(?:function|class|const) (\w+)"
    declared = re.findall(pattern, joined, re.M)
    assert len(declared) == len(set(declared)) > len(MODULES)
    assert not re.search(r"^(import|export (?!default))", joined, re.M)
