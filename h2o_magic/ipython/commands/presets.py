"""``%h2o preset``: generation parameters under a name."""

from __future__ import annotations

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.presets import BUILT_IN, Preset
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import say, show_table
from h2o_magic.ipython.commands.usage import Given
from h2o_magic.rendering.tables import Verbatim, shorten


def preset(context: CommandContext, given: Given) -> None:
    """Use a preset, keep one, forget one, or list them all."""
    session, name = context.session, given.text("PRESET")
    saved, removed = given.text("--save"), given.text("--remove")
    if name is not None:
        session.use_preset(name)
    if saved is not None:
        session.save_preset(saved)
        say(context, "Kept: `%h2o preset {name}` brings it back.", name=saved)
    elif removed is not None:
        session.remove_preset(removed)
        say(context, "There is no preset {name} any more.", name=removed)
    elif name is not None:
        said = "{name}: {values}. Cells and messages are asked so from now on."
        values = _values(session.presets()[name])
        say(context, said, name=name, values=values)
    else:
        _list(context)


def _list(context: CommandContext) -> None:
    session = context.session
    current = session.preset
    rows = [
        [
            Verbatim(f"{name} ✓" if name == current else name),
            Verbatim(_values(values)),
            "built in" if name in BUILT_IN else "yours",
        ]
        for name, values in session.presets().items()
    ]
    show_table(context, ["preset", "parameters", ""], rows)


def _values(preset: Preset) -> str:
    """Return what a preset sets."""
    texts = [
        f"{name}={SETTINGS[name].write(value)}"
        for name, value in preset.items()
        if value is not None
    ]
    return shorten(" ".join(texts)) or "the model's own values"
