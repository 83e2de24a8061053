"""LaTeX formulas as MathML, which browsers draw themselves.

Only known elements and attributes of latex2mathml's tree are written out, so that no
formula can bring in markup, styles or addresses.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

_ELEMENT = re.compile(
    "math|mrow|mi|mn|mo|mtext|mspace|ms|mfrac|msqrt|mroot|mstyle|merror|mpadded"
    "|mphantom|menclose|msub|msup|msubsup|munder|mover|munderover|mmultiscripts"
    "|mtable|mtr|mtd|none|mprescripts"
)
_ATTRIBUTE = re.compile(
    "accent|accentunder|columnalign|columnlines|columnspacing|depth|display"
    "|displaystyle|fence|form|height|largeop|linethickness|lspace|mathcolor"
    "|mathvariant|maxsize|minsize|movablelimits|notation|rowlines|rowspacing|rspace"
    "|scriptlevel|separator|stretchy|symmetric|voffset|width"
)
_PLAIN_VALUE = re.compile(r"[\w#.%+ -]*", re.ASCII)
#: A longer or more deeply nested formula is shown as its source.
_LONGEST = 5000
_DEEPEST = 60


def formula(latex: str, *, block: bool) -> str:
    """Return a formula as a ``math`` element; its source as code if it is invalid."""
    try:
        if len(latex) > _LONGEST or latex.count("{") > _LONGEST // 10:
            raise ValueError("too long")
        tree = convert_to_element(latex, display="block" if block else "inline")
        return "".join(_serialize(tree, _DEEPEST))
    # The converter raises many kinds of errors, IndexError among them.
    except Exception:
        shown = f'<code class="h2o-tex">{html.escape(latex)}</code>'
        return f"<p>{shown}</p>" if block else shown


def _serialize(element: Element, deepest: int) -> Iterator[str]:
    if not deepest:
        raise ValueError("too deep")
    tag = element.tag if _ELEMENT.fullmatch(element.tag) else "mrow"
    attributes = "".join(
        f' {name}="{value}"'
        for name, value in element.attrib.items()
        if _ATTRIBUTE.fullmatch(name) and _PLAIN_VALUE.fullmatch(value)
    )
    yield f"<{tag}{attributes}>"
    # latex2mathml has escaped some characters already.
    yield html.escape(html.unescape(element.text or ""), quote=False)
    for child in element:
        yield from _serialize(child, deepest - 1)
    yield f"</{tag}>"
