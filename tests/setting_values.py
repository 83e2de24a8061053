"""Values for tests of every setting, made from the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Parameter
from h2o_magic.errors import ConfigurationError

ALL = list(SETTINGS.values())
WITH_OPTION = [setting for setting in ALL if setting.option]

_ADDRESSES = [f"https://{host}.example.org" for host in ("one", "two", "three")]
_ACCEPTED: Mapping[type, list[Any]] = {
    str: ["one", "two", "three", *_ADDRESSES],
    int: [301, 302, 303],
    float: [0.31, 0.32, 0.33],
    tuple: [("a",), ("b", "c"), ("none",)],
    dict: [{"any": 1}, {"a": {"b": [1, None]}}, {"any": "x y"}],
}
_REFUSED: Mapping[type, list[Any]] = {
    str: ["a\nb", "\ud800"],
    bool: ["perhaps"],
    int: [-1],
    float: [-1.0, -3.0],
    tuple: [("a", "b", "c", "d", "e")],
    dict: [["any", 1]],
}

each_setting = pytest.mark.parametrize("setting", ALL, ids=lambda s: s.name)
each_option = pytest.mark.parametrize("setting", WITH_OPTION, ids=lambda s: s.name)


def passes(check: Callable[[object], object], value: object) -> bool:
    try:
        check(value)
    except ConfigurationError:
        return False
    return True


def accepted(setting: Parameter) -> tuple[Any, Any, Any]:
    """Return three values, each unlike the one before; the first unlike the default."""
    if setting.kind is bool:
        return (not setting.default, bool(setting.default), not setting.default)
    if setting.name == "replay":  # what a mode or a folder alone leaves open, is kept
        return ("on one", "only two", "refresh three")
    if setting.choices:
        first, second = setting.choices[1:3]
        return (first, second, first)
    values = [v for v in _ACCEPTED[setting.kind] if passes(setting.check, v)]
    return (values[0], values[1], values[2])


def refused(setting: Parameter) -> Any:
    """Return a value of about the right kind that the setting refuses."""
    values = _REFUSED[setting.kind]
    return next(v for v in values if not passes(setting.check, v))
