import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat_panel.html import as_html
from h2o_magic.chat_panel.stream import NEW_BLOCK, HtmlStream, Step
from h2o_magic.rendering.blocks import close_fence

TEXT = """# Title

Some words, and 🙂 a smile that is *long enough*.

```python
for place in range(10):
    print(place)
```

| a | b |
|---|---|
| 1 | 2 |
| `x` | **y** |

- one

  ```sh
  ls
  ```
- two[^1]

مرحبا https://example.org

[^1]: A note.

~~~
``
~~~
"""
LONG_CODE = "```python\n" + "def f(x):\n    '''It 🙂.'''\n    return x < 1\n\n" * 160
LONG_TABLE = "| a | b |\n|---|--:|\n" + "| one `x` | 2 |\n" * 250
LONG = {
    "code": LONG_CODE + "```\n\nAfter it.",
    "code to the end": LONG_CODE + "```",
    "open code": LONG_CODE,
    "a string in code": '```python\n"""'
    + "It is long.\n" * 200
    + '"""\n'
    + "x=1\n" * 300,
    "two blocks of code": f"{LONG_CODE}```\n{LONG_CODE}```\n",
    "table": LONG_TABLE + "\nAfter it.",
    "list": "- one *two*\n  - three\n" * 100,
    "all": TEXT * 8,
}


class Page:
    """Follows the steps as `growing.js` does, in UTF-16 units."""

    def __init__(self) -> None:
        self.blocks: list[list[str]] = [[""]]
        self.drawn = 0

    def take(self, steps: list[Step], restarted: bool) -> None:
        if restarted:
            self.blocks = [[""]]
        for at, keep, added in steps:
            if (at, keep, added) == NEW_BLOCK:
                self.blocks.append([""])
                continue
            chunks = self.blocks[-1]
            del chunks[at + 1 :]
            if keep >= 0:
                chunks += [""] * (at + 1 - len(chunks))
                start = chunks[at].encode("utf-16-le")[: 2 * keep].decode("utf-16-le")
                chunks[at] = start + added
                self.drawn += len(chunks[at])

    @property
    def html(self) -> str:
        return "".join(map(_whole, self.blocks))


def _whole(chunks: list[str]) -> str:
    frame, *parts = chunks
    for slot in ("<pre><code>", "<tbody>\n"):
        before, found, after = frame.partition(slot)
        if parts and found:
            return "".join((before, found, *parts, after))
    assert not parts
    return frame


def grown(text: str, cuts: list[int]) -> Page:
    stream, page = HtmlStream(), Page()
    for cut in [*sorted(cuts), len(text)]:
        page.take(*stream.update(text[:cut]))
        assert page.html == stream.html
    return page


@given(st.lists(st.integers(0, len(TEXT)), max_size=30))
def test_however_it_grows_the_page_comes_to_the_whole(cuts: list[int]) -> None:
    assert grown(TEXT, cuts).html == as_html(TEXT)


@pytest.mark.parametrize("name", LONG)
def test_a_long_answer_grows_to_the_whole_by_parts_of_its_blocks(name: str) -> None:
    text = LONG[name]
    cuts = random.Random(name).sample(range(len(text)), 30)
    page = grown(text, cuts)
    assert page.html == as_html(close_fence(text))
    assert page.drawn < 10_000 * len(cuts)


def test_a_line_that_may_become_code_is_not_shown_before() -> None:
    stream, page = HtmlStream(), Page()
    for text in ("Hi.\n\n`", "Hi.\n\n``", "Hi.\n\n```", "Hi.\n\n```py"):
        page.take(*stream.update(text))
        assert page.html == "<p>Hi.</p>\n"
    page.take(*stream.update("Hi.\n\n```py\nx"))
    assert 'data-language="py"' in page.html
    page.take(*stream.update("Hi.\n\n```py\nx\n``"))
    assert "``" not in page.html


def test_the_frame_of_code_is_sent_once_and_closed_by_a_new_block() -> None:
    stream = HtmlStream()
    first, _ = stream.update("```py\n")
    steps, _ = stream.update("```py\nx = 1\ny")
    assert [at for at, _, _ in first] == [0]
    assert [at for at, _, _ in steps] == [1]
    steps, _ = stream.update("```py\nx = 1\ny\n```\n")
    assert steps[-1] == NEW_BLOCK


def test_a_text_that_is_replaced_restarts() -> None:
    stream, page = HtmlStream(), Page()
    page.take(*stream.update("One thing.\n\nAnother"))
    page.take(*stream.update("Something else."))
    assert page.html == as_html("Something else.")


def test_nothing_new_is_no_step() -> None:
    stream = HtmlStream()
    stream.update("text")
    assert stream.update("text") == ([], False)


@pytest.mark.parametrize("times", [20, 200])
def test_the_traffic_grows_with_the_text_and_not_with_its_square(times: int) -> None:
    stream, text, sent = HtmlStream(), TEXT * times, 0
    for end in range(0, len(text), 60):
        steps, _ = stream.update(text[:end])
        sent += sum(len(added) for _, _, added in steps)
    assert sent < 8 * len(text)
