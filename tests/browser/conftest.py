"""A real JupyterLab in a headless Chromium."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import (
    Browser,
    Locator,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.local import ended_at_exit

TIMEOUT = 60
VIEWPORT: ViewportSize = {"width": 1200, "height": 1000}
LABEXTENSION = Path(__file__).parents[2] / "h2o_magic" / "labextension"
SCREENSHOTS = Path(__file__).parents[1] / "screenshots"

#: Whether the open notebook's kernel answers. JupyterLab drops what is run before, or
#: takes it and forgets it.
CONNECTED = """async () => {
  const context = window.jupyterapp?.shell.currentWidget?.context;
  const session = context?.sessionContext;
  if (!session?.session?.kernel) return false;
  await Promise.all([context.ready, session.ready, session.session.kernel.info]);
  const kernel = session.session?.kernel;
  return kernel?.connectionStatus === "connected" && kernel.status === "idle";
}"""

#: Closes all that is open in JupyterLab, unsaved as it may be, with its kernels.
CLOSE_ALL = """async () => {
  for (const widget of [...jupyterapp.shell.widgets('main')]) {
    await widget.context?.sessionContext?.shutdown();
    widget.dispose();
  }
  // A notebook of the same name must not be given the kernel that has ended.
  await jupyterapp.serviceManager.sessions.refreshRunning();
}"""

OPEN = "path => jupyterapp.commands.execute('docmanager:open', {path}).then(() => {})"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try a test in the browser once more that failed: the summary names it."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


#: The prompt of a cell that has run.
ENDED = re.compile(r"\[\d+\]:")
#: That, or of one that has not run, and does not.
ENDED_OR_LOST = re.compile(r"\[(\d+| )\]:")

expect.set_options(timeout=TIMEOUT * 1000)


def expect_soon(page: Page, look: Callable[[], object], expected: object) -> None:
    """Look again until it is so, as what `expect` of a locator does."""
    deadline = time.monotonic() + TIMEOUT
    while (found := look()) != expected and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert found == expected


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium, ended with this folder's tests.

    Playwright's event loop would be in the way of later tests that run one.
    """
    with chromium() as browser:
        yield browser


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium; skip the test where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("H2O_MAGIC_REQUIRE_BROWSER"):
            pytest.fail("no chromium on the PATH, and H2O_MAGIC_REQUIRE_BROWSER is set")
        pytest.skip("no chromium on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@dataclass
class Lab:
    """A running JupyterLab, the folder that it serves, and H2O_MAGIC_HOME there."""

    url: str
    token: str
    folder: Path
    home: Path


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory, hub: Path) -> Iterator[Lab]:
    """A JupyterLab whose kernels' local server sees the real model, if it is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_CACHE", str(hub))
        with running_lab(tmp_path_factory.mktemp("lab")) as lab:
            yield lab


@contextlib.contextmanager
def running_lab(home: Path) -> Iterator[Lab]:
    """Run a JupyterLab whose files are all in `home`."""
    folder = home / "notebooks"
    folder.mkdir()
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    settings = home / "settings" / "@jupyterlab" / "docmanager-extension"
    settings.mkdir()
    # Notebooks are saved when a test does so, and never beside.
    manual = json.dumps({"autosave": False})
    (settings / "plugin.jupyterlab-settings").write_text(manual)
    # JupyterLab loads this checkout's extension, whatever is installed.
    shutil.copytree(LABEXTENSION, home / "jupyter" / "labextensions" / "h2o-magic")
    token = secrets.token_hex(16)
    environment = os.environ | {
        "H2O_MAGIC_HOME": str(home / "h2o"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_PATH": str(home / "jupyter"),
        "JUPYTER_TOKEN": token,
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
    }
    options = [
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--port=0",
        "--LabApp.expose_app_in_browser=True",
        f"--ServerApp.root_dir={folder}",
    ]
    log = (home / "lab.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        with ended_at_exit(home / "h2o"):
            url = _wait_for_url(home / "runtime", process)
            yield Lab(url, token, folder, home / "h2o")
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT / 2)
        except subprocess.TimeoutExpired:
            # Its kernels have ended, but a thread of its own (anyio's) may not end
            # where a page goes just then.
            process.kill()
            process.wait(TIMEOUT)
        log.close()


def _wait_for_url(runtime: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        for path in runtime.glob("jpserver-*.json"):
            try:
                return str(json.loads(path.read_text())["url"])
            except (ValueError, KeyError):
                pass  # half written
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start: {process.poll()}")


class LabNotebook:
    """A notebook that is open in the page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def cell(self, index: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        return self.cell(index).locator(".jp-Cell-outputArea")

    def run(self, index: int) -> None:
        """Run a cell with the run button; returns when it has begun.

        JupyterLab drops a run that comes before the kernel is connected, so the button
        is pressed again until the cell's prompt shows that it was taken.
        """
        button = self.page.locator(
            "[data-command='notebook:run-cell-and-select-next'] >> nth=0"
        )
        prompt = self.cell(index).locator(".jp-InputArea-prompt")
        deadline = time.monotonic() + TIMEOUT
        while (prompt.text_content() or "").strip() == "[ ]:":
            assert time.monotonic() < deadline, "JupyterLab did not run the cell"
            self.cell(index).locator(".jp-InputArea-editor").click()
            expect(self.cell(index)).to_contain_class("jp-mod-active")
            button.click()
            with contextlib.suppress(AssertionError):
                expect(prompt).not_to_have_text("[ ]:", timeout=2000)

    def run_to_end(self, index: int) -> None:
        """Run a cell for the first time, and wait for its end.

        JupyterLab forgets a run that it had taken when its kernel is connected anew.
        """
        prompt = self.cell(index).locator(".jp-InputArea-prompt")
        for _ in range(3):
            self.run(index)
            expect(prompt).to_have_text(ENDED_OR_LOST, timeout=5 * TIMEOUT * 1000)
            if ENDED.search(text := prompt.text_content() or ""):
                return
        raise AssertionError(f"JupyterLab did not run the cell to its end: {text!r}")

    def run_again(self, index: int) -> None:
        """Run a cell that has run before, and wait for its end."""
        prompt = self.cell(index).locator(".jp-InputArea-prompt")
        before = prompt.text_content() or ""
        deadline = time.monotonic() + TIMEOUT
        while prompt.text_content() == before:
            assert time.monotonic() < deadline, "JupyterLab did not run the cell"
            prompt.click()
            expect(self.cell(index)).to_contain_class("jp-mod-active")
            self.page.locator(
                "[data-command='notebook:run-cell-and-select-next'] >> nth=0"
            ).click()
            with contextlib.suppress(AssertionError):
                expect(prompt).not_to_have_text(before, timeout=2000)
        self.wait_idle(index)

    def run_all(self, cells: list[int]) -> None:
        """Run all cells from the menu, and wait until each of `cells` has ended.

        JupyterLab drops a run that comes before the kernel is connected, and forgets
        what it had taken when the kernel is connected anew: the menu is used again, a
        few times at most, when cells wait and none runs.
        """
        prompts = [self.cell(cell).locator(".jp-InputArea-prompt") for cell in cells]
        for _ in range(5):
            self.page.get_by_role("menuitem", name="Run", exact=True).click()
            self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
            idle_for = 0
            while idle_for < 5:
                texts = [(prompt.text_content() or "").strip() for prompt in prompts]
                if all(ENDED.fullmatch(text) for text in texts):
                    return
                idle_for = 0 if "[*]:" in texts else idle_for + 1
                self.page.wait_for_timeout(1000)
        raise AssertionError(f"JupyterLab did not run all cells: {texts}")

    def wait_idle(self, index: int) -> None:
        prompt = self.cell(index).locator(".jp-InputArea-prompt")
        expect(prompt).not_to_have_text("[ ]:")
        expect(prompt).not_to_have_text("[*]:")

    @property
    def tab(self) -> Locator:
        """The notebook's tab, which tells whether all of it is saved."""
        return self.page.locator(
            ".lm-DockPanel-tabBar .lm-TabBar-tab", has_text=".ipynb"
        )

    def save(self) -> None:
        """Save it, checkpoint and all: JupyterLab ignores who saves meanwhile."""
        self.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        expect(self.tab).not_to_contain_class("jp-mod-dirty")

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture(scope="package")
def shared_page(browser: Browser) -> Iterator[Page]:
    """A page for the tests of this folder: loading JupyterLab is most of a test."""
    context = browser.new_context(viewport=VIEWPORT)
    context.set_default_timeout(TIMEOUT * 1000)
    page = context.new_page()
    # On a busy machine JupyterLab may ask something of its own, such as about a server
    # that did not answer in time.
    accept = page.locator(".jp-Dialog .jp-mod-accept").first
    page.add_locator_handler(accept, lambda button: button.click(), no_wait_after=True)
    yield page
    context.close()


@pytest.fixture
def page(shared_page: Page) -> Iterator[Page]:
    """The shared page, in which a notebook of an earlier test may be open."""
    yield shared_page
    shared_page.unroute_all()
    shared_page.set_viewport_size(VIEWPORT)


@pytest.fixture
def open_notebook(lab: Lab, page: Page) -> Opener:
    return Opener(lab, page)


@dataclass
class Opener:
    """Opens notebooks in a page, each alone."""

    lab: Lab
    page: Page

    def __call__(self, name: str, notebook: nbformat.NotebookNode) -> LabNotebook:
        nbformat.write(notebook, self.lab.folder / name)
        if self.page.evaluate("() => 'jupyterapp' in window"):
            self.page.evaluate(CLOSE_ALL)
            self.page.evaluate(OPEN, name)
        else:
            return self.load(name)
        return self._opened()

    def load(self, name: str) -> LabNotebook:
        """Load JupyterLab with a notebook as it was saved, whose kernel may run."""
        self.page.goto(
            f"{self.lab.url}lab/workspaces/{Path(name).stem}/tree/{name}"
            f"?token={self.lab.token}"
        )
        return self._opened()

    def _opened(self) -> LabNotebook:
        opened = LabNotebook(self.page)
        expect(opened.cell(0)).to_be_visible()
        idle = self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        expect(idle).to_be_attached()
        self.page.wait_for_function(CONNECTED, timeout=TIMEOUT * 1000)
        return opened
