"""Make the pictures of the panel in ``docs/images``.

Each shows the panel in a real JupyterLab, in a headless Chromium. The server that
answers is a small one of this script's, so that the pictures come out the same each
time: what it says is written below. Run it from a checkout in which ``.[dev]`` is
installed; it needs a ``chromium`` on the PATH::

    .venv/bin/python docs/make_images.py

``--only NAME`` makes one of them (several times: those), ``--out FOLDER`` puts them
elsewhere.
"""

from __future__ import annotations

import argparse
import io
import re
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from benchmarks.apparatus.notebooks import notebook
from tests.backends.behaviours.row import DONE, chunk, said
from tests.backends.scripted import Answer, Request, document, events, serving
from tests.browser.conftest import Opener, chromium, running_lab
from tests.browser.test_panel import Panel, set_theme

IMAGES = Path(__file__).parent / "images"
MODEL = "llama-3.3-70b"
MODELS = (
    {"id": MODEL, "max_model_len": 131072},
    {"id": "qwen-3-32b", "max_model_len": 40960},
    {"id": "pixtral-12b", "max_model_len": 32768, "capabilities": {"vision": True}},
)

#: A pause in an answer: the picture is taken there.
PAUSE = "\0"

ANSWERS = {
    "What does a Jupyter kernel do?": (
        "A **kernel** runs the code of a notebook and keeps its variables. The page in "
        "the browser only shows cells: it sends their code to the kernel, and the "
        "kernel sends the outputs back.\n\n"
        "- One kernel belongs to one notebook.\n"
        "- Restarting it forgets the variables, not the cells.\n"
    ),
    "Explain gradient descent": (
        "Gradient descent finds a minimum by small steps **against** the slope.\n\n"
        "1. Start anywhere.\n2. Compute the gradient.\n3. Step against it.\n\n"
        f"The size of the step is the *learning rate*: if it is too {PAUSE}large, the "
        "loss grows instead of shrinking.\n"
    ),
    "Write it in Python": (
        "A plain version without any library:\n\n"
        "```python\n"
        "def descend(gradient, start, rate=0.1, steps=100):\n"
        '    """Return the place that gradient descent ends at."""\n'
        "    place = start\n"
        "    for _ in range(steps):\n"
        "        place -= rate * gradient(place)\n"
        "    return place\n\n\n"
        "descend(lambda x: 2 * (x - 3), start=0.0)  # close to 3\n"
        "```\n\nInstall what the plots need:\n\n```bash\npip install matplotlib\n```\n"
    ),
    "Which optimiser when?": (
        "| Optimiser | Memory | Good for | Watch out for |\n"
        "|---|--:|---|---|\n"
        "| SGD | 1 x | convex losses | the learning rate |\n"
        "| SGD with momentum | 2 x | images | overshooting |\n"
        "| Adam | 3 x | nearly everything | weight decay |\n\n"
        "- [x] begin with Adam\n- [ ] compare with momentum[^1]\n\n"
        "[^1]: On images it often generalises better.\n"
    ),
    "Show me the formula": (
        "One step, for parameters $\\theta$ and a loss $L$:\n\n"
        "$$\\theta_{t+1} = \\theta_t - \\eta \\nabla_\\theta L(\\theta_t), \\qquad "
        "\\nabla_\\theta L = \\frac{1}{n}\\sum_{i=1}^{n} \\frac{\\partial "
        "\\ell(x_i, y_i; \\theta)}{\\partial \\theta}$$\n\n"
        "Here $\\eta$ is the learning rate, and $\\sum$ runs over the batch.\n"
    ),
    "Which of the cities": (
        "**Cairo**, with 10.2 million people. Sydney comes next, with 5.3 million.\n"
    ),
    "Summarise": (
        "`df` has 5 rows and 3 columns. **Cairo** is the largest city (10.2 million), "
        "**Oslo** the smallest (0.7 million).\n"
    ),
}

#: Hides JupyterLab's file browser, or shows it again.
NO_SIDEBAR = "() => jupyterapp.commands.execute('application:toggle-left-area')"

SETUP = "import pandas as pd\n%load_ext h2o_magic"
TABLE = (
    'df = pd.DataFrame({"city": ["Rome", "Cairo", "Paris", "Sydney", "Oslo"], '
    '"country": ["Italy", "Egypt", "France", "Australia", "Norway"], '
    '"millions": [2.8, 10.2, 2.1, 5.3, 0.7]})\ndf'
)


PROSE = "%%h2o --model llama-3.3-70b\nWhich of the cities in {df} is the largest?"
CHATS = """
import time
import h2o_magic
from h2o_magic.chat.turns import Thread, Turn
day, now = 86400, time.time()
h2o_magic.session().record.add([
    Thread("ideas", (Turn("Which plots suit these columns?", "Bars.", asked_at=now),)),
    Thread("rates", (Turn("How do I choose a learning rate?",
           "Begin with 0.1. If the loss grows, the learning rate is too large.",
           asked_at=now - day),)),
    Thread("old", (Turn("What is a p-value?", "A share.", asked_at=now - 9 * day),)),
])
"""


class Server:
    """The server that answers, which stops at a pause until it may go on."""

    def __init__(self) -> None:
        self.goes_on, self.fails, self.notice = threading.Event(), False, ""

    def renew(self) -> None:
        """End what has paused, and answer as it does at first."""
        self.goes_on.set()
        self.goes_on, self.fails, self.notice = threading.Event(), False, ""

    def __call__(self, request: Request) -> Answer:
        if request.path.endswith("/models"):
            return document({"object": "list", "data": MODELS})
        if not request.path.endswith("/chat/completions"):
            return document({}, status=404)
        if self.fails:
            error = {"message": "The model is overloaded.", "type": "overloaded_error"}
            return document({"error": error}, status=529)
        return self._answer(request.json["messages"][-1]["content"])

    def _answer(self, question: str) -> Answer:
        if self.notice:
            said_first = {"h2o_magic": {"notice": self.notice}}
            return events(said_first, DONE, gates={1: self.goes_on})
        text = next((a for q, a in ANSWERS.items() if q in question), "Certainly.")
        gates: dict[int, threading.Event] = {}
        documents: list[object] = []
        for word in re.findall(r"\S+\s*|\s+", text):
            before, pause, after = word.partition(PAUSE)
            documents.append(said(before, model=MODEL))
            if pause:
                gates[len(documents)] = self.goes_on
                documents.append(said(after, model=MODEL))
        return events(*documents, chunk({}, "stop"), DONE, gates=gates)


@dataclass
class Scene:
    """A page of JupyterLab, the server that answers in it, and where pictures go."""

    opener: Opener
    server: Server
    url: str
    folder: Path
    opened: int = 0

    @property
    def page(self) -> Page:
        return self.opener.page

    def open(self, *cells: str, width: int = 1100, height: int = 820) -> Panel:
        """Open a notebook of its own, and the panel below its cells."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.server.renew()
        self.opened += 1
        sources = [SETUP, f"%h2o connect {self.url}", *cells, "%h2o panel"]
        lab = self.opener(f"picture-{self.opened}.ipynb", notebook(*sources))
        for index in range(len(sources)):
            lab.run_to_end(index)
        panel = Panel(lab.output(len(sources) - 1).locator(".h2o-panel"))
        panel.wait_until_open()
        panel.place.scroll_into_view_if_needed()
        return panel

    def ask(self, panel: Panel, *questions: str) -> None:
        """Ask in turn, and wait for each answer's end."""
        for question in questions:
            count = panel.turns.count()
            panel.ask(question)
            expect(panel.turns).to_have_count(count + 1)
            expect(panel.turns.last.locator(".h2o-facts")).to_be_visible()
            expect(panel.stop).to_be_hidden()

    def shoot(self, name: str, what: Locator | Page) -> None:
        """Take a picture, in the 256 colours that say most of it."""
        self.page.mouse.move(0, 0)
        self.page.wait_for_timeout(400)  # transitions of the page have ended
        image = Image.open(io.BytesIO(what.screenshot(caret="initial")))
        self.folder.mkdir(parents=True, exist_ok=True)
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
            self.folder / f"{name}.png", optimize=True
        )


def empty(scene: Scene) -> None:
    panel = scene.open(TABLE)
    scene.shoot("empty", panel.place)


def waiting(scene: Scene) -> None:
    """Make those of what comes before the first text."""
    panel = scene.open()
    for name, notice in (
        ("loading", "Loading SmolLM2-135M, 98 MB"),
        ("reading", "Reading 2,048 tokens"),
    ):
        scene.server.renew()
        scene.server.notice = notice
        panel.ask("What does a Jupyter kernel do?")
        expect(panel.turns.last).to_contain_text(re.compile(f"{notice}, [3-9] s"))
        scene.shoot(name, panel.place)
        panel.composer.press("Escape")
        expect(panel.stop).to_be_hidden()
        panel.press("Delete turn 1")
        expect(panel.turns).to_have_count(0)


def growing(scene: Scene) -> None:
    """Make those of an answer that is being written, and of what waits."""
    panel = scene.open()
    panel.ask("Explain gradient descent")
    expect(panel.turn(1)).to_contain_text("if it is too")
    scene.shoot("streaming", panel.place)
    for question in ("Write it in Python", "Which optimiser when?"):
        panel.ask(question)
        expect(panel.place.locator(".h2o-queued").last).to_contain_text(question)
    scene.shoot("queued", panel.place)


def stopped(scene: Scene) -> None:
    panel = scene.open()
    panel.ask("Explain gradient descent")
    expect(panel.turn(1)).to_contain_text("if it is too")
    panel.composer.press("Escape")
    expect(panel.turn(1)).to_contain_text("Stopped")
    scene.shoot("stopped", panel.place)


def error(scene: Scene) -> None:
    panel = scene.open()
    scene.server.fails = True
    panel.ask("What does a Jupyter kernel do?")
    expect(panel.place.get_by_role("button", name="Try again")).to_be_visible()
    scene.shoot("error", panel.place)


def answers(scene: Scene) -> None:
    """Make those of answers that have ended, and of what can be done with them."""
    panel = scene.open(TABLE)
    for name, question in (
        ("code", "Write it in Python"),
        ("table", "Which optimiser when?"),
        ("math", "Show me the formula"),
    ):
        scene.ask(panel, question)
        scene.shoot(name, panel.place)
    panel.press("Ask turn 3 again")
    expect(panel.turn(3).get_by_text("2 of 2")).to_be_in_viewport()
    expect(panel.stop).to_be_hidden()
    scene.shoot("versions", panel.place)
    panel.composer.press("ArrowUp")
    expect(panel.composer).to_have_value("Show me the formula")
    scene.shoot("edit", panel.place)
    panel.composer.press("Escape")
    scene.ask(panel, "What does a Jupyter kernel do?", "Summarise {df}")
    scene.page.set_viewport_size({"width": 1100, "height": 1200})
    scene.shoot("long", panel.place)


def boxes(scene: Scene) -> None:
    """Make those of the boxes over the chat."""
    panel = scene.open(TABLE, CHATS)
    scene.ask(panel, "What does a Jupyter kernel do?")
    head = panel.place.locator(".h2o-head")
    head.locator(".h2o-model").click()
    expect(panel.place.get_by_role("option").first).to_be_visible()
    scene.page.wait_for_timeout(1000)  # the groups come one after the other
    scene.shoot("picker", panel.place)
    scene.page.keyboard.press("Escape")
    panel.press("Settings")
    scene.page.wait_for_timeout(1000)  # the server is tested
    scene.shoot("settings", panel.place)
    scene.page.keyboard.press("Escape")
    panel.press("History")
    expect(panel.place.get_by_role("option")).to_have_count(4)
    scene.shoot("threads", panel.place)
    scene.page.keyboard.type("learning rate")
    expect(panel.place.locator("mark").first).to_be_visible()
    scene.shoot("search", panel.place)


def narrow(scene: Scene) -> None:
    panel = scene.open(height=900)
    scene.page.evaluate(NO_SIDEBAR)
    scene.page.set_viewport_size({"width": 500, "height": 800})
    scene.ask(panel, "Write it in Python", "Which optimiser when?")
    scene.shoot("narrow", panel.place)
    scene.page.set_viewport_size({"width": 1100, "height": 820})
    scene.page.evaluate(NO_SIDEBAR)


def docked(scene: Scene) -> None:
    """Make those of the chat beside the notebook, in both themes."""
    page = scene.page
    panel = scene.open(TABLE, PROSE, width=1400, height=900)
    scene.ask(panel, "Write it in Python")
    panel.press("Dock on the right")
    dock = Panel(page.locator(".h2o-dock .h2o-panel"))
    expect(dock.turns.last).to_contain_text("matplotlib")
    page.locator(".jp-WindowedPanel-outer").evaluate("box => { box.scrollTop = 0 }")
    page.wait_for_timeout(500)
    scene.shoot("docked", page)
    set_theme(page, "Dark")
    dock.composer.focus()
    expect(dock.place.locator(".h2o-tokens")).to_be_visible()
    scene.shoot("dark", page)
    set_theme(page, "Light")


#: What makes the pictures; one function makes those of one notebook.
SCENES: tuple[Callable[[Scene], None], ...] = (
    empty,
    waiting,
    growing,
    stopped,
    error,
    answers,
    boxes,
    narrow,
    docked,
)


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [scene.__name__ for scene in SCENES]
    parser.add_argument("--only", action="append", choices=names, default=[])
    parser.add_argument("--out", type=Path, default=IMAGES, metavar="FOLDER")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="h2o-images-"))
    server = Server()
    with running_lab(home) as lab, chromium() as browser, serving(server) as serves:
        page = browser.new_context().new_page()
        page.set_default_timeout(60_000)
        scene = Scene(Opener(lab, page), server, f"{serves.url}/v1", options.out)
        for make in SCENES:
            if not options.only or make.__name__ in options.only:
                make(scene)
        server.renew()


if __name__ == "__main__":
    main()
