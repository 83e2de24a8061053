"""Answers as they are read: in the panel, where code can be used, and in cells."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Opener, expect_soon
from tests.browser.test_panel import opened, violations
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser

LINES = [f"value_{n} = compute({n})  # line {n}\n" for n in range(60)]

RICH = """Done[^1], see https://example.org/docs and /lab/tree:

- [x] Read
- [ ] Plot

$$\\int_0^1 \\frac{x^2}{\\sqrt{1+x}}\\,dx$$

```mermaid
graph TD
```

```bash
pip install pandas
```

```json
{"a": 1}
```

مرحبا بالعالم:

- عنصر `f(x)`

[^1]: The first note.
"""

ARABIC = """مرحبا:

- عنصر

  ```python
  print("a")
  ```

```python
print(1)  # (a)
```

An English end.
"""

#: Where the code of an answer is in its turn, in pixels, and whether its lines wrap.
CODE = """turn => {
  const code = turn.querySelector('.h2o-code pre');
  const { top, height } = code.getBoundingClientRect();
  return {
    top: top - turn.getBoundingClientRect().top,
    height,
    below: code.scrollHeight - code.clientHeight - code.scrollTop,
    space: getComputedStyle(code).whiteSpace,
  };
}"""

#: What shows a scroll bar from top to bottom though it has no height of its own.
SCROLLED = """panel => [...panel.querySelectorAll('math, table, .h2o-code pre')]
  .filter(e => e.scrollHeight > e.clientHeight)
  .filter(e => getComputedStyle(e).overflowY !== 'hidden').length"""

UNDEFINED = """panel => [...panel.querySelectorAll('*')]
  .map(e => `${e.title ?? ''}${e.ariaLabel ?? ''}`)
  .filter(said => /undefined|null|NaN/.test(said)).length"""

DIRECTIONS = """place => [...place.querySelectorAll(':is(p, li, pre)')]
  .map(e => [e, getComputedStyle(e)])
  .map(([e, style]) => `${e.tagName} ${style.direction} ${style.textAlign}`)"""


#: Whether all of an element can be scrolled into its sight, which is within the chat's.
SCROLLS = """element => {
  const log = element.closest(".h2o-log").getBoundingClientRect();
  const {right} = element.getBoundingClientRect();
  return right <= log.right && element.scrollWidth > element.clientWidth;
}"""


def code_in(turn: Locator) -> dict[str, Any]:
    found: dict[str, Any] = turn.evaluate(CODE)
    return found


def test_code_stays_in_its_place_while_it_grows_and_long_code_is_folded(
    open_notebook: Opener, server: StandIn
) -> None:
    gates = [threading.Event() for _ in range(3)]
    notebook, panel = opened(open_notebook, server, "reading-code.ipynb")
    page, turn = notebook.page, panel.turn(1)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    wide = "wide = " + " + ".join(["1"] * 200) + "\n"
    server.script = [
        *("Some words.\n\n", "```python\n", LINES[0], gates[0], wide, *LINES[1:20]),
        *(gates[1], *LINES[20:], gates[2], "```\n\nThe end."),
    ]
    panel.ask("Code?")
    expect(turn).to_contain_text("line 0")
    expect(turn.locator(".h2o-code-head")).to_have_text("python")
    copy = turn.get_by_role("button", name="Copy the code")
    expect(copy).to_be_disabled()
    first = code_in(turn)
    seen = [first]
    for gate, text in zip(gates, ("line 19", "line 59", "The end."), strict=True):
        gate.set()
        expect(turn).to_contain_text(text)
        seen.append(code_in(turn))
    panel.wait_for_end(1, "The end.")
    seen.append(code_in(turn))
    assert {one["top"] for one in seen} == {first["top"]}
    assert {one["space"] for one in seen} == {"pre"}
    assert seen[1]["height"] > 5 * first["height"]
    # After 40 lines it does not grow, but shows its end; then it shows its beginning.
    most = seen[2]["height"]
    assert seen[2]["below"] < 2
    assert seen[-1]["height"] == most
    assert seen[-1]["below"] > 300
    expect(turn.locator(".h2o-run")).not_to_have_count(0)  # it was not drawn again

    panel.press("Show all 61 lines")
    expect_soon(page, lambda: code_in(turn)["height"] > most + 300, True)
    panel.press("Show less")
    expect_soon(page, lambda: code_in(turn)["height"], most)
    panel.press("Copy the code")
    expect(panel.status).to_have_text("Copied the code.")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied == "".join([LINES[0], wide, *LINES[1:]]).rstrip("\n")
    panel.press("Insert below the active cell")
    expect(notebook.cell(2)).to_contain_text("value_0 = compute(0)")


def test_rich_answers_are_calm_and_can_go_on_and_be_copied(
    open_notebook: Opener, server: StandIn
) -> None:
    server.script = [ARABIC]
    notebook, panel = opened(
        open_notebook, server, "reading-rich.ipynb", "%%h2o\nArabic?"
    )
    page, turn = notebook.page, panel.turn(2)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    in_cell = notebook.output(1).locator(".jp-RenderedMarkdown").evaluate(DIRECTIONS)
    in_panel = panel.turn(1).locator(".h2o-body").evaluate(DIRECTIONS)
    for shown in (in_cell, in_panel):
        assert [each.split()[1] for each in shown if not each.startswith("PRE")] == [
            *("rtl", "rtl", "rtl", "ltr"),  # two paragraphs, the item; English
            *(["ltr"] if shown is in_cell else []),  # the footer
        ]
        assert {each.split()[1] for each in shown if each.startswith("PRE")} == {"ltr"}
    assert in_cell[0] == "P rtl right"

    server.script = [RICH]
    panel.ask("Rich?")
    panel.wait_for_end(2, "The first note.")
    expect(turn.get_by_role("checkbox", name="Read")).to_be_checked()
    expect(turn.get_by_role("checkbox", name="Plot")).to_be_disabled()
    expect(turn.get_by_role("link")).to_have_count(1)
    expect(turn.locator(".h2o-code-head").first).to_have_text("mermaid")
    insert = turn.get_by_role("button", name="Insert below the active cell")
    expect(insert).to_have_count(1)  # neither a diagram nor JSON runs
    assert "as a %pip cell" in (insert.get_attribute("title") or "")
    turn.get_by_role("button", name="Footnote 1", exact=True).press("Enter")
    expect(turn.locator(".h2o-footnote")).to_be_focused()
    turn.get_by_role("button", name="Back from footnote 1").press("Enter")
    expect(turn.locator(".h2o-footnote-mark")).to_be_focused()
    expect_soon(page, lambda: panel.place.evaluate(SCROLLED), 0)
    expect_soon(page, lambda: panel.place.evaluate(UNDEFINED), 0)
    assert violations(page) == []

    panel.press("Ways to copy the answer of turn 2")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(panel.status).to_have_text("Copied the answer as text.")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert "\n\n    pip install pandas\n\n" in copied
    assert "```" not in copied

    server.script, server.details = ["It was cut"], {"finish_reason": "length"}
    panel.ask("Long?")
    panel.wait_for_end(3, "It was cut")
    expect(panel.turn(3)).to_contain_text("Cut off by the token limit")
    server.script, server.details = ["here."], {"finish_reason": "eos_token"}
    panel.press("Continue: let turn 3 go on where it was cut off")
    panel.wait_for_end(3, "It was cut here.")
    expect(panel.turn(3).locator(".h2o-versions")).to_have_text("2 of 2")
    expect(panel.turns).to_have_count(3)
    panel.press("Earlier version of turn 3")
    expect(panel.turn(3)).not_to_contain_text("here.")

    server.script = ["Here is $" + " + ".join(f"x_{{{n}}}" for n in range(99)) + "$."]
    panel.ask("A wide formula?")
    panel.wait_for_end(4, "Here is")
    formula = panel.turn(4).locator("math")
    expect(formula).to_have_attribute("tabindex", "0")
    expect_soon(page, lambda: formula.evaluate(SCROLLS), True)
    server.script = []
    panel.ask("Nothing?")
    panel.wait_for_end(5, "(empty answer)")
