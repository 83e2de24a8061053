"""Make the pictures of the panel in ``docs/images``.

Each shows the panel in a real JupyterLab, in a headless Chromium. The server that
answers is a small one of this script's, so that the pictures come out the same each time:
what it says is written below. Run it from a checkout in which ``.[dev]`` is installed;
it needs a ``chromium`` on the PATH::

    .venv/bin/python docs/make_images.py

``--only NAME`` makes one of them (several times: those), ``--out FOLDER`` puts them
elsewhere.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from benchmarks.apparatus.notebooks import notebook
from tests.backends.behaviours.row import DONE, chunk, said
from tests.backends.scripted import (
    Answer,
    Request,
    document,
    events,
)
from tests.browser.conftest import Opener
from tests.browser.test_panel import Panel

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
        f"The size of the step is the *learning rate*: if it is too{PAUSE} large, the "
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
    "Summarise {df}": (
        "`df` has 5 rows and 3 columns. **Sydney** is the largest city (5.3 million), "
        "**Rome** the smallest (2.8 million).\n"
    ),
}

SETUP = "import pandas as pd\n%load_ext h2o_magic"
TABLE = (
    'df = pd.DataFrame({"city": ["Rome", "Cairo", "Paris", "Sydney", "Oslo"], '
    '"country": ["Italy", "Egypt", "France", "Australia", "Norway"], '
    '"millions": [2.8, 10.2, 2.1, 5.3, 0.7]})\ndf'
)


class Server:
    """The server that answers, which stops at a pause until it may go on."""

    def __init__(self) -> None:
        self.goes_on, self.fails = threading.Event(), False

    def renew(self) -> None:
        """End what has paused, and answer as it does at first."""
        self.goes_on.set()
        self.goes_on, self.fails = threading.Event(), False

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
        text = next((a for q, a in ANSWERS.items() if q in question), "Certainly.")
        words = text.replace(PAUSE, f" {PAUSE} ").split(" ")
        gates: dict[int, threading.Event] = {}
        documents: list[object] = []
        for word in words:
            if word == PAUSE:
                gates[len(documents)] = self.goes_on
            else:
                documents.append(said(f"{word} ", model=MODEL))
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

    def open(self, *cells: str, width: int = 900, height: int = 800) -> Panel:
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


def streaming(scene: Scene) -> None:
    panel = scene.open()
    panel.ask("Explain gradient descent")
    expect(panel.turn(1)).to_contain_text("if it is too")
    scene.shoot("streaming", panel.place)


def queued(scene: Scene) -> None:
    panel = scene.open()
    panel.ask("Explain gradient descent")
    expect(panel.turn(1)).to_contain_text("if it is too")
    for question in ("Write it in Python", "Which optimiser when?"):
        panel.ask(question)
        expect(panel.place.locator(".h2o-waiting")).to_contain_text(question)
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
    """Make those of answers that have ended: code, a table, formulas, versions."""
    panel = scene.open()
    for name, question in (
        ("code", "Write it in Python"),
        ("table", "Which optimiser when?"),
        ("math", "Show me the formula"),
    ):
        scene.ask(panel, question)
        scene.shoot(name, panel.place)
    panel.press("Ask turn 3 again")
    expect(panel.turn(3)).to_contain_text("2 of 2")
    scene.shoot("versions", panel.place)
    panel.composer.press("ArrowUp")
    expect(panel.composer).to_have_value("Show me the formula")
    scene.shoot("edit", panel.place)
