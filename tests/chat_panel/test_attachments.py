"""Files and images that go along with questions of the panel."""

from __future__ import annotations

import hashlib
import io
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image as Pictures

from h2o_magic.chat.images import Image
from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.chat_panel.rows import row_of, transcript
from h2o_magic.chat_panel.uploads import Uploads
from h2o_magic.conversation.session import Session
from tests.backends.scripted import ScriptedServer, serving
from tests.backends.test_openai_backend import OpenAIScript
from tests.chat_panel.test_controller import Page


def png(colour: str = "red") -> bytes:
    file = io.BytesIO()
    Pictures.new("RGB", (30, 20), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def seeing() -> Iterator[tuple[Page, ScriptedServer]]:
    """A panel on a server whose model takes images."""
    with serving(OpenAIScript()) as server:
        page = Page(server.url)
        page.session.settings.set("vision", True)
        yield page, server
        page.controller.close()
        page.session.close()


def attach(page: Page, *files: bytes) -> None:
    for number, data in enumerate(files):
        page.send("piece", data, file=number, at=0)


def asked(server: ScriptedServer) -> list[Any]:
    """Return what the last message of each question has."""
    return [
        request.json["messages"][-1]["content"]
        for request in server.requests
        if request.path.endswith("/chat/completions")
    ]


def images(content: Any) -> list[str]:
    return [p["image_url"]["url"] for p in content if p["type"] == "image_url"]


def test_files_come_in_pieces_and_go_along_with_the_question(
    seeing: tuple[Page, ScriptedServer],
) -> None:
    page, server = seeing
    data = png()
    page.send("piece", b"left from an earlier try", file=0, at=0)
    page.send("piece", data[:50], file=0, at=0)
    page.send("piece", data[50:], file=0, at=50)
    page.send("piece", b"a,b\n1,2\n", file=1, at=0)
    page.send("ask", text="What is it?", files=["dot.png", "t.csv"], n=1)
    row = page.ended_row()
    assert row["question"] == "What is it?"
    assert "a,b\n1,2" in row["sent"]
    (image,) = row["images"]
    assert (image["name"], image["about"]) == ("dot.png", "30 x 20 pixels")
    assert image["attached"]
    thumbnail = b64decode(image["source"].partition(",")[2])
    assert Pictures.open(io.BytesIO(thumbnail)).size == (30, 20)
    (content,) = asked(server)
    (address,) = images(content)
    sent = b64decode(address.partition(",")[2])
    assert hashlib.sha256(sent).hexdigest() == image["hash"]
    assert "a,b\n1,2" in content[0]["text"]


def test_a_retry_sends_the_same_and_an_edit_keeps_the_images_that_are_left(
    seeing: tuple[Page, ScriptedServer],
) -> None:
    page, server = seeing
    attach(page, png("red"), png("blue"))
    page.send("ask", text="Which?", files=["a.png", "b.png"], n=1)
    row = page.ended_row()
    red, blue = (image["hash"] for image in row["images"])
    page.send("regenerate", id=row["id"])
    row = page.ended_row()
    page.send("ask", text="Which?", id=row["id"], images=[red, blue], n=2)
    row = page.ended_row()
    page.send("ask", text="Which?", id=row["id"], images=[blue], n=3)
    row = page.ended_row()
    assert [image["name"] for image in row["images"]] == ["b.png"]
    attach(page, png("green"))
    page.send("ask", text="And now?", id=row["id"], images=[blue], files=["c.png"], n=4)
    row = page.ended_row()
    assert [image["name"] for image in row["images"]] == ["b.png", "c.png"]
    first, again, unchanged, fewer, more = asked(server)
    assert first == again == unchanged
    assert images(fewer) == images(first)[1:]
    assert images(more)[:1] == images(fewer)
    assert len(images(more)) == 2


def test_a_changed_edit_sends_the_texts_again_that_are_left(
    seeing: tuple[Page, ScriptedServer],
) -> None:
    page, server = seeing
    attach(page, b"a,b\n1,2\n", b"Some words.\n\n`a.csv` is above.", png())
    files = ["a.csv", "notes.txt", "dot.png"]
    page.send("ask", text="What?", files=files, n=1)
    row = page.ended_row()
    assert [(f["name"], f["attached"]) for f in row["files"]] == [
        ("a.csv", True),
        ("notes.txt", True),
    ]
    kept = [image["hash"] for image in row["images"]]
    more = {"images": kept, "texts": files[:2]}
    page.send("ask", text="What?", id=row["id"], n=2, **more)
    row = page.ended_row()
    page.send("ask", text="Why?", id=row["id"], n=3, **more)
    row = page.ended_row()
    page.send("ask", text="Why?", id=row["id"], n=4, images=kept, texts=["notes.txt"])
    row = page.ended_row()
    assert [file["name"] for file in row["files"]] == ["notes.txt"]
    first, same, changed = (content[0]["text"] for content in asked(server)[:3])
    assert first == same
    assert changed == first.replace("What?", "Why?")
    assert "Some words." in (last := asked(server)[3][0]["text"])
    assert "a,b" not in last


def test_texts_that_cannot_be_told_from_the_rest_are_not_offered_again(
    seeing: tuple[Page, ScriptedServer],
) -> None:
    page, _ = seeing
    attach(page, b"One.\n\n`a.txt`:\n\nTwo.")
    page.send("ask", text="What?", files=["a.txt"], n=1)
    (file,) = page.ended_row()["files"]
    assert (file["name"], file["attached"]) == ("a.txt", False)


def test_a_file_is_shown_as_it_would_be_sent(
    seeing: tuple[Page, ScriptedServer],
) -> None:
    page, server = seeing
    attach(page, b"a,b\n1,2\n")
    page.send("peek", files=["t.csv"])
    note = page.wait_for("note", to="here")
    assert note["title"] == "t.csv"
    assert "CSV, 2 lines" in note["html"]
    attach(page, png())
    page.send("peek", files=["dot.png"])
    note = page.wait_for("note", to="here")["html"]
    assert "30 x 20 pixels" in note
    assert 'src="data:image/png;base64,' in note
    attach(page, b"\0\1")
    page.send("peek", files=["odd"])
    assert "expected an image" in page.wait_for("error", to="here")["text"]
    assert asked(server) == []


def test_a_preview_has_the_files_and_asks_nothing(
    seeing: tuple[Page, ScriptedServer],
) -> None:
    page, server = seeing
    attach(page, png(), b"Some text.")
    page.send("preview", text="What is it?", files=["dot.png", "note.txt"])
    note = page.wait_for("note", to="here")["html"]
    assert "<code>dot.png</code>" in note
    assert "Some text." in note
    assert asked(server) == []


@pytest.mark.parametrize(
    ("vision", "data", "why"),
    [
        (False, png(), "m takes text only"),
        (True, b"\0\1\2\3", "expected an image, a PDF or a text"),
    ],
)
def test_a_refused_file_is_told_with_its_question_and_number(
    seeing: tuple[Page, ScriptedServer], vision: bool, data: bytes, why: str
) -> None:
    page, server = seeing
    page.session.settings.set("vision", vision)
    attach(page, data)
    page.send("ask", text="What is it?", files=["file"], n=7)
    refused = page.unsent()
    assert why in refused["why"]
    assert (refused["text"], refused["n"]) == ("What is it?", 7)
    assert [chip["name"] for chip in refused["files"]] == ["file"]
    assert page.session.turns() == ()
    assert asked(server) == []


def test_a_command_takes_no_files_and_says_so(
    seeing: tuple[Page, ScriptedServer],
) -> None:
    page, _ = seeing
    attach(page, png())
    page.send("ask", text="/status", files=["dot.png"], n=2)
    assert page.wait_for("unsent", to="here")["n"] == 2
    page.wait_for("note", to="here")


def test_views_do_not_share_files_and_taken_ones_are_forgotten() -> None:
    uploads = Uploads()
    for view in ("here", "there"):
        piece = memoryview(view.encode())
        uploads.add(view, {"file": 0, "at": 0}, [piece])
    assert uploads.take("here", ["a"]) == [("a", b"here")]
    assert uploads.take("here", ["a"]) == []
    uploads.add("there", {"file": 1, "at": 0}, [])
    assert uploads.take("there", ["a", "b"]) == [("a", b"there"), ("b", b"")]


def test_what_a_closed_page_has_sent_is_forgotten() -> None:
    now = 0.0
    uploads = Uploads(lambda: now)
    for view in ("closed", "lost", "here"):
        now += 100
        uploads.add(view, {"file": 0, "at": 0}, [memoryview(b"x")])
    uploads.forget("closed")
    now += 50
    uploads.forget_stale()
    assert uploads.take("closed", ["a"]) == uploads.take("lost", ["a"]) == []
    assert uploads.take("here", ["a"]) == [("a", b"x")]


def thumbnail(name: str, size: int = 100) -> Image:
    data = b"\x89PNG\r\n".ljust(size, b"\0")
    return Image(name, "image/png", 640, 480, name * 8, data)


def test_images_that_the_question_names_are_not_attached_ones() -> None:
    shown = (thumbnail("fig"), thumbnail("a.png"))
    row = row_of(Turn("What is in {fig}?", "So.", images=shown))
    attached = {image["name"]: image["attached"] for image in row["images"]}
    assert attached == {"fig": False, "a.png": True}


def test_a_long_text_that_was_sent_is_cut_and_says_so() -> None:
    row = row_of(Turn("Why {x}?", "So.", sent="x" * 20_001))
    assert row["sent"] == "x" * 20_000 + "\n[… 1 more character …]"


def test_notes_are_among_the_facts() -> None:
    facts = {"model": "m", "notes": ["`{dff}` is not a variable", "continued"]}
    row = row_of(Turn("{dff}?", "So.", facts=facts))
    assert row["facts"] == "m · {dff} is not a variable · continued"


def test_a_transcript_has_what_was_typed_and_the_last_small_thumbnails() -> None:
    session = Session()
    turns = [
        Turn(f"Typed {{x{n}}}?", "So.", sent="secret", images=(thumbnail(n, 25_000),))
        for n in ("a", "b", "c")
    ]
    session.record.add([Thread("main", tuple(turns))])
    markdown = transcript(session)
    session.close()
    assert "Typed" in markdown
    assert "secret" not in markdown
    assert "*(image a)*" in markdown
    assert markdown.count("](data:image/png;base64,") == 2
    assert len(markdown) < 100_000
