from html.parser import HTMLParser

import pytest

from h2o_magic.rendering.iframe import sandboxed


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize(
    "text",
    [
        "<b>hi</b>",
        '"><script>alert(1)</script>',
        "'&quot;>",
        '" onload="x',
        "</iframe>",
    ],
)
def test_all_of_it_is_inside_one_frame_that_allows_nothing(text: str) -> None:
    ((tag, attributes),) = Tags(sandboxed(text)).found
    assert tag == "iframe"
    assert attributes["sandbox"] in (None, "")
    page = attributes["srcdoc"] or ""
    assert page.endswith(text)
    assert "default-src 'none'" in page.removesuffix(text)
    assert not {name for name in attributes if name.startswith("on")}


def test_where_frames_are_not_shown_a_line_says_what_would_be_there() -> None:
    assert ">An answer in HTML, which is not shown here.</iframe>" in sandboxed("<b>")
