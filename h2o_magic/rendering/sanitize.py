"""Untrusted Markdown and HTML shown so that no script runs and nothing is loaded.

JupyterLab trusts the output of cells that were run, and then a tag in Markdown is a tag
of the page. What a model writes is sanitized here before it is shown:

- tags are shown as text, but for a few without attributes (``<br>``, ``<sub>``);
- links lead to other hosts, to mail or within the page: one by a path would lead to
  this host, where its address may act;
- an image becomes a link to it, since loading it would tell its server who reads;
  only an image that the text itself contains (``data:``) is shown;
- a page of HTML is shown in a frame in which nothing can act.

What is ordinary Markdown looks as before, and code stays as it is, but for what pages
take minutes to show (`excess`). Renderers do not
agree on where code ends, so code with tags in it is kept where all of them agree: in a
fence with blank lines around it and a mark that its text does not contain. The only
fences in the result are those that are understood here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from h2o_magic.rendering.excess import LONGEST_RUN, cut_fences, tamed
from h2o_magic.rendering.fences import Fence, opened, untabbed
from h2o_magic.rendering.sanitize_inline import MATH, is_inert, sanitize_prose

#: Without one of these a text has no tags, links, code, formulas or quotations.
_MAY_CHANGE = re.compile(r'[\\$@`~!\]<>"\r]')

#: Quotations within quotations, until their marks are taken for text.
_MOST_QUOTES = 4

_QUOTE = re.compile(r" {0,3}> ?")
_LATE_NUMBER = re.compile(r"(?:^|[ \t])0*(?!1[.)])\d+[.)][ \t]")
_PLAIN_INFO = re.compile(r"[ \t]*[\w+#.{}-]*(?:[ \t][\w+#.,=:'{} \t-]*)?")
# A diagram is drawn by a program of its own, which follows links and loads styles.
_ACTIVE_DIAGRAM = re.compile(
    r"%%\{|^[ \t]*---|url|import|//|script|click|href|img|<(?!br ?/?>)|&|[$\\@]",
    re.IGNORECASE | re.MULTILINE,
)

# The sandbox attribute without a word in it allows nothing: no script, no form, no
# window, no move to another page, no access to the page around. The policy keeps it
# from loading anything; it comes before the page, which cannot undo it.
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">"
)
_STYLE = "width: 100%; height: 24em; border: 1px solid #8888; background: white"


def sanitize(markdown: str) -> str:
    """Return the same Markdown in which nothing acts, in linear time.

    Sanitized Markdown is returned as it is. The pieces of a text that
    `blocks.BlockSplitter` cuts give what the whole gives, but for blank lines between.
    """
    if len(markdown) <= LONGEST_RUN and _MAY_CHANGE.search(markdown) is None:
        return markdown
    lines = markdown.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(_Writer().write(lines))


def sandboxed(page: str) -> str:
    """Return an iframe that shows HTML, a page or a part of one, and lets nothing act.

    Where frames are not shown, a line says so.
    """
    source = html.escape(f"<!doctype html>{_POLICY}{page}", quote=True)
    return (
        f'<iframe sandbox srcdoc="{source}" title="an answer in HTML" '
        f'referrerpolicy="no-referrer" loading="lazy" style="{_STYLE}">'
        "An HTML answer, which cannot be shown here.</iframe>"
    )


@dataclass(slots=True)
class _Code:
    fence: Fence
    body: list[str] = field(default_factory=list)
    closed: bool = False

    @property
    def text(self) -> str:
        return "\n".join([self.fence.info, *self.body])

    def takes(self, line: str) -> bool:
        """Take a line of the block; False if it is indented less: a list item ends."""
        line = untabbed(line) if self.fence.lead else line
        if line.strip(" ") and not line.startswith(self.fence.indent):
            return False
        self.closed = self.fence.closed_by(line)
        if not self.closed:
            self.body.append(cut_fences(line))
        return True

    def lines(self) -> Iterator[str]:
        """Yield the block with a fence that no line of it can be taken for."""
        lead, mark = self.fence.lead, self.fence.mark
        closer = rf"^ {{0,{len(lead) + 3}}}({mark[0]}{{3,}})"
        runs = re.findall(closer, "\n".join(self.body), re.MULTILINE)
        mark = max([mark, *(run + mark[0] for run in runs)], key=len)
        yield lead + mark + self._clean_info()
        yield from self.body
        yield self.fence.indent + mark

    def _clean_info(self) -> str:
        info = self.fence.info
        if info.strip().lower().startswith("mermaid"):
            return "text" if _ACTIVE_DIAGRAM.search(self.text) else info
        if _PLAIN_INFO.fullmatch(info):
            return info
        found = re.match(r"[ \t]*([\w+#.-]*)", info)
        return found[1] if found else ""


class _Writer:
    def __init__(self, depth: int = 0, *, formulas: bool = False) -> None:
        self._depth = depth
        self._formulas = formulas
        self._written: list[str] = []
        self._prose: list[str] = []
        self._apart = False  # what follows needs a blank line before it
        self._lazy = False  # what follows may belong to a quotation's paragraph

    def write(self, lines: list[str]) -> list[str]:
        place = 0
        while place < len(lines):
            place = self._block(lines, place)
        self._end_prose()
        return self._written

    def _block(self, lines: list[str], place: int) -> int:
        """Write what begins at `place`; return where the next begins."""
        line = lines[place]
        if not line.strip(" \t"):
            self._end_prose()
            self._written.append(line)
            self._apart = self._lazy = False
            return place + 1
        fence = opened(line)
        if fence is not None:
            return self._code(_Code(fence), lines, place)
        if self._depth < _MOST_QUOTES and _QUOTE.match(line):
            return self._quotation(lines, place)
        self._prose.append(line)
        return place + 1

    def _code(self, code: _Code, lines: list[str], place: int) -> int:
        end = place + 1
        while end < len(lines) and not code.closed and code.takes(lines[end]):
            end += 1
        if not code.closed:
            while code.body and not code.body[-1].strip(" "):
                code.body.pop()
                end -= 1
        if self._formulas and not (is_inert(code.text) and '"' not in code.text):
            self._prose += lines[place:end]
            return end
        self._end_prose()
        inert = is_inert(code.text)
        if not inert or _LATE_NUMBER.search(code.fence.lead):
            self._apart = True
        self._put(list(code.lines()))
        self._apart = not inert
        # Indented so far it may be a paragraph's text, and that goes on.
        self._lazy = len(code.fence.lead) > 3
        return end

    def _quotation(self, lines: list[str], place: int) -> int:
        end = place
        while end < len(lines) and _QUOTE.match(lines[end]):
            end += 1
        given = [_QUOTE.sub("", line, count=1) for line in lines[place:end]]
        formulas = self._formulas or any(map(MATH.search, given))
        self._end_prose()
        inner = _Writer(self._depth + 1, formulas=formulas).write(given)
        if inner == given:
            self._put(lines[place:end])
        else:
            self._put([f"> {line}".rstrip(" ") for line in inner])
        self._apart = formulas
        self._lazy = True
        return end

    def _end_prose(self) -> None:
        if not self._prose:
            return
        text = "\n".join(tamed(self._prose))
        clear = not (self._formulas or self._lazy)
        shown = sanitize_prose(text, clear=clear, formulas=self._formulas)
        self._prose = []
        self._put(shown.split("\n"))
        self._apart = MATH.search(text) is not None

    def _put(self, lines: list[str]) -> None:
        if self._apart and self._written and self._written[-1].strip(" \t"):
            self._written.append("")
        self._written += lines
        self._apart = self._lazy = False
