import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat_panel.stream import HtmlStream

TEXT = """# Title

Some words, and 🙂 a smile that is *long enough*.

```python
for place in range(10):
    print(place)
```

| a | b |
|---|---|
| 1 | 2 |

- one
- two
"""


class Page:
    """Follows the steps as `turn.js` does, in UTF-16 units."""

    def __init__(self) -> None:
        self.finished: list[str] = []
        self.last = ""

    def take(self, steps: list[tuple[int, str]], restarted: bool) -> None:
        if restarted:
            self.finished, self.last = [], ""
        for number, (keep, added) in enumerate(steps):
            if number:
                self.finished.append(self.last)
                self.last = ""
            start = self.last.encode("utf-16-le")[: 2 * keep].decode("utf-16-le")
            self.last = start + added

    @property
    def html(self) -> list[str]:
        return [piece for piece in (*self.finished, self.last) if piece]


def whole(text: str) -> list[str]:
    page = Page()
    page.take(*HtmlStream().update(text))
    return page.html


@given(st.lists(st.integers(0, len(TEXT)), max_size=30))
def test_however_it_grows_the_page_comes_to_the_same(cuts: list[int]) -> None:
    stream, page = HtmlStream(), Page()
    for cut in [*sorted(cuts), len(TEXT)]:
        page.take(*stream.update(TEXT[:cut]))
    assert page.html == whole(TEXT)


def test_a_text_that_is_replaced_restarts() -> None:
    stream, page = HtmlStream(), Page()
    page.take(*stream.update("One thing.\n\nAnother"))
    page.take(*stream.update("Something else."))
    assert page.html == whole("Something else.")


def test_nothing_new_is_no_step() -> None:
    stream = HtmlStream()
    stream.update("text")
    assert stream.update("text") == ([], False)


@pytest.mark.parametrize("times", [20, 200])
def test_the_traffic_grows_with_the_text_and_not_with_its_square(times: int) -> None:
    stream, text, sent = HtmlStream(), TEXT * times, 0
    for end in range(0, len(text), 60):
        steps, _ = stream.update(text[:end])
        sent += sum(len(added) for _, added in steps)
    assert sent < 5 * len(text)
