"""Foreign HTML in a frame of its own, in which nothing can act."""

from __future__ import annotations

import html

# The sandbox attribute without a word in it allows nothing: no script, no form, no
# window, no move to another page, no access to the page around. The policy keeps it
# from loading anything; it stands before the text, which cannot take it back.
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">"
)
_STYLE = "width: 100%; height: 24em; border: 1px solid #8888; background: white"


def sandboxed(text: str) -> str:
    """Return HTML that shows `text`, itself HTML, where it can run and load nothing.

    Where frames are not shown, a line says what would be there.

    Parameters
    ----------
    text
        A page or a part of one.
    """
    page = html.escape(f"<!doctype html>{_POLICY}{text}", quote=True)
    return (
        f'<iframe sandbox srcdoc="{page}" title="an answer in HTML" '
        f'referrerpolicy="no-referrer" loading="lazy" style="{_STYLE}">'
        "An answer in HTML, which is not shown here.</iframe>"
    )
