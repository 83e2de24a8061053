"""Formulas as MathML, which browsers draw themselves.

The tree that latex2mathml makes is written out here, with known elements and attributes
only: what a formula's text says can be no mark-up, style or address.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

_ELEMENTS = frozenset(
    (
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "mtext",
        "mspace",
        "ms",
        "mfrac",
        "msqrt",
        "mroot",
        "mstyle",
        "merror",
        "mpadded",
        "mphantom",
        "menclose",
        "msub",
        "msup",
        "msubsup",
        "munder",
        "mover",
        "munderover",
        "mmultiscripts",
        "mtable",
        "mtr",
        "mtd",
        "none",
        "mprescripts",
    )
)
_ATTRIBUTES = frozenset(
    (
        "accent",
        "accentunder",
        "columnalign",
        "columnlines",
        "columnspacing",
        "depth",
        "display",
        "displaystyle",
        "fence",
        "form",
        "height",
        "largeop",
        "linethickness",
        "lspace",
        "mathcolor",
        "mathvariant",
        "maxsize",
        "minsize",
        "movablelimits",
        "notation",
        "rowlines",
        "rowspacing",
        "rspace",
        "scriptlevel",
        "separator",
        "stretchy",
        "symmetric",
        "voffset",
        "width",
    )
)
_PLAIN_VALUE = re.compile(r"[\w#.%+ -]*", re.ASCII)
#: A longer formula, or one that is nested more deeply, is shown as it was written.
_LONGEST = 5000
_DEEPEST = 60


def formula(latex: str, *, block: bool) -> str:
    """Return a formula as HTML.

    Parameters
    ----------
    latex
        The formula, without the marks around it.
    block
        True if it stands on lines of its own.

    Returns
    -------
    str
        A ``math`` element; code with the formula's text if it cannot be read.
    """
    try:
        if len(latex) > _LONGEST or latex.count("{") > _LONGEST // 10:
            raise ValueError("too long")
        tree = convert_to_element(latex, display="block" if block else "inline")
        return "".join(_written(tree, _DEEPEST))
    # The converter raises errors of many kinds, plain IndexErrors among them.
    except Exception:
        shown = f'<code class="h2o-tex">{html.escape(latex)}</code>'
        return f"<p>{shown}</p>" if block else shown


def _written(element: Element, deepest: int) -> Iterator[str]:
    if not deepest:
        raise ValueError("too deep")
    tag = element.tag if element.tag in _ELEMENTS else "mrow"
    attributes = "".join(
        f' {name}="{value}"'
        for name, value in element.attrib.items()
        if name in _ATTRIBUTES and _PLAIN_VALUE.fullmatch(value)
    )
    yield f"<{tag}{attributes}>"
    # It writes characters as entities: twice read, once written.
    yield html.escape(html.unescape(element.text or ""), quote=False)
    for child in element:
        yield from _written(child, deepest - 1)
    yield f"</{tag}>"
