"""``%h2o preset``: generation parameters under a name."""

from __future__ import annotations

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.presets import BUILT_IN, Preset
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import reply, show_table
from h2o_magic.ipython.commands.usage import Arguments
from h2o_magic.rendering.tables import Verbatim, shorten


def preset(context: CommandContext, args: Arguments) -> None:
    """Use named parameters; --save stores the current ones; alone, list them."""
    session, name = context.session, args.get("PRESET")
    saved, removed = args.get("--save"), args.get("--remove")
    if name is not None:
        session.use_preset(name)
    if saved is not None:
        session.save_preset(saved)
        reply(context, "Saved: `%h2o preset {name}` uses it.", name=saved)
    elif removed is not None:
        session.remove_preset(removed)
        reply(context, "Removed preset {name}.", name=removed)
    elif name is not None:
        values = _values(session.presets()[name])
        reply(context, "Using preset {name}: {values}.", name=name, values=values)
    else:
        rows = [
            [
                Verbatim(f"{name} ✓" if name == session.preset else name),
                Verbatim(_values(values)),
                "built in" if name in BUILT_IN else "yours",
            ]
            for name, values in session.presets().items()
        ]
        show_table(context, ["preset", "parameters", ""], rows)


def _values(preset: Preset) -> str:
    texts = [
        f"{name}={SETTINGS[name].write(value)}"
        for name, value in preset.items()
        if value is not None
    ]
    return shorten(" ".join(texts)) or "the model's own values"
