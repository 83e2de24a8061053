"""The pages themselves: a short README, and links that lead somewhere."""

from __future__ import annotations

import re
import runpy
from urllib.parse import unquote

import pytest

from tests.docs.pages import LINKED, ROOT, Page, pages

_OTHER_PLACE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)  # https:, mailto:


def test_the_readme_is_read_in_two_minutes() -> None:
    (readme,) = pages(("README.md",))
    assert len(readme.text.splitlines()) <= 120


def test_the_readmes_picture_is_there_and_small() -> None:
    (readme,) = pages(("README.md",))
    pictures = [t for t in readme.links() if t.endswith((".gif", ".png", ".svg"))]
    assert "docs/demo.gif" in pictures
    for picture in pictures:
        assert (ROOT / picture).is_file(), f"README.md names {picture}"
        assert (ROOT / picture).stat().st_size < 1_000_000, picture


def test_the_readme_leads_to_every_page() -> None:
    readme, *others = pages()
    assert {page.name for page in others} <= set(readme.links())


def test_the_check_script_finds_the_readmes_one_test_command() -> None:
    (readme,) = pages(("README.md",))
    pattern = r"^python3 -m venv .*\.venv/bin/pytest$"
    assert len(re.findall(pattern, readme.text, re.MULTILINE)) == 1


@pytest.mark.parametrize("page", pages(LINKED), ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Page) -> None:
    broken = [why for target in page.links() if (why := _broken(page, target))]
    assert broken == []


def test_the_tables_of_parameters_are_as_the_parameters_make_them() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_tables.py"))
    for name, tables in made["tables"]().items():
        text = (ROOT / "docs" / name).read_text("utf-8")
        for table in tables:
            assert made["updated"](text, table) == text, "run docs/make_tables.py"


def _broken(page: Page, target: str) -> str:
    """Return what is wrong with a link; nothing if it leads to a file and heading."""
    if _OTHER_PLACE.match(target):
        return ""
    file, _, anchor = unquote(target).partition("#")
    path = (page.path.parent / file).resolve() if file else page.path
    if not path.is_relative_to(ROOT) or not path.exists():
        return f"{target}: there is no such file"
    if anchor and (path.suffix != ".md" or anchor not in Page(path).anchors()):
        return f"{target}: there is no such heading"
    return ""
