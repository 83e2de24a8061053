r"""Words of users, models and servers in Markdown, shown as they stand.

Nothing in them acts: by CommonMark, by what GitHub and nbconvert add to it, or in the
formulas of notebooks. Nothing else is escaped, since people read saved notebooks in
diffs. Addresses become code, which nobody makes a link.
"""

from __future__ import annotations

import re

from h2o_magic.rendering.excess import cut_runs

#: Control characters, but for line ends and tabs, and halves of characters.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

#: What turns the direction of the text that follows, also beyond its own end.
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

# JupyterLab looks for formulas twice: in the Markdown, and in the text of the page that
# came of it. The second search goes through one text node at a time, so an element of
# its own around its marks ends it.
_ACTIVE = re.compile(
    r"""
    (?P<word>(?<=[^\W_])_+(?=[^\W_]))
    | (?P<address>(?<![\w`\\/.])(?:(?i:https?|ftp)://|(?i:www)\.)[^\s`|\\$<>]*[\w/&=+-])
    | (?P<apart>\$|\\(?=[()\[\]]|[A-Za-z]+\s*\{|\Z)|\A\d{1,9}\)(?=\ |\Z))
    | (?P<before>
        (?i:https?|ftp)(?=://)|(?i:www)(?=\.)|\](?=[(\[])|\A\d{1,9}(?=\.(?:\ |\Z)) )
    | (?P<mark>
        [`|] | (?<=!)\[ | (?<!\ )[*~] | \*(?!\ ) | (?<=\S)_ | _(?![^\W_])
        | <(?=[A-Za-z/!?]|\Z) | \\(?=[!-/:-@\[-`{-~]) | &(?=\#?\w{1,32};)
        | (?<=[\w.+-])@(?=[\w-]+\.)
        | \A(?:[>\#\[]|[-+=:](?=[-=:\ ]*\Z|\ )) )
    """,
    re.VERBOSE,
)
# A formula in code acts where the Markdown is searched for one.
_NO_CODE = re.compile(r"[`$]|\\{2}[(\[]|\\(?:begin|end)\{")


def literal(text: str) -> str:
    """Return Markdown that shows `text` unchanged on one line.

    Line ends become spaces; invisible characters, and what is too much of one mark, are
    left out.
    """
    return _ACTIVE.sub(_as_text, one_line(text))


def alternative(name: str) -> str:
    """Return the words of an image: brackets in them could end them."""
    return literal(name.replace("[", "(").replace("]", ")"))


def one_line(text: str) -> str:
    """Return `text` with one space for white space, without control characters."""
    seen = _TURNING.sub("", _UNSEEN.sub("", " ".join(text.split())))
    return cut_runs(" ".join(seen.split()))


def printable(text: str) -> str:
    """Return `text` without control characters that could steer a terminal."""
    return _UNSEEN.sub("", text)


def code(text: str) -> str:
    """Return Markdown that shows `text` as code on one line."""
    line = one_line(text)
    return f"<code>{literal(line)}</code>" if _NO_CODE.search(line) else f"`{line}`"


def phrase(text: str) -> str:
    """Return Markdown of words of this package: backticks mark code in them."""
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0:  # the last one has no end
        parts[-2:] = ["`".join(parts[-2:])]
    parts[::2] = [_ACTIVE.sub(_as_text, part) for part in parts[::2]]
    parts[1::2] = [
        code(part) if part.strip() else f"\\`{part}\\`" for part in parts[1::2]
    ]
    return "".join(parts)


def without_marks(text: str) -> str:
    """Return words of this package in plain text, without the marks of code."""
    return text.replace("`", "")


def _as_text(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "word":
            return found[0]
        case "address":
            return f"`{found[0]}`"
        case "apart":
            escaped = found[0] if found[0][0].isdigit() else f"\\{found[0]}"
            return f"<span>{escaped}</span>"
        case "before":
            return f"{found[0]}\\"
    return "&lt;" if found[0] == "<" else f"\\{found[0]}"
