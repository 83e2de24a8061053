"""A notebook has one chat panel, which every cell can show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.error import UsageError

import h2o_magic
from h2o_magic.errors import ConfigurationError
from tests.shells import ipython

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def shell() -> Iterator[Any]:
    """A shell that takes itself for a notebook's, with what it displays."""
    with ipython() as shell:
        shell.kernel = object()
        shell.display_pub = CapturingDisplayPublisher(parent=shell)
        shell.run_line_magic("load_ext", "h2o_magic")
        yield shell


def shown(shell: Any) -> list[tuple[str, str]]:
    """The widget and the place of each panel that was shown."""
    return [
        (output["data"][VIEW]["model_id"], output["metadata"]["h2o_magic"]["panel"])
        for output in shell.display_pub.outputs
        if VIEW in output["data"]
    ]


def test_all_cells_show_the_same_panel_each_where_it_says(shell: Any) -> None:
    for options in ("", "--right", "--tab"):
        shell.run_line_magic("h2o", f"panel {options}")
    h2o_magic.panel("right").show()
    assert h2o_magic.panel() is h2o_magic.panel()
    widgets, places = zip(*shown(shell), strict=True)
    assert len(set(widgets)) == 1
    assert places == ("cell", "right", "tab", "right")


def test_a_closed_panel_is_followed_by_a_new_one(shell: Any) -> None:
    first = h2o_magic.panel()
    first.close()
    second = h2o_magic.panel()
    assert second is not first
    shell.run_line_magic("reload_ext", "h2o_magic")
    assert h2o_magic.panel() is not second  # its session was closed


def test_panels_that_are_gone_leave_nothing_in_the_shell(shell: Any) -> None:
    def listeners() -> int:
        return len(shell.events.callbacks["post_run_cell"])

    before = listeners()
    h2o_magic.panel().close()
    h2o_magic.panel()._box.close()  # by its page, or by ipywidgets
    h2o_magic.panel()
    assert listeners() == before + 1
    shell.run_line_magic("unload_ext", "h2o_magic")
    assert listeners() < before + 1


def test_an_unknown_place_is_refused(shell: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"'cell', 'right' or 'tab'.*'left'"):
        h2o_magic.panel("left")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--right and --tab cannot be combined"):
        shell.run_line_magic("h2o", "panel --right --tab")
