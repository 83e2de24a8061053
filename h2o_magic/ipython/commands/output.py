"""The output of a command: a sentence or a table, as Markdown and as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.display.views import show_markdown
from h2o_magic.rendering import tables
from h2o_magic.rendering.literal import code, literal, one_line

#: A text as Markdown and as plain text.
Both = tuple[str, str]


def reply(context: CommandContext, sentence: str, /, **texts: str) -> None:
    """Show a sentence; see :func:`fill`."""
    show_markdown(context.shell, *fill(sentence, **texts))


def reply_all(context: CommandContext, sentences: Sequence[Both]) -> None:
    """Show sentences, each in a paragraph of its own."""
    markdown, plain = zip(*sentences, strict=True)
    show_markdown(context.shell, "\n\n".join(markdown), "\n".join(plain))


def show_table(
    context: CommandContext,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    above: Both | None = None,
    below: Sequence[Both] = (),
) -> None:
    """Show a table with sentences above and below it."""
    markdown = [tables.as_markdown(head, rows), *(note for note, _ in below)]
    plain = tables.as_text(head, rows)
    if below:
        plain = "\n".join([plain, "", *(note for _, note in below)])
    if above:
        markdown, plain = [above[0], *markdown], f"{above[1]}\n\n{plain}"
    show_markdown(context.shell, "\n\n".join(markdown), plain)


def fill(sentence: str, /, **texts: str) -> Both:
    """Return Markdown with texts in the places in braces, also as plain text."""
    shown = {name: literal(text) for name, text in texts.items()}
    plain = {name: one_line(text) for name, text in texts.items()}
    parts = sentence.split("`")
    parts[::2] = [part.format(**shown) for part in parts[::2]]
    parts[1::2] = [code(part.format(**plain)) for part in parts[1::2]]
    return "".join(parts), sentence.replace("`", "").format(**plain)
