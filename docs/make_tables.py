"""Write the tables of the documentation that are made from the generation parameters.

A table is found by its head, and replaced. Run it after a change of the parameters::

    python docs/make_tables.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from h2o_magic.backends.openai.flavour import ENGINES
from h2o_magic.config.parameter import Parameter
from h2o_magic.config.parameters import CHAT_PARAMETERS, PARAMETERS
from h2o_magic.rendering.tables import as_markdown

_NAMES = {**ENGINES, "h2o_magic": "the local server"}


def tables() -> Mapping[str, Sequence[str]]:
    """Return the tables of each page, by the page's name."""
    rows = CHAT_PARAMETERS.values()
    options = [[f"`{r.option}`", r.rule.removeprefix("must be "), r.help] for r in rows]
    takers = [[f"`{r.option}`", _takers(r), "yes" if r.gptgm else "no"] for r in rows]
    defaults = [
        [f"`{r.name}`", f"{str(r.service_default).lower()} {r.unit}".rstrip()]
        for r in PARAMETERS.values()
        if r.service_default is not None
    ]
    return {
        "models.md": (
            as_markdown(["option", "value", "meaning"], options),
            as_markdown(["option", "OpenAI-compatible servers", "gpt-gm"], takers),
        ),
        "python.md": (as_markdown(["parameter", "default"], defaults),),
    }


def updated(page: str, table: str) -> str:
    """Return a page's text with a table in the place of that with the same head."""
    lines = page.splitlines()
    start = lines.index(table.splitlines()[0])
    end = start
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    return "\n".join([*lines[:start], table, *lines[end:], ""])


def _takers(row: Parameter) -> str:
    """Return the OpenAI-compatible servers that can be told a parameter."""
    if row.kind is dict:
        return "all"
    takers = [name for flavour, name in _NAMES.items() if row.field(flavour)]
    if not row.field("standard"):
        return ", ".join(takers)
    others = [name for name in _NAMES.values() if name not in takers]
    return f"all but {', '.join(others)}" if others else "all"


if __name__ == "__main__":
    for name, made in tables().items():
        path = Path(__file__).with_name(name)
        text = path.read_text("utf-8")
        for table in made:
            text = updated(text, table)
        path.write_text(text, "utf-8")
