"""The table of settings: what can be set for a notebook or a question, and how.

Options, traits of ``%config`` and environment variables are all made from it. Its
larger part, the generation parameters, comes from :mod:`h2o_magic.config.parameters`.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Mapping

from h2o_magic.config.models import DEFAULT_MODEL
from h2o_magic.config.parameter import LARGEST, Parameter, Value
from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.config.setting import Setting
from h2o_magic.errors import ConfigurationError

#: What an answer can be asked to be; the first is the default.
FORMATS = ("markdown", "text", "code", "json", "table", "html", "math")

#: The name of the local server.
LOCAL = "local"
#: The name of the thread that a notebook begins with.
MAIN = "main"
#: What other servers can be called: nothing that an address or Markdown could be.
SERVER_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}"

# What texts must be; numbers, switches and lists are checked by `Parameter`.

_LONE = r"\ud800-\udfff"  # halves of characters, which cannot be sent
_CHARACTER = rf"[^\x00-\x1f\x7f-\x9f\u2028\u2029{_LONE}]"  # no control character


def _matching(name: str, pattern: str, words: str) -> Callable[[object], str]:
    """Return the rule of a text that matches `pattern`, which `words` tell."""

    def rule(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ConfigurationError(f"`{name}` {words}, got {reprlib.repr(value)}")
        return value

    return rule


def _server(value: object) -> str:
    """Return an address, the name of a server, or nothing for the local one."""
    if value in ("", LOCAL):
        return ""
    if isinstance(value, str) and re.fullmatch(SERVER_NAME, value):
        return value
    from h2o_magic.config.url import check_base_url  # noqa: PLC0415 - few set an address

    try:
        return check_base_url(value)
    except ConfigurationError as error:
        if not re.search(r"[@?#]", str(value)):
            raise ConfigurationError(f"`server`: {error}") from None
    raise ConfigurationError(
        "`server` must be an address like https://chat.example.org, without user name, "
        "password, '?' or '#' (what came is not shown: it may hold a secret)"
    )


_METAVARS = {int: "N", float: "X", tuple: "TEXT", bool: "", dict: "JSON"}


def _of(
    parameter: Parameter,
    default: Value | None = None,
    *,
    optional: bool = False,
    option: str | None = None,
) -> Setting:
    return Setting(
        parameter.name,
        parameter.kind,
        parameter.help,
        default,
        parameter.check,
        parameter.unit,
        parameter.option if option is None else option,
        "|".join(parameter.choices) or _METAVARS[parameter.kind],
        optional=optional,
        choices=parameter.choices,
    )


def _choice(name: str, option: str, choices: tuple[str, ...], help_: str) -> Setting:
    """Return a setting that has one of a few values; the first is its default."""
    rule = f"must be one of {', '.join(choices)}"
    row = Parameter(name, str, help_, rule, choices=choices)
    return _of(row, choices[0], option=option)


_TABLE = (
    Setting(
        "model",
        str,
        "The model that answers; `%h2o models` lists them.",
        DEFAULT_MODEL,
        option="--model",
        metavar="NAME",
        rule=_matching(
            "model",
            rf"(?!\s){_CHARACTER}+(?<!\s)",
            "must be the name of a model, without space at its ends",
        ),
    ),
    Setting(
        "system",
        str,
        "How the model is to answer; empty: what is recommended for it, if anything.",
        "",
        option="--system",
        metavar="TEXT",
        rule=_matching("system", f"[^{_LONE}]*", "must be text"),
    ),
    Setting(
        "server",
        str,
        "Address of a server, or its name in `%h2o connect`; empty or local: the "
        "local one, started by need.",
        "",
        metavar="SERVER",
        rule=_server,
    ),
    Setting(
        "thread",
        str,
        "The thread of the conversation that a question belongs to.",
        MAIN,
        option="--thread",
        metavar="NAME",
        rule=_matching(
            "thread",
            # Footers show it: nothing that Markdown, HTML or a formula would act on.
            r"\w(?:[\w .-]{0,58}[\w.-])?",
            "must be a name of 1 to 60 letters, digits, spaces, '_', '.' and '-', "
            "beginning with one of the first two",
        ),
    ),
    Setting(
        "notebook",
        str,
        "Name under which the conversation is kept; empty: the notebook's own file.",
        "",
        metavar="NAME",
        rule=_matching("notebook", f"{_CHARACTER}*", "must be a name on one line"),
    ),
    _of(
        Parameter(
            "max_turns",
            int,
            "Send at most this many earlier turns; 0: no turn, none: as many as fit.",
            f"must be none or a whole number from 0 to {LARGEST}",
            least=0,
            most=LARGEST,
            unit="turns",
        ),
        optional=True,
    ),
    _of(
        Parameter(
            "context",
            int,
            "The model's context length where the server does not say it.",
            f"must be a whole number from 256 to {LARGEST}",
            least=256,
            most=LARGEST,
            unit="tokens",
        ),
        4096,
    ),
    _of(
        Parameter(
            "send_partial",
            bool,
            "Send stopped and broken-off answers as context, too.",
            "must be true or false",
        ),
        False,
    ),
    _of(
        Parameter(
            "strict",
            bool,
            "Refuse rather than let another model or the demo weights answer.",
            "must be true or false",
        ),
        False,
    ),
    _choice(
        "format", "--as", FORMATS, "What the answer is to be, and how it is shown."
    ),
    _choice(
        "reasoning",
        "--reasoning",
        ("collapse", "show", "hide"),
        "What becomes of the reasoning that a model writes before its answer.",
    ),
    _of(
        Parameter(
            "server_idle_minutes",
            float,
            "The local server ends after so long without a request; 0: never.",
            "must be a number of minutes, 0 or above",
            least=0,
            unit="minutes",
        ),
        15.0,
        option="",
    ),
    *(_of(parameter, optional=True) for parameter in CHAT_PARAMETERS.values()),
)

#: All settings by name, in the order in which they are shown.
SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in _TABLE}
