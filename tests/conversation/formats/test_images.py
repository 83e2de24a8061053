"""What was sent with a question, and its images, in files of all formats."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.config.settings import Settings
from h2o_magic.conversation import transfer
from h2o_magic.conversation.formats import FORMATS, files
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.threads import Conversation
from h2o_magic.errors import ConfigurationError
from tests.conversation.formats.conversations import FIG, JPEG, PHOTO, PNG

TURN = Turn("{df}?", "Yes.", sent="a,b\n1,2?", images=(FIG, PHOTO))
READABLE = (".json", ".jsonl", ".ipynb")

every_readable_format = pytest.mark.parametrize("suffix", READABLE)


def written(suffix: str, *turns: Turn) -> str:
    return FORMATS[suffix].write((Thread("main", turns),))


def read(suffix: str, text: str) -> Turn:
    found = FORMATS[suffix].read
    assert found is not None
    ((_, (turn,)),) = [(thread.name, thread.turns) for thread in found(text)]
    return turn


def uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"


# What stands where


def test_json_has_the_question_as_typed_and_the_rest_beside_it() -> None:
    message = json.loads(written(".json", TURN))["messages"][0]
    assert message["content"] == "{df}?"
    assert message["metadata"]["sent"] == "a,b\n1,2?"
    fig, photo = message["metadata"]["images"]
    assert fig == {
        "name": "fig",
        "width": 30,
        "height": 20,
        "hash": FIG.hash,
        "url": uri(PNG),
        "thumbnail": uri(PNG),
    }
    assert photo["url"] == uri(JPEG, "image/jpeg")


def test_a_line_for_training_has_what_was_sent() -> None:
    line = json.loads(written(".jsonl", TURN))
    assert line["messages"][0] == {"role": "user", "content": "a,b\n1,2?"}
    (turn,) = line["metadata"]["threads"][0]["turns"]
    assert turn["typed"] == "{df}?"
    assert [entry["name"] for entry in turn["images"]] == ["fig", "photo [1].jpg"]
    assert "sent" not in turn


def test_a_cell_asks_what_was_typed() -> None:
    cell = json.loads(written(".ipynb", TURN))["cells"][1]
    assert "".join(cell["source"]) == "%%h2o\n{df}?"
    assert cell["metadata"]["h2o_magic"]["sent"] == "a,b\n1,2?"
    assert cell["metadata"]["h2o_magic"]["images"][0]["url"] == uri(PNG)


def test_a_transcript_shows_what_was_sent_and_the_images() -> None:
    text = written(".md", TURN)
    assert text == (
        "# Conversation\n\n## Turn 1\n\n> {df}?\n\n"
        "<details><summary>Sent with the question</summary>\n\n"
        "```text\na,b\n1,2?\n```\n\n</details>\n\n"
        f"![fig]({uri(PNG)})\n\n"
        f"![photo (1).jpg]({uri(JPEG, 'image/jpeg')})\n\n"
        "Yes.\n"
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_turns_without_them_are_written_as_before(suffix: str) -> None:
    text = written(suffix, Turn("Q?", "A."))
    assert not re.search("sent|Sent|images|typed", text)


@every_readable_format
def test_an_image_whose_bytes_are_gone_is_named_and_not_read(suffix: str) -> None:
    gone = replace(TURN, images=(replace(FIG, data=b""), PHOTO))
    text = written(suffix, gone)
    assert '"fig"' in text
    assert read(suffix, text) == replace(TURN, images=(PHOTO,))
    assert "*(image fig)*" in written(".md", gone)


# A transcript with its files


def test_images_of_a_transcript_are_files_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "my chat.md"
    threads = (Thread("main", (TURN, replace(TURN, images=(FIG,)))),)
    files.write(path, threads)
    links = re.findall(r"!\[.*\]\((.*)\)", path.read_text("utf-8"))
    assert links == [
        f"my%20chat_files/{FIG.hash[:16]}.png",
        f"my%20chat_files/{PHOTO.hash[:16]}.jpeg",
        f"my%20chat_files/{FIG.hash[:16]}.png",
    ]
    folder = tmp_path / "my chat_files"
    kept = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert kept == {
        f"{FIG.hash[:16]}.png": PNG,
        f"{PHOTO.hash[:16]}.jpeg": JPEG,
    }
    assert "base64" not in path.read_text("utf-8")


def test_a_transcript_without_images_is_one_file(tmp_path: Path) -> None:
    files.write(tmp_path / "chat.md", (Thread("main", (Turn("Q?", "A."),)),))
    assert [file.name for file in tmp_path.iterdir()] == ["chat.md"]


def test_images_that_cannot_be_written_leave_the_transcript(tmp_path: Path) -> None:
    path = tmp_path / "chat.md"
    path.write_text("before")
    (tmp_path / "chat_files").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"chat\.md cannot be written"):
        files.write(path, (Thread("main", (TURN,)),), overwrite=True)
    assert path.read_text() == "before"


# Through the record


@pytest.mark.parametrize("suffix", [*READABLE, ".md"])
def test_an_exported_conversation_has_its_images(tmp_path: Path, suffix: str) -> None:
    conversation = Conversation(Record(None, "key"), Settings())
    conversation.record.add([Thread("main", (TURN, TURN))])
    path = tmp_path / f"chat{suffix}"
    transfer.export(conversation, path)
    assert b64encode(PNG).decode() in transfer.export_text(conversation, suffix)
    if suffix == ".md":
        return
    other = Conversation(Record(None, "key"), Settings())
    transfer.import_file(other, path)
    assert [replace(turn, asked_at=0.0) for turn in other.turns()] == [TURN, TURN]
    found = other.record.image_data([FIG.hash, PHOTO.hash])
    assert found == {FIG.hash: PNG, PHOTO.hash: JPEG}
    conversation.record.close()
    other.record.close()


# Files that are wrong


def changed(suffix: str, change: Callable[[dict[str, Any]], object]) -> str:
    """Return a file in whose only image something is changed."""
    data = json.loads(written(suffix, replace(TURN, images=(FIG,))))

    def visit(value: Any) -> None:
        if isinstance(value, dict) and "hash" in value:
            change(value)
        for part in value.values() if isinstance(value, dict) else value:
            if isinstance(part, dict | list):
                visit(part)

    visit(data)
    return json.dumps(data) + "\n"


@every_readable_format
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hash": "0" * 64}, "an image with its own hash"),
        ({"url": uri(PNG + b"more")}, "an image with its own hash"),
        ({"url": "https://example.org/a.png"}, "an image as a data URI"),
        ({"url": 5}, "an image as a data URI"),
        ({"url": uri(b"<svg/>", "image/svg+xml")}, "an image in PNG or JPEG"),
        ({"url": uri(PNG, "text/html")}, "an image as a data URI"),
        ({"url": "data:image/png;base64,A"}, ""),
        ({"thumbnail": uri(b"<p>")}, "an image in PNG or JPEG"),
        ({"thumbnail": None}, "an image as a data URI"),
        ({"name": None}, 'expected "name" of an image'),
        ({"width": "30"}, 'expected "width" of an image'),
        ({"height": True}, 'expected "height" of an image'),
    ],
)
def test_a_wrong_image_is_refused_in_one_line(
    suffix: str, change: dict[str, Any], words: str
) -> None:
    text = changed(suffix, lambda entry: entry.update(change))
    with pytest.raises(ConfigurationError) as raised:
        read(suffix, text)
    said = str(raised.value)
    assert words in said
    assert "\n" not in said
    assert re.match(r"message 1|line 1|cell 2", said)


@every_readable_format
def test_without_a_thumbnail_an_image_is_read(suffix: str) -> None:
    text = changed(suffix, lambda entry: entry.pop("thumbnail"))
    assert read(suffix, text).images == (replace(FIG, thumbnail=b""),)
