"""What is promised about attached files: as images, or as text under their name."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pypdf
import pytest
from PIL import Image as Pillow

from h2o_magic.chat.tokens import tokens_in
from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.prompts import attachments
from h2o_magic.prompts.attachments import attachment
from h2o_magic.prompts.prompt import Appended, Attached
from h2o_magic.prompts.texts import LONGEST, Lines

TABLE = "name,price\n" + "".join(f"row {i},{i}\n" for i in range(1, 1000))


def picture() -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", (30, 20), "red").save(file, "PNG")
    return file.getvalue()


def pdf(*pages: str, password: str = "") -> bytes:
    writer = pypdf.PdfWriter()
    for text in pages:
        page = writer.add_blank_page(200, 200)
        stream = pypdf.generic.DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 10 100 Td ({text}) Tj ET".encode())
        name = pypdf.generic.NameObject
        font = pypdf.generic.DictionaryObject()
        for key, value in (("Type", "Font"), ("Subtype", "Type1"), ("BaseFont", "Ar")):
            font[name(f"/{key}")] = name(f"/{value}")
        fonts = pypdf.generic.DictionaryObject({name("/F1"): font})
        page[name("/Resources")] = pypdf.generic.DictionaryObject(
            {name("/Font"): fonts}
        )
        page[name("/Contents")] = writer._add_object(stream)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def text_of(name: str, data: bytes, tokens: int = 10**6) -> str:
    found = attachment((name, data))
    assert isinstance(found, Appended)
    assert found.name == name
    assert found.value.inline == ""
    return found.value.text(tokens)


def refused(item: object) -> str:
    with pytest.raises(ConfigurationError) as raised:
        attachment(item)
    said = str(raised.value)
    assert "\n" not in said
    return said


# By path, by value, by bytes


def test_a_file_is_an_image_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "chart.txt"
    path.write_bytes(picture())
    for item in (path, str(path), ("chart.txt", picture())):
        found = attachment(item)
        assert isinstance(found, Attached)
        assert (found.image.name, found.image.width) == ("chart.txt", 30)
        assert found.required
    assert text_of("chart.png", b"text") == "```png\ntext\n```"


def test_the_home_folder_may_be_written_as_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a.md").write_text("Hi")
    found = attachment("~/a.md")
    assert isinstance(found, Appended)
    assert (found.name, found.value.text(100)) == ("a.md", "```md\nHi\n```")


def test_a_value_is_attached_under_the_name_of_its_type() -> None:
    found = attachment(Pillow.new("L", (3, 2)))
    assert isinstance(found, Attached)
    assert found.image.name == "Image"
    said = refused({"a": 1})
    assert said.startswith("expected a file's path or an image to attach, got dict: ")


def test_a_file_that_is_not_there_says_which_is(tmp_path: Path) -> None:
    for name in ("chart.png", "table.csv"):
        (tmp_path / name).touch()
    said = refused(tmp_path / "cahrt.png")
    assert said == (
        f"there is no file {tmp_path / 'cahrt.png'}: did you mean 'chart.png'?"
    )
    assert "known: chart.png, table.csv" in refused(tmp_path / "x")
    assert refused(tmp_path / "a" / "b").endswith("nor its folder")
    assert f"{tmp_path} is a folder" in refused(tmp_path)
    assert "nothing is fetched" in refused("https://127.0.0.1:1/a.png")
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty" / "x").endswith("its folder is empty")
    for path in ("a\0b", "~nobody-of-that-name/x"):
        assert "cannot be read" in refused(path) or "there is no file" in refused(path)


def test_a_large_file_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(attachments.LARGEST + 1)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    said = refused(path)
    assert said == f"expected a file of at most 50 MB, got {path}, which is larger"
    assert "at most 50 MB" in refused(("large", bytes(attachments.LARGEST + 1)))


# Text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("größer 漢字".encode(), "größer 漢字"),
        ("größer".encode("utf-8-sig"), "größer"),
        ("größer 漢字".encode("utf-16"), "größer 漢字"),
        ("größer".encode("utf-16-be").join([b"\xfe\xff", b""]), "größer"),
        ("größer".encode("latin-1"), "größer"),
        ("“größer” €".encode("cp1252"), "“größer” €"),
        (b"a\r\nb\rc\n\n", "a\nb\nc"),
        (b"\x1b[31mred\t\x0c", "\x1b[31mred\t\x0c"),
    ],
)
def test_encodings_of_text_are_told_apart(data: bytes, text: str) -> None:
    assert text_of("a", data) == f"```\n{text}\n```"


def test_a_text_with_code_blocks_stays_in_one_block() -> None:
    text = "# Title\n```python\n1\n```"
    assert text_of("a.md", text.encode()) == f"````md\n{text}\n````"


@pytest.mark.parametrize(
    "data", [b"PK\3\4" + bytes(50), bytes(range(256)), b"\x7fELF\2\1\1\0", b"a\0b"]
)
def test_other_bytes_are_refused(data: bytes) -> None:
    assert refused(("a.xlsx", data)) == (
        "a.xlsx: expected an image, a PDF or a text, got other bytes: convert it to "
        "one of them"
    )


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    assert refused(("a.txt", data)) == "a.txt has no text: it is empty"


def test_a_table_has_its_header_first_lines_and_number_of_lines() -> None:
    whole = text_of("t.csv", TABLE.encode())
    assert whole.startswith("CSV, 1,000 lines:\n\n```csv\nname,price\nrow 1,1\n")
    assert whole.endswith("row 999,999\n```")
    for tokens in (60, 200, 1000):
        text = text_of("t.csv", TABLE.encode(), tokens)
        assert tokens * 0.8 < tokens_in(text) <= tokens
        head, _, note = text.partition("\n… ")
        first = head.removeprefix("CSV, 1,000 lines:\n\n```csv\n").split("\n")
        assert first == TABLE.split("\n")[: len(first)]
        assert note == f"{1000 - len(first)} more lines left out\n```"
    least = text_of("t.csv", TABLE.encode(), 0)
    assert least.count("\n") == 5
    assert "name,price\n… 999 more lines left out\n" in least


def test_a_table_in_fewer_tokens_keeps_at_least_its_header() -> None:
    found = attachment(("t.tsv", TABLE.encode()))
    assert isinstance(found, Appended)
    assert found.value.least < 40
    assert found.value.text(found.value.least) == found.value.text(0)
    assert found.value.text(0).startswith("TSV, 1,000 lines:\n\n```tsv\nname,price\n…")


def test_a_long_text_loses_its_middle() -> None:
    text = "".join(f"line {i}\n" for i in range(10_000))
    found = attachment(("a.log", text.encode()))
    assert isinstance(found, Appended)
    assert found.value.least == tokens_in(f"```log\n{text}```")
    for tokens in (50, 500, 5000):
        short = found.value.text(tokens)
        assert tokens * 0.8 < tokens_in(short) <= tokens
        assert short.startswith("```log\nline 0\n")
        assert short.endswith("line 9999\n```")
        assert "left out …]" in short


def test_of_a_very_long_file_only_so_much_is_kept() -> None:
    rows = b"a,b\n" + b"1,2\n" * LONGEST
    found = attachment(("t.csv", rows))
    assert isinstance(found, Appended)
    assert isinstance(found.value, Lines)
    assert sum(map(len, found.value.lines)) < LONGEST
    assert "CSV, 500,001 lines" in found.value.text(10**9)
    assert "1,2\n… 375,001 more lines left out" in found.value.text(10**9)
    found = attachment(("a.txt", b"ab\n" * LONGEST))
    assert isinstance(found, Appended)
    assert f"[… {2 * LONGEST - 1:,} characters left out …]" in found.value.text(10**9)
    assert found.value.text(0) == (
        f"```txt\n\n[… {3 * LONGEST - 1:,} characters left out …]\n```"
    )


def test_of_a_notebook_the_sources_are_sent() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# A\n", "title"], "metadata": {}},
        {
            "cell_type": "code",
            "source": "print('x')\n",
            "outputs": [{"text": "SECRET OUTPUT"}],
        },
        {"cell_type": "code", "source": []},
    ]
    data = json.dumps({"cells": cells, "nbformat": 4}).encode()
    assert text_of("n.ipynb", data) == (
        "Jupyter notebook, without its outputs:\n\n"
        "````\n# A\ntitle\n\n```\nprint('x')\n```\n````"
    )
    for broken in ('{"cells": 1}', "{", '{"cells": [{"source": 5}]}'):
        assert text_of("n.ipynb", broken.encode()) == f"```ipynb\n{broken}\n```"


# PDF


def test_of_a_pdf_the_text_is_sent() -> None:
    text = text_of("report.bin", pdf("First page", "", "Third"))
    assert text == "PDF, 3 pages:\n\n```\nFirst page\n\nThird\n```"


def test_a_pdf_without_text_is_refused() -> None:
    said = refused(("scan.pdf", pdf("", "")))
    assert said.startswith("scan.pdf has no text, only images: attach its pages")


def test_an_encrypted_pdf_is_refused() -> None:
    said = refused(("a.pdf", pdf("text", password="pw")))
    assert said.startswith("a.pdf cannot be read as a PDF: ")
    assert "not been decrypted" in said


@pytest.mark.parametrize("cut", [9, 100, 300])
def test_a_damaged_pdf_is_refused_and_logs_nothing(
    cut: int, capfd: pytest.CaptureFixture[str]
) -> None:
    said = refused(("a.pdf", pdf("text")[:cut]))
    assert said.startswith("a.pdf ")
    assert capfd.readouterr() == ("", "")


def test_without_pypdf_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pypdf", None)
    with pytest.raises(MissingExtraError, match="the text of a PDF needs packages"):
        attachment(("a.pdf", b"%PDF-1.7"))


# Secrets


@pytest.mark.parametrize("name", ["a.txt", "t.csv", "n.ipynb", "a.pdf"])
def test_a_file_with_a_secret_is_refused(name: str) -> None:
    secret = "sk-abcdefghijklmnopqrstuvwx1234567890"
    data = f"key,value\n1,{secret}".encode()
    if name == "n.ipynb":
        cell = {"cell_type": "code", "source": f"key = '{secret}'"}
        data = json.dumps({"cells": [cell]}).encode()
    if name == "a.pdf":
        data = pdf(secret)
    with pytest.raises(ConfigurationError, match="was not attached: ") as raised:
        attachment((name, data))
    assert str(raised.value).startswith(f"{name} was not attached: it holds ")
    assert secret not in str(raised.value)
    assert isinstance(attachment((name, b"harmless")), Appended)
