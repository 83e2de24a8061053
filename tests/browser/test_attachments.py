"""Files in the panel, and notes while a question is typed, in JupyterLab."""

from __future__ import annotations

import hashlib
import io
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator

import pytest
from PIL import Image as Pictures
from PIL import ImageDraw
from playwright.sync_api import Locator, expect

from tests.backends.scripted import ScriptedServer, serving
from tests.backends.test_openai_backend import OpenAIScript
from tests.browser.conftest import LabNotebook, Opener, expect_soon
from tests.browser.test_panel import Panel, opened, set_theme, violations
from tests.chat_panel.test_attachments import asked, images

pytestmark = pytest.mark.browser

#: Gives an element an event with files, as a person's paste or drop does. Files are
#: [name, type, base64] each; texts go along by their types.
EVENT_WITH_FILES = """(element, [kind, files, texts]) => {
  const held = new DataTransfer();
  for (const [name, type, data] of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    held.items.add(new File([bytes], name, {type}));
  }
  for (const [type, text] of Object.entries(texts)) held.setData(type, text);
  const shared = {bubbles: true, cancelable: true};
  const event = kind === "paste"
    ? new ClipboardEvent(kind, {...shared, clipboardData: held})
    : new DragEvent(kind, {...shared, dataTransfer: held});
  return !element.dispatchEvent(event);
}"""


def chart(colour: str = "#1976d2") -> bytes:
    """Return a picture of some bars."""
    picture = Pictures.new("RGB", (640, 400), "white")
    draw = ImageDraw.Draw(picture)
    for place, height in enumerate((120, 260, 180, 330)):
        left = 60 + 140 * place
        draw.rectangle((left, 380 - height, left + 90, 380), fill=colour)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def seeing() -> Iterator[ScriptedServer]:
    with serving(OpenAIScript()) as server:
        yield server


def panel_that_sees(
    open_notebook: Opener, server: ScriptedServer, name: str, *cells: str
) -> tuple[LabNotebook, Panel]:
    vision = "%config H2OMagics.vision = True"
    return opened(open_notebook, server, name, vision, *cells)  # type: ignore[arg-type]


def give(
    place: Locator, kind: str, *files: tuple[str, str, bytes], **texts: str
) -> bool:
    """Paste or drop files; return whether the panel took them."""
    encoded = [(name, type_, b64encode(data).decode()) for name, type_, data in files]
    named = {type_.replace("_", "/"): text for type_, text in texts.items()}
    taken: bool = place.evaluate(EVENT_WITH_FILES, [kind, encoded, named])
    return taken


def chips(panel: Panel) -> Locator:
    return panel.place.get_by_role("list", name="Attached files").get_by_role(
        "listitem"
    )


def choose(panel: Panel, *files: tuple[str, str, bytes]) -> None:
    with panel.place.page.expect_file_chooser() as chooser:
        panel.press("Add to the question")
        panel.place.get_by_role("option", name="File").click()
    chooser.value.set_files(
        [{"name": n, "mimeType": kind, "buffer": data} for n, kind, data in files]
    )


def test_pasted_dropped_and_chosen_files_are_sent_and_seen_in_the_turn(
    open_notebook: Opener, seeing: ScriptedServer
) -> None:
    notebook, panel = panel_that_sees(open_notebook, seeing, "files.ipynb")
    data = chart()
    image = ("image.png", "image/png", data)
    assert give(panel.composer, "paste", image)
    assert give(panel.composer, "paste", ("image.png", "image/png", chart("green")))
    log = panel.place.get_by_role("log")
    assert give(log, "dragover", image)
    chat = panel.place.locator(".h2o-chat")
    expect(chat).to_contain_class("h2o-drop")
    notebook.screenshot("files-drop")
    assert give(log, "drop", ("sales.csv", "text/csv", b"month,units\n1,120\n"))
    expect(chat).not_to_contain_class("h2o-drop")
    large = b"x" * 9_000_000  # more than fits in one message
    choose(panel, ("notes.txt", "text/plain", large))
    expect(chips(panel)).to_have_count(4)
    expect(chips(panel).nth(1)).to_contain_text("image-2.png")
    expect(chips(panel).nth(3)).to_contain_text("9.0 MB")
    expect(chips(panel).nth(0).locator("img")).to_be_visible()

    panel.press("Remove image-2.png")
    expect(panel.place.get_by_role("button", name="Remove sales.csv")).to_be_focused()
    panel.composer.press("Enter")
    expect(panel.status).to_have_text("Type a question about the attached files.")
    assert asked(seeing) == []
    panel.composer.fill("Which month was best?")
    panel.press("Preview what would be sent")
    note = panel.place.get_by_role("group", name="What would be sent")
    expect(note).to_contain_text("image.png: image/png, 640 x 400 pixels")
    note.get_by_role("button", name="Close").click()
    notebook.screenshot("files-chips")
    notebook.save()
    panel.composer.press("Enter")
    panel.wait_for_end(1, "Hello")
    expect(chips(panel)).to_have_count(0)
    thumbnail = panel.turn(1).get_by_role("img", name="image.png")
    expect(thumbnail).not_to_have_js_property("naturalWidth", 0)
    (content,) = asked(seeing)
    (address,) = images(content)
    sent = Pictures.open(io.BytesIO(b64decode(address.partition(",")[2])))
    assert sent.size == (640, 400)
    assert "month,units" in content[0]["text"]
    details = panel.turn(1).locator("details")
    expect(details.locator("pre")).to_be_hidden()
    details.locator("summary").click()
    expect(details.locator("pre")).to_contain_text("month,units")
    notebook.screenshot("files-sent")
    expect(notebook.tab).to_contain_class("jp-mod-dirty")  # by the transcript
    notebook.save()
    saved = notebook.output(2).locator(".jp-RenderedMarkdown img")
    expect(saved).to_have_attribute("src", re.compile("^data:image/png;base64,"))
    path = open_notebook.lab.folder / "files.ipynb"
    assert "month,units" not in path.read_text()


def test_a_refused_question_comes_back_with_its_files_and_an_edit_keeps_images(
    open_notebook: Opener, seeing: ScriptedServer
) -> None:
    _, panel = panel_that_sees(open_notebook, seeing, "files-refused.ipynb")
    picture = ("chart.png", "image/png", chart())
    choose(panel, picture, ("data.bin", "application/octet-stream", b"\0\1\2"))
    panel.ask("What is it?")
    expect(panel.status).to_contain_text("data.bin: expected an image, a PDF or a text")
    expect(panel.composer).to_have_value("What is it?")
    expect(chips(panel)).to_have_count(2)
    panel.press("Remove data.bin")
    panel.ask("/status")
    expect(panel.place.get_by_role("group", name="/status")).to_be_visible()
    expect(chips(panel)).to_have_count(1)
    panel.ask("What is it?")
    panel.wait_for_end(1, "Hello")
    panel.press("Edit the question of turn 1 and ask again")
    expect(chips(panel)).to_contain_text(["chart.png"])
    panel.ask("What is it, in a word?")
    expect(panel.turn(1)).to_contain_text("2 of 2")
    expect(panel.turn(1).get_by_role("img", name="chart.png")).to_be_visible()
    panel.press("Edit the question of turn 1 and ask again")
    panel.press("Remove chart.png")
    panel.ask("What was it?")
    expect(panel.turn(1)).to_contain_text("3 of 3")
    expect(panel.turn(1).get_by_role("img")).to_have_count(0)
    first, edited, without = asked(seeing)
    hashes = {hashlib.sha256(images(each)[0].encode()) for each in (first, edited)}
    assert images(first) == images(edited)
    assert len(hashes) == 2
    assert without == "What was it?"


def test_what_cannot_be_attached_is_said_and_text_is_pasted_as_text(
    open_notebook: Opener, seeing: ScriptedServer
) -> None:
    _, panel = panel_that_sees(open_notebook, seeing, "files-limits.ipynb")
    picture = ("cells.png", "image/png", chart())
    copied = {"text_plain": "1\t2", "text_html": "<table></table>"}
    assert not give(panel.composer, "paste", picture, **copied)
    choose(panel, *((f"{n}.txt", "text/plain", b"text") for n in range(11)))
    expect(panel.status).to_have_text(
        "A question takes 10 files at most: the others were left out."
    )
    expect(chips(panel)).to_have_count(10)
    for number in range(10):
        panel.press(f"Remove {number}.txt")
    expect(panel.composer).to_be_focused()
    panel.composer.evaluate(
        "area => { const held = new DataTransfer();"
        " held.items.add(new File([new Uint8Array(50_000_001)], 'big.bin'));"
        " area.dispatchEvent(new ClipboardEvent('paste',"
        " {bubbles: true, clipboardData: held})); }"
    )
    expect(panel.status).to_contain_text("big.bin is larger than 50 MB")
    expect(chips(panel)).to_have_count(0)


def test_notes_come_while_a_question_is_typed_and_move_nothing(
    open_notebook: Opener, seeing: ScriptedServer
) -> None:
    frame = "import pandas as pd\ndf = pd.DataFrame({'price': [1, 2]})"
    notebook, panel = panel_that_sees(open_notebook, seeing, "notes.ipynb", frame)
    field = panel.place.locator(".h2o-field")
    notes = panel.place.locator(".h2o-checks")
    before = field.bounding_box()
    panel.composer.press_sequentially("What about {dff} and {df.size + 1}?")
    expect(notes).to_have_text(
        "{dff} is not a variable · {df.size + 1} is not evaluated: "
        "evaluate in the settings does that"
    )
    expect_soon(notebook.page, field.bounding_box, before)
    notebook.screenshot("notes")
    panel.composer.fill("Why {df.colums}?")
    expect(notes).to_contain_text("has no attribute 'colums': did you mean 'columns'?")
    panel.composer.fill("Why {df.columns}?")
    expect(notes).to_be_empty()
    panel.ask("And {dff}?")
    panel.wait_for_end(1, "Hello")
    expect(notes).to_be_empty()
    expect(panel.turn(1).locator(".h2o-facts")).to_contain_text("{dff} is not a")


@pytest.mark.parametrize(
    ("theme", "size"), [("Light", (1400, 900)), ("Dark", (800, 600))]
)
def test_files_are_accessible_in_both_themes(
    open_notebook: Opener, seeing: ScriptedServer, theme: str, size: tuple[int, int]
) -> None:
    cell = "measured = list(range(400))"
    notebook, panel = panel_that_sees(open_notebook, seeing, "files-axe.ipynb", cell)
    set_theme(notebook.page, theme)
    notebook.page.set_viewport_size({"width": size[0], "height": size[1]})
    picture = ("chart of the quarter.png", "image/png", chart())
    choose(panel, picture, ("sales.csv", "text/csv", b"a,b\n1,2\n"))
    panel.ask("Which month was best, given `{measured}` and {measured}?")
    panel.wait_for_end(1, "Hello")
    panel.turn(1).locator("summary").click()
    choose(panel, picture, ("sales.csv", "text/csv", b"a,b\n1,2\n"))
    panel.composer.press_sequentially("And {mesured}?")
    expect(panel.place.locator(".h2o-checks")).to_contain_text("is not a variable")
    panel.place.scroll_into_view_if_needed()
    notebook.screenshot(f"files-{theme.lower()}-{size[0]}")
    assert violations(notebook.page) == []
    set_theme(notebook.page, "Light")
