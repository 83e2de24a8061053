"""``%%h2o`` cells are shown as prose, by JupyterLab's extension."""

from __future__ import annotations

import pytest
from nbformat.v4 import new_code_cell
from playwright.sync_api import Locator, expect

from h2o_magic.prompts.fields import Field, fields
from tests.browser.conftest import Opener, expect_soon
from tests.browser.test_lab import chat_notebook
from tests.browser.test_panel import set_theme
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser

CELL = """%%h2o --model gpt-sim --temperature 0.2 --system="be 'short'" -o answer
Why is the mean of {rows} not in the list? Don't import anything, and
and not a class: explain it for {city.name['a b'][0]} as "new".
- is `{rows}` code, or ``{rows} ` {rows}``?
- and {{rows}}, or {None}?
```python
print({rows})
```
"""

#: Texts whose fields the page must find where the kernel does.
TEXTS = [
    CELL.partition("\n")[2],
    '{a}/{b} {a}{b} ({a}), "{a}" {a}-axis {a}\'s {a}b b{a} {a}[0] \\{a} _{a}_',
    "`open {a} and\n\n{b}` closed, ` {c} ` {d}\n\n\\`{e} `{f}` {g}",
    "> ```\n> {a}\n> ```\n> {b}\n\n- ```\n  {c}\n  ```\n{d}",
    "~~~~\n{e}\n~~~\n{f}\n~~~~\n{g}",
    "# {a} `b\n{c}` {d}\n1. {e} `f\n2. {g}` {h}\n| {i} ` | {j} ` |",
    "{_a} {__b} {c1} {1c} {d.e.f[-1]} {df:schema} {df:3} {x!r} {größe} {a b} {None}",
    "``` {a} ``` {b}\n```` \n{c}\n```\n{d}\n`````\n{e}",
    # Code without a fence, line by line.
    "x = [1]; {\nfor {a}: {b}\nfor x in {a}:\nprint({a})\n<text>{a}</text>",
    "<p>{a}</p>\nconst {a} = b\nconst {a} are\nselect {a}\nSELECT {a}\nkey: {a}",
    "'some key': {a}\n${a} and {b}\nfind {a} => {b}\n# {a}\n#include {a}",
    "return {a}\nreturn to {a}",
]

FIELDS = """async ([url, texts]) => {
  const { fields } = await import(url);
  return texts.map(text => fields(text));
}"""


#: Whether the first line is in another font than the second, whose words are all of one
#: colour where they are not marked.
PROSE = """cell => {
  const [first, second] = cell.querySelectorAll(".cm-line");
  const style = element => getComputedStyle(element);
  const words = second.querySelectorAll("span:not(.cm-h2o-value, .cm-h2o-value *)");
  return style(first).fontFamily !== style(second).fontFamily
    && [...words].every(word => style(word).color === style(second).color);
}"""


def expect_marked(cell: Locator, kind: str, texts: list[str]) -> None:
    expect(cell.locator(f".cm-h2o-{kind}")).to_have_text(texts)


def test_cells_read_as_prose_with_options_and_values_marked_also_while_typing(
    open_notebook: Opener, server: StandIn
) -> None:
    page = open_notebook.page
    long = "%%h2o\n" + "A line of {prose}.\n" * 3000
    source = chat_notebook(
        server,
        CELL,
        "for x in rows:\n    print(x)  # Python",
        "\n\n%%h2o\nNo kernel was needed.",
        'x = 1\n%h2o connect sim --name "my server"',
        "%%h2ox\nfor x in rows:",
        "",
    )
    source.cells.append(new_code_cell(long))
    notebook = open_notebook("prose.ipynb", source)
    cell = notebook.cell(1)
    expect(cell.locator(".cm-h2o-magic")).to_have_text("%%h2o")
    expect_marked(cell, "option", ["--model", "--temperature", "--system", "-o"])
    expect_marked(cell, "string", ["\"be 'short'\""])
    expect_marked(cell, "number", ["0.2"])
    expect_marked(cell, "value", ["{rows}", "{city.name['a b'][0]}"])
    expect_soon(page, lambda: cell.evaluate(PROSE), True)
    expect(notebook.cell(2).locator("[class*=cm-h2o]")).to_have_count(0)
    expect(notebook.cell(3).locator(".cm-h2o-magic")).to_have_text("%%h2o")
    expect_marked(notebook.cell(4), "magic", ["%h2o connect"])
    expect_marked(notebook.cell(4), "option", ["--name"])
    expect(notebook.cell(5).locator("[class*=cm-h2o]")).to_have_count(0)
    # It becomes prose while it is typed, and Python again.
    typed = notebook.cell(6)
    typed.locator(".cm-content").click()
    page.keyboard.type("%%h2o --raw")
    page.keyboard.press("Enter")
    page.keyboard.type("Use {rows} and `{rows}")
    expect(typed.locator(".cm-h2o-value")).to_have_count(2)
    page.keyboard.type("`")
    expect_marked(typed, "value", ["{rows}"])
    page.keyboard.press("Control+Home")
    page.keyboard.press("Delete")
    expect(typed.locator(".cm-h2o-value, .cm-h2o-prose")).to_have_count(1)
    page.keyboard.press("Control+z")
    # Of a long cell only what is in sight is marked.
    notebook.cell(7).scroll_into_view_if_needed()
    expect(notebook.cell(7).locator(".cm-h2o-value").first).to_be_visible()
    assert notebook.cell(7).locator(".cm-h2o-value").count() < 300
    notebook.cell(1).scroll_into_view_if_needed()
    notebook.screenshot("prose")
    set_theme(page, "Dark")
    notebook.screenshot("prose-dark")
    set_theme(page, "Light")
    lab = open_notebook.lab
    url = f"{lab.url}lab/extensions/h2o-magic/static/fields.js"
    found = page.evaluate(FIELDS, [url, TEXTS])
    for text, places in zip(TEXTS, found, strict=True):
        expected = [[f.start, f.end] for f in fields(text) if isinstance(f, Field)]
        assert [text[a:b] for a, b in places] == [text[a:b] for a, b in expected]
        assert places == expected
