"""How a subcommand answers: a sentence or a table, in Markdown and in plain text."""

from __future__ import annotations

from collections.abc import Sequence

from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.display.views import show_markdown
from h2o_magic.rendering import tables


def say(context: CommandContext, sentence: str, /, **texts: str) -> None:
    """Show a sentence; see :func:`filled`."""
    show_markdown(context.shell, *filled(sentence, **texts))


def say_all(context: CommandContext, sentences: Sequence[tuple[str, str]]) -> None:
    """Show sentences in both forms, each for itself."""
    markdown, plain = zip(*sentences, strict=True)
    show_markdown(context.shell, "\n\n".join(markdown), "\n".join(plain))


def filled(sentence: str, /, **texts: str) -> tuple[str, str]:
    """Return a sentence as Markdown and as plain text.

    Parameters
    ----------
    sentence
        Markdown with places for texts in braces, also in its code. The plain form has
        no backticks but those of the texts.
    **texts
        What stands in the places: names and other texts of the user, shown as they are.
    """
    plain = {name: tables.one_line(text) for name, text in texts.items()}
    return _markdown(sentence, texts), sentence.replace("`", "").format(**plain)


def show_table(
    context: CommandContext,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    below: Sequence[tuple[str, str]] = (),
) -> None:
    """Show a table, and below it sentences in both forms, each for itself."""
    markdown = [tables.as_markdown(head, rows), *(note for note, _ in below)]
    plain = [tables.as_text(head, rows), *([""] if below else [])]
    plain += [note for _, note in below]
    show_markdown(context.shell, "\n\n".join(markdown), "\n".join(plain))


def _markdown(sentence: str, texts: dict[str, str]) -> str:
    """Fill the places of a sentence, those in its code too."""
    shown = {name: tables.literal(text) for name, text in texts.items()}
    plain = {name: tables.one_line(text) for name, text in texts.items()}
    parts = sentence.split("`")
    parts[::2] = [part.format(**shown) for part in parts[::2]]
    parts[1::2] = [_code(part.format(**plain)) for part in parts[1::2]]
    return "".join(parts)


def _code(text: str) -> str:
    """Return `text` as code; in Markdown's own code no backtick can stand."""
    return f"<code>{tables.literal(text)}</code>" if "`" in text else f"`{text}`"
