import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat_panel.stream import Growth

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
    """Follows the steps as `chat.js` does, in UTF-16 units."""

    def __init__(self) -> None:
        self.settled: list[str] = []
        self.tail = ""

    def take(self, steps: list[tuple[int, str]], anew: bool) -> None:
        if anew:
            self.settled, self.tail = [], ""
        for number, (keep, added) in enumerate(steps):
            if number:
                self.settled.append(self.tail)
                self.tail = ""
            start = self.tail.encode("utf-16-le")[: 2 * keep].decode("utf-16-le")
            self.tail = start + added

    @property
    def html(self) -> list[str]:
        return [piece for piece in (*self.settled, self.tail) if piece]


def whole(text: str) -> list[str]:
    page = Page()
    page.take(*Growth().to(text))
    return page.html


@given(st.lists(st.integers(0, len(TEXT)), max_size=30))
def test_however_it_grows_the_page_comes_to_the_same(cuts: list[int]) -> None:
    growth, page = Growth(), Page()
    for cut in [*sorted(cuts), len(TEXT)]:
        page.take(*growth.to(TEXT[:cut]))
    assert page.html == whole(TEXT)


def test_a_text_that_is_replaced_begins_anew() -> None:
    growth, page = Growth(), Page()
    page.take(*growth.to("One thing.\n\nAnother"))
    page.take(*growth.to("Something else."))
    assert page.html == whole("Something else.")


def test_nothing_new_is_no_step() -> None:
    growth = Growth()
    growth.to("text")
    assert growth.to("text") == ([], False)


@pytest.mark.parametrize("times", [20, 200])
def test_the_traffic_grows_with_the_text_and_not_with_its_square(times: int) -> None:
    growth, text, sent = Growth(), TEXT * times, 0
    for end in range(0, len(text), 60):
        steps, _ = growth.to(text[:end])
        sent += sum(len(added) for _, added in steps)
    assert sent < 5 * len(text)
