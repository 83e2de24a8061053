"""The menu of a panel's composer: commands with their help, values with their size."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from h2o_magic.chat_panel.host import Entry
from h2o_magic.ipython import commands
from h2o_magic.ipython.completion import lines, names
from h2o_magic.ipython.completion.cursor import Command, Offer, Prompt
from h2o_magic.ipython.completion.values import Values
from h2o_magic.prompts.glance import code_kind, glance, is_frame

#: Entries that a menu has at most.
_MOST = 100

_CLOSED = re.compile(r"[^{}\n]*\}")


def menu(
    shell: Any, before: str, after: str, *, without: Collection[str] = ()
) -> tuple[str, list[Entry]]:
    """Return the word at the cursor so far, and the entries that fit.

    A message that begins with a slash is completed as a command, but for those
    `without`; any other, in braces.
    """
    values = Values(shell)
    if before.startswith("/"):
        word, offers = lines.on_command(Command(before[1:], after), values)
        return word, [_of_command(o) for o in offers if not _is_left_out(o, without)]
    word, offers = names.in_braces(Prompt(before, after), values)
    if before[: len(before) - len(word)].endswith("{"):
        offers = sorted(offers, key=lambda offer: _rank(offer, values.namespace))
        if outputs := list(_outputs(word, values.numbered["Out"])):
            offers = [*outputs, *(each for each in offers if each.text != "Out")]
    then = "" if _CLOSED.match(after) else "}"
    return word, [(o.text, o.about(), then) for o in offers[:_MOST]]


def _is_left_out(offer: Offer, without: Collection[str]) -> bool:
    return offer.kind == "subcommand" and offer.text in without


def _of_command(offer: Offer) -> Entry:
    command = commands.find(offer.text) if offer.kind == "subcommand" else None
    return offer.text, offer.about(), " " if command and command.usage else ""


def _rank(offer: Offer, namespace: Mapping[str, Any]) -> int:
    """Return 0 for a data frame, 1 for other data, 2 for code."""
    value = namespace.get(offer.text)
    return 0 if is_frame(value) else 2 if code_kind(value) else 1


def _outputs(word: str, outputs: object) -> Iterator[Offer]:
    """Yield the values that cells gave, newest first, if they may be meant."""
    if not word or not isinstance(outputs, dict):
        return
    for number, value in sorted(dict.items(outputs), reverse=True):
        if (name := f"Out[{number}]").startswith(word):
            yield Offer(name, "key", lambda value=value: glance(value))  # type: ignore[misc]
