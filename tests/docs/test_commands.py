"""Every command in the documentation is run, so that none is wrong for long.

The README and the pages under ``docs`` are read as Markdown. All that a reader could
type is taken out of them and run on a machine of the tests' own (`machine`). Its
servers are stand-ins, whatever their address, and so are the hub and pip's index. Its
local server is the real one, with the demo weights.

*Fenced blocks* of a page are run in order, as one notebook in one IPython shell: those
without a language are cells, those of Python are code. One with the name of a file
behind its language is that file, which is there from the start; the commands of a
workflow are run as those of ``sh`` are. In those of ``sh``,
``h2o-magic`` is run by its own `main`, but ``serve`` stops once its options are read
and checked. Of other programs only what is ours is looked at: the extras that pip
installs, the notebooks that Jupyter opens. A package in the current folder is really
installed, until the notebook ends.

*Code in backticks* is run alone, in a shell of its own that has four turns, a DataFrame
`df` and what else the command takes for granted (`machine.BEFORE`). Its beginning says
what it is (`KINDS`): ``%%h2o`` cells, which get a question, ``%h2o`` and ``%config``
lines, ``h2o-magic`` commands, options (run with the first command that takes them),
variables of the environment, lines of ``ipython_config.py``, names of the Python
interface, commands of the panel. A command or an option that is only named, without
what must follow it, has to be there. Other code is not run: words, values, files.

A command that does not exist, or an option that is refused, is an error here as it is
for the reader. The other way round, each subcommand, each option and each setting must
be in the documentation.
"""

from __future__ import annotations

import pydoc
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

import h2o_magic
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.settings import Settings
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.commands import SUBCOMMANDS, find
from h2o_magic.ipython.commands.usage import parse, parse_usage
from h2o_magic.ipython.magics import H2OMagics
from h2o_magic.ipython.map_options import map_actions, parse_map_line
from h2o_magic.ipython.options import help_rows, parse_cell_line
from h2o_magic.rendering.answer_text import AnswerText
from tests.docs.machine import Machine, machine
from tests.docs.pages import Fence, Page, pages

# That the demo weights answer is no news here.
pytestmark = pytest.mark.filterwarnings("ignore::h2o_magic.errors.DemoWeightsWarning")

#: What stands for the words of a subcommand's usage.
_WORDS = {"N": "3", "NEW": "ideas", "FILE": "new.json"}

#: The options of a table's cell.
_OF_TABLES = [action.option_strings for action in map_actions()]
#: Every option of a question, a table's cell or a subcommand.
_OPTIONS = {
    name
    for text in (
        *(row[0] for row in help_rows()),
        *(" ".join(names) for names in _OF_TABLES),
        *(command.usage for command in SUBCOMMANDS.values()),
    )
    for name in re.findall(r"--[a-z-]+", text)
}


@pytest.fixture(scope="module", name="here")
def _here() -> Iterator[Machine]:
    with machine() as here:
        yield here


# Fenced blocks


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_the_blocks_of_a_page_run_in_order(page: Page, here: Machine) -> None:
    with here.notebook() as notebook:
        notebook.prepare("")
        page.write_files(Path())
        for fence in page.fences():
            if fence.language in ("sh", "yaml"):
                for line in _lines(fence):
                    here.run(line)
            elif fence.file:
                continue
            else:
                assert _is_cell(fence), f"{page.name}:{fence.line}: what is it?"
                notebook.run(fence.text)


def _lines(fence: Fence) -> list[str]:
    """Return the lines of a terminal: all, or those that a workflow runs."""
    if fence.language == "sh":
        return fence.text.splitlines()
    return re.findall(r"^ *(?:- )?run: (.+)$", fence.text, re.MULTILINE)


def _is_cell(fence: Fence) -> bool:
    magic = re.match(r"(\w+ = )?%", fence.text)
    return fence.language == ("" if magic else "python")


# Code in backticks


def _as_cell(here: Machine, code: str) -> None:
    if _names_only(code):
        return
    if code.startswith("%%h2o map "):
        code += "\nHow much does it rain in {city}?"
    elif code.startswith("%%h2o"):
        code += "\nHow do I set a seed?"
    with here.notebook() as notebook:
        notebook.prepare(code)
        notebook.run(code)


def _names_only(line: str) -> bool:
    """Return whether a line is the name of a command that needs more than its name."""
    if line == "%%h2o map":
        return True
    word, _, name = line.partition(" ")
    command = find(name) if word == "%h2o" and name else None
    return command is not None and bool(parse_usage(name, command.usage).required)


def _on_the_command_line(here: Machine, code: str) -> None:
    here.clean()
    program, *words = code.split(maxsplit=2)
    named = program.endswith("h2o-magic") and len(words) == 1 and words[0][0] != "-"
    here.run(f"{code} --help" if named else code)


def _as_option(here: Machine, code: str) -> None:
    """Run an option with the first command that takes it."""
    for line, takes in _commands_with(code):
        with suppress(ConfigurationError):
            takes()
            _as_cell(here, line)
            return
    words = code.split(maxsplit=1)
    if words[0] in _OPTIONS and len(words) == 1:
        return  # it is only named
    _on_the_command_line(here, f"h2o-magic serve {code}")


def _commands_with(option: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield cells that an option could stand in, and what raises if it does not."""
    yield f"%%h2o {option}", partial(parse_cell_line, option)
    yield f"%%h2o map df {option}", partial(parse_map_line, f"df {option}")
    for name, command in SUBCOMMANDS.items():
        if not command.free:
            rest = " ".join([*_words(name, command.usage), option])
            yield f"%h2o {name} {rest}", partial(parse, name, command.usage, rest)


def _words(name: str, usage: str) -> list[str]:
    """Return what a subcommand is given beside an option."""
    if name == "connect":  # alone it lists the servers, and takes no option
        return ["http://gpu:8000"]
    return [_WORDS[word] for word in parse_usage(name, usage).required]


def _as_variable(_: Machine, code: str) -> None:
    name, _, value = code.partition("=")
    environment = Settings({name: value or "1"})
    wrong = environment.problems if value else ()
    assert not [*wrong, *environment.unknown]


def _in_the_configuration(here: Machine, code: str) -> None:
    """Run a line of ``ipython_config.py``."""
    config = Config()
    exec(code, {"c": config})
    for name in config.get("H2OMagics", ()):
        assert H2OMagics.class_traits()[name].metadata.get("config")


def _in_python(_: Machine, code: str) -> None:
    """Look whether the name before the first bracket, if any, is there."""
    owners = {"session": Session, "answer": AnswerText}
    code = code.replace("h2o_magic.session().", "session.")
    owner, _, name = re.split(r"[ (]", code)[0].partition(".")
    if owner == h2o_magic.__name__:
        assert pydoc.locate(f"{owner}.{name}") is not None, code
    else:
        assert hasattr(owners[owner], name), code


def _in_the_panel(_: Machine, code: str) -> None:
    assert find(code[1:].split(maxsplit=1)[0]) is not None, code


_COMMAND = r"/\w+( \w+)?$"  # elsewhere than in the panel it is a path

#: How code in backticks is run, by what it begins with.
KINDS: Mapping[str, Callable[[Machine, str], None]] = {
    r"%%h2o|%h2o|%config|%load_ext": _as_cell,
    r"(\S*/)?(h2o-magic|pip|jupyter) ": _on_the_command_line,
    r"--\w": _as_option,
    r"H2O_MAGIC_": _as_variable,
    r"c\.": _in_the_configuration,
    r"(session|answer|h2o_magic)\.": _in_python,
    _COMMAND: _in_the_panel,
}


def _codes() -> list[Any]:
    """Return what is to be run, each once, with the pattern of its kind."""
    found = {}
    for page in pages():
        kinds = [k for k in KINDS if k != _COMMAND or page.name == "docs/panel.md"]
        for code in page.codes():
            for kind in kinds:
                if re.match(kind, code):
                    found[code] = kind
    return [pytest.param(code, kind, id=code) for code, kind in found.items()]


@pytest.mark.parametrize(("code", "kind"), _codes())
def test_code_in_backticks_works(code: str, kind: str, here: Machine) -> None:
    KINDS[kind](here, code)


# What there is, is documented

_TEXT = "\n".join(page.text for page in pages())


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_is_documented(name: str) -> None:
    assert re.search(rf"%h2o {name}\b", _TEXT)


def test_every_option_of_a_question_is_documented() -> None:
    rows = [re.findall(r"--[a-z-]+", row[0]) for row in help_rows()]
    known = [names for names in rows if not any(f"{n}" in _TEXT for n in names)]
    assert known == []


def test_every_option_of_a_table_is_documented() -> None:
    missing = [names for names in _OF_TABLES if not any(f"{n}" in _TEXT for n in names)]
    assert missing == []


def test_every_option_of_a_subcommand_is_documented() -> None:
    missing = [
        f"%h2o {name} {option}"
        for name, command in SUBCOMMANDS.items()
        for option in parse_usage(name, command.usage).options
        if option not in _TEXT
    ]
    assert missing == []


def test_every_setting_without_an_option_is_documented() -> None:
    alone = [name for name, setting in SETTINGS.items() if not setting.option]
    assert [n for n in alone if f"H2OMagics.{n}" not in _TEXT] == []
