"""The settings as the fields of a form, made from the tables of settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from h2o_magic.backends.base import ModelInfo
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Parameter, Value
from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.config.settings import Settings

_SAMPLING = [name for name, row in CHAT_PARAMETERS.items() if row.sampling]
_MODEL = ("system", "reasoning_effort", "reasoning", "max_turns", "vision")
_USUAL = ("temperature", "max_new_tokens", "do_sample")
_OTHERS = ("evaluate", "budget", "context", "send_partial", "strict")

#: The names of the settings in each fold; a new parameter is in the last one, or in the
#: second if it has an effect only where tokens are sampled.
FOLDS: dict[str, tuple[str, ...]] = {
    "Model and system": _MODEL,
    "Sampling": (*_USUAL, *(n for n in _SAMPLING if n not in _USUAL)),
    "Replay": ("replay", "replay_speed"),
}
FOLDS["Advanced"] = (
    *(n for n in CHAT_PARAMETERS if n not in {*FOLDS["Sampling"], *_MODEL}),
    *_OTHERS,
)

_MODELS_OWN = "the model's own"
#: What applies where a setting has no value.
_NO_VALUE = {
    "system": "none",
    "max_turns": "as many as fit",
    "seed": "random",
    "stop": "none",
    "extra": "none",
    "vision": "what the server says",
    "budget": "1,000, fewer for small models",
}
_CHOICES = {"xhigh": "Extra high"}
_MODES = [
    ["off", "Off"],
    ["on", "On: ask for what is missing"],
    ["only", "Only: ask nobody"],
    ["refresh", "Refresh: ask again for all"],
]
_YES_NO = [["true", "Yes"], ["false", "No"]]


def field(setting: Parameter) -> dict[str, Any]:
    """Return what a form must know of a setting to show a field for it."""
    made: dict[str, Any] = {
        "name": setting.name,
        "title": setting.title,
        "help": setting.help.replace("`", ""),
        "kind": _kind(setting),
        "unit": setting.unit,
    }
    if made["kind"] == "choice":
        made["choices"] = [
            [c, _CHOICES.get(c, c.title())] for c in setting.choices
        ] or _YES_NO
        made["optional"] = setting.optional
    if made["kind"] == "mode":
        made["choices"] = _MODES
    if made["kind"] == "slider":
        made["least"], made["most"] = _ends(setting)
        made["start"] = _start(setting)
    return made


def _kind(setting: Parameter) -> str:
    if setting.name == "replay":
        return "mode"  # and a folder
    if setting.kind is bool and not setting.optional:
        return "switch"
    if setting.choices or setting.kind is bool:
        return "choice"
    if setting.kind is float and None not in _bounds(setting):
        return "slider"
    return "area" if setting.name == "system" else "text"


def _bounds(row: Parameter) -> tuple[float | None, float | None]:
    lowest = row.above if row.least is None else row.least
    highest = row.below if row.most is None else row.most
    return lowest, row.slider_to if highest is None else highest


def _ends(row: Parameter) -> tuple[float, float]:
    """Return the ends of a slider, without those that the parameter excludes."""
    lowest, highest = _bounds(row)
    first = (lowest or 0) + (0.01 if row.above is not None else 0)
    return first, (highest or 0) - (0.01 if row.below is not None else 0)


def _start(row: Parameter) -> float:
    """Return where a slider is before it has a value: where it changes nothing."""
    first, last = _ends(row)
    usual = row.service_default
    if isinstance(usual, float):
        return usual
    return 0.0 if row.least is not None and first <= 0 else last


def values(settings: Settings, info: ModelInfo | None) -> Iterator[dict[str, Any]]:
    """Yield what each field shows; `info` is what the server says of the model."""
    for name in (name for names in FOLDS.values() for name in names):
        setting, value = SETTINGS[name], settings[name]
        own, source = _own(name, settings, info)
        unset = value in (None, "")
        yield {
            "name": name,
            "text": _as_text(setting, value),
            "own": own if own is None else _as_text(setting, own),
            "none": _NO_VALUE.get(name, _MODELS_OWN),
            "origin": settings.origin(name) if settings.is_set(name) else "",
            "source": source if unset else "",
        }


def _own(
    name: str, settings: Settings, info: ModelInfo | None
) -> tuple[Value | None, str]:
    """Return what applies where a setting has no value, and where that comes from."""
    if name == "do_sample":
        temperature = settings["temperature"]
        if temperature is None:
            temperature, _ = _own("temperature", settings, info)
        return temperature != 0, ""
    if info is None:
        return None, ""
    if name == "system":
        return info.recommended_system or (None, "")
    return info.sampling.get(name, (None, ""))


def _as_text(setting: Parameter, value: Any) -> str:
    if isinstance(value, tuple) and len(value) == 1:
        return str(value[0])
    return "" if value in (None, (), "") else setting.write(value)


def parsed(setting: Parameter, text: str) -> Value | None:
    """Return the value of a field's text; an empty one is None, if that is accepted.

    Raises ParameterError if it is refused.
    """
    if setting.kind is str and not setting.choices:
        return setting.check(text)
    if not text.strip():
        return setting.check(None if setting.optional else setting.default)
    return setting.parse(text.strip())


def takes(setting: Parameter, dialect: str, flavour: str | None) -> bool:
    """Return whether a server can be sent a parameter, as far as that is known."""
    if setting.name not in CHAT_PARAMETERS:
        return setting.name != "vision" or dialect != "gpt-gm"
    if dialect == "gpt-gm":
        return bool(setting.gptgm)
    if dialect != "openai" or setting.kind is dict:
        return True
    fields = {setting.openai, *setting.servers.values()}
    return any(fields) if flavour is None else bool(setting.field(flavour))
