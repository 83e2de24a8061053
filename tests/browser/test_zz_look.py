import threading, json
from pathlib import Path
import pytest
from playwright.sync_api import expect
from tests.browser.test_panel import opened, set_theme, violations
OUT = Path("/tmp/scratch/h19/f-reading")
pytestmark = pytest.mark.browser
RICH = """Here is what was done, see https://example.org/docs and `df.head()`[^1]:

- [x] Read the *file*
- [ ] Plot it[^2]
- a plain item

$$\\int_0^1 \\frac{x^2}{\\sqrt{1+x}}\\,dx = \\sum_{n=0}^{\\infty} a_n$$

```mermaid
graph TD
  A[Start] --> B[End]
```

| name | rows | comment |
|---|--:|---|
| first | 1,024 | a longer comment that is wide enough to be cut somewhere |
| second | 7 | short |

مرحبا بالعالم، هذا نص مع `df.head()` وكود:

- عنصر أول
- عنصر ثان

```bash
pip install pandas
```

```python
import pandas as pd; df = pd.read_csv("a_very_long_file_name_that_goes_on.csv", sep=";", parse_dates=["when"], index_col=0); print(df.describe(include="all"))
```

[^1]: The first rows.
[^2]: See https://example.org/plots.
"""
ARABIC = "مرحبا، استخدم الكود التالي:\n\n- عنصر `x = 1` أول\n\n  ```python\n  print(\"a\")\n  ```\n\n- عنصر\n\n```python\nprint(1)  # (a)\n```\n\nAn English end.\n\nשלום עולם.\n"
def test_look(open_notebook, server):
    server.script = [ARABIC]
    notebook, panel = opened(open_notebook, server, "look.ipynb", "%%h2o\nArabic?")
    page = notebook.page
    rows = page.evaluate("""() => [...document.querySelectorAll(".jp-Cell-outputArea .jp-RenderedMarkdown :is(p, pre, li, div)")].map(e => [e.tagName, getComputedStyle(e).direction, e.getAttribute("dir"), e.textContent.slice(0,20)])""")
    print(json.dumps(rows, ensure_ascii=False, indent=0))
    notebook.output(1).scroll_into_view_if_needed()
    page.screenshot(path=OUT/"cell-rtl.png")
    gates = [threading.Event() for _ in range(5)]
    code = [f"value_{n} = compute({n})  # line {n}\n" for n in range(60)]
    server.script = ["First some words.\n\n", "```python\n", code[0], gates[0], *code[1:20], gates[1], *code[20:], gates[2], "```", gates[3], "\n\nAnd the end of it.\n"]
    panel.ask("Long code")
    top = """() => { const t=[...document.querySelectorAll(".h2o-turn")].at(-1); const pre=t.querySelector(".h2o-code pre"); return pre ? [pre.getBoundingClientRect().top - t.getBoundingClientRect().top, pre.offsetHeight, pre.scrollTop, pre.scrollHeight, getComputedStyle(pre).whiteSpace, [...t.querySelectorAll(".h2o-code button")].map(b=>b.title+b.disabled)] : null }"""
    expect(panel.turn(2)).to_contain_text("line 0")
    print(page.evaluate(top)); page.screenshot(path=OUT/"grow-1.png")
    gates[0].set(); expect(panel.turn(2)).to_contain_text("line 19")
    print(page.evaluate(top))
    gates[1].set(); expect(panel.turn(2)).to_contain_text("line 59"); page.wait_for_timeout(300)
    print(page.evaluate(top)); page.screenshot(path=OUT/"grow-2.png")
    gates[2].set(); page.wait_for_timeout(500)
    print(page.evaluate(top))
    gates[3].set(); panel.wait_for_end(2, "the end of it"); page.wait_for_timeout(300)
    print(page.evaluate(top)); page.screenshot(path=OUT/"grow-3.png")
    server.script = [RICH]
    panel.ask("Rich"); panel.wait_for_end(3, "The first rows"); page.wait_for_timeout(500)
    notebook.output(2).scroll_into_view_if_needed()
    panel.place.screenshot(path=OUT/"rich-end.png")
    page.evaluate("""() => { document.querySelector(".h2o-chat").style.height = "1500px" }"""); 
    page.set_viewport_size({"width": 1400, "height": 1900}); page.wait_for_timeout(800)
    panel.place.screenshot(path=OUT/"rich-light.png")
    set_theme(page, "Dark"); page.wait_for_timeout(500); panel.place.screenshot(path=OUT/"rich-dark.png")
    set_theme(page, "Light")
    page.set_viewport_size({"width": 660, "height": 1900}); page.wait_for_timeout(1000)
    print("width", page.evaluate("() => document.querySelector('.h2o-panel').clientWidth"))
    panel.place.screenshot(path=OUT/"rich-narrow.png")
    print(violations(page))
    print(page.evaluate("""() => [...document.querySelectorAll(".h2o-panel *")].filter(e => /undefined/.test((e.title||"") + (e.ariaLabel||"") )).map(e => e.outerHTML.slice(0,100))"""))
    print(page.evaluate("""() => [...document.querySelectorAll(".h2o-panel math[display=block], .h2o-code pre, .h2o-panel table")].map(e => [e.tagName, e.scrollHeight, e.clientHeight, e.offsetHeight])"""))
