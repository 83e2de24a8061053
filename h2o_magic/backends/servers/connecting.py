"""What came of connecting to a server, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from h2o_magic.config.definitions import LOCAL
from h2o_magic.config.units import counted
from h2o_magic.rendering.tables import literal

if TYPE_CHECKING:
    from h2o_magic.backends.servers.connect import Reached

#: What to do about a server whose list of models is empty.
NO_MODEL = "load or pull one there first"


@dataclass(frozen=True, slots=True)
class Connected:
    """The server that answers from now on.

    Attributes
    ----------
    server : str
        Its name, or its address if it has none.
    url : str
        Its address; empty for the local one.
    dialect : str
        What it speaks.
    what : str
        What it was found to be, and how many models it has.
    models : tuple of str
        The models that it lists.
    model : str
        The model that is current now; empty where a question will show it.
    notes : tuple of str
        What the user should know, a sentence each.
    formerly : str
        The name that it had until now; empty if it had none, or has it still.
    """

    server: str
    url: str = ""
    dialect: str = "gpt-gm"
    what: str = "the local server, started by need"
    models: tuple[str, ...] = ()
    model: str = ""
    notes: tuple[str, ...] = ()
    formerly: str = ""

    def __str__(self) -> str:
        """Say it in a line or two."""
        where = f" ({self.url})" if self.url not in ("", self.server) else ""
        before = f", formerly {self.formerly}" if self.formerly else ""
        lines = [f"Connected to {self.server}{where}{before}: {self.what}."]
        model = [f"Model: {self.model}."] if self.model else []
        lines.append(" ".join([*model, *self.notes]))
        return "\n".join(filter(None, lines))

    def _repr_markdown_(self) -> str:
        # What a notebook shows of `h2o_magic.connect(...)`.
        return "\n\n".join(map(literal, str(self).split("\n")))

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(str(self))


def connected(reached: Reached | None, model: str, amiss: str) -> Connected:
    """Return what came of connecting.

    Parameters
    ----------
    reached
        The server; None for the local one.
    model
        The model that is current.
    amiss
        What is amiss with that, as a half sentence; may be empty.
    """
    if reached is None:
        return Connected(LOCAL, model=model)
    names = tuple(listed.name for listed in reached.models or ())
    has = "it does not list its models"
    if reached.models is not None:
        has = counted(len(names), "model") if names else "it lists no model"
        amiss = amiss if names else NO_MODEL
    how = f" (known by: {reached.how})" if reached.how else ""
    problems = filter(None, [amiss, reached.problem])
    return Connected(
        server=reached.server.name or reached.server.url,
        url=reached.server.url,
        dialect=reached.server.dialect,
        what=f"{reached.what}, {has}{how}",
        models=names,
        model=model,
        notes=tuple(map(_sentence, problems)),
        formerly=reached.formerly,
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('?') else '.'}"
