"""Files of text for a prompt: notes, code, tables in CSV, notebooks, PDFs."""

from __future__ import annotations

import codecs
import importlib
import io
import json
import logging
import re
from contextlib import suppress
from pathlib import PurePath
from typing import Any

from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.prompts.limits import error_text
from h2o_magic.prompts.texts import LONGEST, Lines, LongText
from h2o_magic.rendering.fences import fenced

_TABLES = {"csv": "CSV", "tsv": "TSV", "tab": "TSV"}
#: Else what pypdf logs of slightly damaged files appears in the notebook.
_NOWHERE = logging.NullHandler()
_BINARY = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f]")


def document(data: bytes, name: str) -> LongText | Lines:
    """Return the text of a file; a ConfigurationError if it is none."""
    suffix = PurePath(name).suffix.lower().lstrip(".")
    if b"%PDF-" in data[:1024]:
        return _pdf(data, name)
    text = _decoded(data, name).rstrip("\n")
    if not text.strip():
        raise ConfigurationError(f"{name} has no text: it is empty")
    if suffix == "ipynb" and (cells := _notebook(text)):
        title = "Jupyter notebook, without its outputs"
        return LongText.of(cells, language="", title=title)
    language = suffix if suffix.isalnum() else ""
    if suffix not in _TABLES:
        return LongText.of(text, language=language)
    size = text.count("\n") + 1
    lines = text[:LONGEST].split("\n")
    if 1 < len(lines) < size:
        lines.pop()  # it is cut
    title = f"{_TABLES[suffix]}, {counted(size, 'line')}"
    return Lines(tuple(lines), language, title, size - len(lines))


def _decoded(data: bytes, name: str) -> str:
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ["utf-16"] if wide else ["utf-8-sig", "cp1252"]:
        with suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            if not _BINARY.search(text):
                return text.replace("\r\n", "\n").replace("\r", "\n")
    raise ConfigurationError(
        f"{name}: expected an image, a PDF or a text, got other bytes: convert it to "
        "one of them"
    )


def _notebook(text: str) -> str:
    """Return the sources of a notebook's cells; empty if it has none."""
    try:
        cells = json.loads(text)["cells"]
        return "\n\n".join(filter(None, map(_cell, cells)))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ""


def _cell(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"]).strip()
    is_code = source and cell["cell_type"] == "code"
    return fenced(source, "") if is_code else source


def _pdf(data: bytes, name: str) -> LongText:
    try:
        pypdf: Any = importlib.import_module("pypdf")
    except ImportError as error:
        raise MissingExtraError("the text of a PDF", "images") from error
    logging.getLogger("pypdf").addHandler(_NOWHERE)
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        pages = [page.extract_text().strip() for page in reader.pages]
    except Exception as error:
        raise ConfigurationError(
            f"{name} cannot be read as a PDF: {error_text(error)}"
        ) from error
    text = "\n\n".join(filter(None, pages))
    if not text:
        raise ConfigurationError(
            f"{name} has no text, only images: attach its pages as PNG or JPEG"
        )
    return LongText.of(text, language="", title=f"PDF, {counted(len(pages), 'page')}")
