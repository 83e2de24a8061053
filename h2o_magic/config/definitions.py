"""The table of settings: what can be set for a notebook or a question.

Options, traits of ``%config`` and environment variables are made from it. Most rows, the
generation parameters, come from :mod:`h2o_magic.config.parameters`.
"""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from h2o_magic.config.models import DEFAULT_MODEL
from h2o_magic.config.parameter import LARGEST, Parameter, Value
from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.errors import ConfigurationError

#: What an answer can be asked to be; the first is the default.
FORMATS = ("markdown", "text", "code", "json", "table", "html", "math")

#: The name of the local server.
LOCAL = "local"
#: The name of a notebook's first thread.
MAIN = "main"
#: Names of other servers: nothing that could be an address or Markdown.
SERVER_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}"
#: Prefix of this package's environment variables.
PREFIX = "H2O_MAGIC_"

_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


class Setting(NamedTuple):  # created faster than a dataclass: `%load_ext` waits
    """One setting.

    Attributes
    ----------
    kind : type
        ``str``, ``bool``, ``int``, ``float``, ``tuple`` (texts) or ``dict`` (a JSON
        object).
    rule : callable
        Returns a value other than None as it is stored, or raises
        ``ConfigurationError``.
    option : str
        ``--max-turns``; empty if it cannot be set for one question.
    unit, metavar : str
        What a number counts, and the value's name in a help text; may be empty.
    optional : bool
        True if None is allowed. For a generation parameter that means: not sent.
    choices : tuple of str
        The only values, where they can be listed.
    """

    name: str
    kind: type
    help: str
    default: Value | None
    rule: Callable[[object], Value]
    unit: str = ""
    option: str = ""
    metavar: str = ""
    optional: bool = False
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """Name of the environment variable: ``H2O_MAGIC_MAX_TURNS``."""
        return PREFIX + self.name.upper()

    @property
    def nothing(self) -> str:
        """None as text: ``none``, or an empty text where that is a choice."""
        return "" if "none" in self.choices else "none"

    def check(self, value: object) -> Value | None:
        """Return `value` as a plain Python value of this setting's kind.

        Raises
        ------
        ConfigurationError
            If it is refused; ``ParameterError`` for numbers, booleans and lists.
        """
        return None if value is None and self.optional else self.rule(value)

    def parse(self, text: str) -> Value | None:
        """Return the value of a text from a command line or a variable.

        Booleans are true, false, yes, no, on, off, 1 and 0; None is :attr:`nothing`; a
        list is a JSON list of texts, or a single text; an object is JSON.

        Raises
        ------
        ConfigurationError
            As :meth:`check` does.
        """
        if self.optional and text.strip().lower() == self.nothing:
            return None
        if self.kind is bool:
            return self.check(_BOOLEANS.get(text.strip().lower(), text))
        value: object = text
        try:
            value = json.loads(text) if self.kind in (dict, tuple) else self.kind(text)
        except (ValueError, RecursionError):
            pass
        # `[1]` may be a text to stop at, as `[INST]` is: it is not a list of texts.
        if self.kind is tuple and not (
            isinstance(value, list) and all(isinstance(item, str) for item in value)
        ):
            value = [text]
        return self.check(value)

    def write(self, value: Value | None) -> str:
        """Return `value` as the text that :meth:`parse` reads."""
        if value is None:
            return self.nothing
        if isinstance(value, tuple | Mapping):
            return json.dumps(value, ensure_ascii=False)
        return str(value).lower() if isinstance(value, bool) else str(value)


_SURROGATES = r"\ud800-\udfff"  # halves of characters, which cannot be sent
#: Any but control characters.
_CHARACTER = rf"[^\x00-\x1f\x7f-\x9f\u2028\u2029{_SURROGATES}]"


def _server(value: object) -> str:
    """Return an address, the name of a server, or an empty text for the local one."""
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
        "password, '?' or '#' (the value is not shown: it may contain a secret)"
    )


def _text(
    name: str,
    help_: str,
    default: str,
    rule: tuple[str, str],
    *,
    option: str = "",
    metavar: str = "NAME",
) -> Setting:
    """Return a setting for a text, by its pattern and the rule in words."""
    pattern, words = rule

    def check(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ConfigurationError(f"`{name}` {words}, got {reprlib.repr(value)}")
        return value

    return Setting(name, str, help_, default, check, option=option, metavar=metavar)


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


def _switch(name: str, help_: str) -> Setting:
    return _of(Parameter(name, bool, help_, "must be true or false"), False)


def _choice(name: str, option: str, choices: tuple[str, ...], help_: str) -> Setting:
    """Return a setting with a few values; the first is the default."""
    rule = f"must be one of {', '.join(choices)}"
    row = Parameter(name, str, help_, rule, choices=choices)
    return _of(row, choices[0], option=option)


_TABLE = (
    _text(
        "model",
        "The model that answers; `%h2o models` lists them.",
        DEFAULT_MODEL,
        (
            rf"(?!\s){_CHARACTER}+(?<!\s)",
            "must be the name of a model, without leading or trailing spaces",
        ),
        option="--model",
    ),
    _text(
        "system",
        "Instructions for the model; empty: those recommended for it, if any.",
        "",
        (f"[^{_SURROGATES}]*", "must be text"),
        option="--system",
        metavar="TEXT",
    ),
    Setting(
        "server",
        str,
        "Address of a server, or its name in `%h2o connect`; empty or local: the "
        "local server, started when needed.",
        "",
        metavar="SERVER",
        rule=_server,
    ),
    _text(
        "thread",
        "The thread of the conversation that a question belongs to.",
        MAIN,
        (
            # Footers show it: nothing that Markdown, HTML or a formula would act on.
            r"\w(?:[\w .-]{0,58}[\w.-])?",
            "must be a name of 1 to 60 letters, digits, spaces, '_', '.' and '-', "
            "beginning with a letter, a digit or '_'",
        ),
        option="--thread",
    ),
    _text(
        "notebook",
        "Name under which the conversation is saved; empty: the notebook's own file.",
        "",
        (f"{_CHARACTER}*", "must be a name on one line"),
    ),
    _of(
        Parameter(
            "max_turns",
            int,
            "Send at most this many earlier turns; 0: no turns, none: as many as fit.",
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
            "The model's context length, if the server does not report it.",
            f"must be a whole number from 256 to {LARGEST}",
            least=256,
            most=LARGEST,
            unit="tokens",
        ),
        4096,
    ),
    _switch("send_partial", "Send stopped and incomplete answers as context, too."),
    _switch(
        "strict", "Fail instead of letting another model or the demo weights answer."
    ),
    _choice("format", "--as", FORMATS, "The format of the answer and its display."),
    _choice(
        "reasoning",
        "--reasoning",
        ("collapse", "show", "hide"),
        "How to show the reasoning that a model writes before its answer.",
    ),
    _of(
        Parameter(
            "server_idle_minutes",
            float,
            "Stop the local server after this long without a request; 0: never.",
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
