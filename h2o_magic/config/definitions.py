"""The table of settings: what can be set for a notebook or a question.

Options, traits of ``%config`` and environment variables are made from it. Most rows are
the generation parameters of :mod:`h2o_magic.config.parameters`.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping

from h2o_magic.config import replay
from h2o_magic.config.models import DEFAULT_MODEL
from h2o_magic.config.parameter import LARGEST, Parameter
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
    rule: str,
    pattern: str,
    *,
    label: str = "",
    option: str | None = None,
    value_name: str = "NAME",
) -> Parameter:
    def convert(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ConfigurationError(f"`{name}` {rule}, got {reprlib.repr(value)}")
        return value

    row = Parameter(name, str, help_, rule, label, default, optional=False)
    return row._replace(convert=convert, option_name=option, value_name=value_name)


def _switch(name: str, help_: str, label: str) -> Parameter:
    rule = "must be true or false"
    return Parameter(name, bool, help_, rule, label, default=False, optional=False)


def _choice(
    name: str, choices: tuple[str, ...], help_: str, label: str = ""
) -> Parameter:
    """Return a setting with a few values; the first is the default."""
    rule = f"must be one of {', '.join(choices)}"
    row = Parameter(name, str, help_, rule, label, choices[0], choices=choices)
    return row._replace(optional=False)


_TABLE = (
    _text(
        "model",
        "The model that answers; `%h2o models` lists them.",
        DEFAULT_MODEL,
        "must be the name of a model, without leading or trailing spaces",
        rf"(?!\s){_CHARACTER}+(?<!\s)",
    ),
    _text(
        "system",
        "Instructions for the model. If empty, those recommended for it are used.",
        "",
        "must be text",
        f"[^{_SURROGATES}]*",
        label="System prompt",
        value_name="TEXT",
    ),
    Parameter(
        "server",
        str,
        "Address of a server, or its name in `%h2o connect`; empty or local: the "
        "local server, started when needed.",
        "must be an address or a name",
        default="",
        optional=False,
        convert=_server,
        option_name="",
        value_name="SERVER",
    ),
    _text(
        "thread",
        "The thread of the conversation that a question belongs to.",
        MAIN,
        "must be a name of 1 to 60 letters, digits, spaces, '_', '.' and '-', "
        "beginning with a letter, a digit or '_'",
        # Footers show it: nothing that Markdown, HTML or a formula would act on.
        r"\w(?:[\w .-]{0,58}[\w.-])?",
    ),
    _text(
        "notebook",
        "Name under which the conversation is saved; empty: the notebook's own file.",
        "",
        "must be a name on one line",
        f"{_CHARACTER}*",
        option="",
    ),
    Parameter(
        "max_turns",
        int,
        "Send at most this many earlier turns; 0: no turns, none: as many as fit.",
        f"must be none or a whole number from 0 to {LARGEST}",
        label="Earlier turns",
        least=0,
        most=LARGEST,
        unit="turns",
    ),
    Parameter(
        "context",
        int,
        "The model's context length, if the server does not report it.",
        f"must be a whole number from 256 to {LARGEST}",
        label="Context length",
        default=4096,
        optional=False,
        least=256,
        most=LARGEST,
        unit="tokens",
    ),
    Parameter(
        "budget",
        int,
        "The most tokens for each value that a question names; none: 1,000, at most a "
        "quarter of the model's context, and 400 for the local server without a GPU.",
        f"must be none or a whole number from 20 to {LARGEST}",
        label="Length of values",
        least=20,
        most=LARGEST,
        unit="tokens",
    ),
    _switch(
        "evaluate",
        "Evaluate expressions in braces, such as {df.describe()}.",
        "Evaluate expressions",
    )._replace(option_name="--eval"),
    Parameter(
        "vision",
        bool,
        "Whether the model takes images, if the server does not say.",
        "must be none, true or false",
        label="Takes images",
    ),
    _switch(
        "send_partial",
        "Send stopped and incomplete answers as context, too.",
        "Send unfinished answers",
    ),
    _switch(
        "strict",
        "Fail instead of letting another model or the demo weights answer.",
        "No stand-in models",
    ),
    _choice("format", FORMATS, "The format of the answer and its display.")._replace(
        option_name="--as"
    ),
    _choice(
        "reasoning",
        ("collapse", "show", "hide"),
        "How to show the reasoning that a model writes before its answer.",
        "Show reasoning",
    ),
    Parameter(
        "replay",
        str,
        "Use stored answers: on (ask for what is missing, and store it), only (ask "
        "nobody) or refresh (ask again for all); and the folder that holds them, such "
        "as answers/.",
        "must be a mode, a folder or both",
        "Stored answers",
        default="off",
        optional=False,
        convert=replay.checked,
        merge=replay.merged,
        if_invalid="only",  # a job that was to ask nobody asks nobody
        value_name="MODE|FOLDER",
    ),
    Parameter(
        "replay_speed",
        float,
        "How fast a stored answer is shown: 0 at once, 1 as it first came, 2 twice as "
        "fast.",
        "must be a number, 0 or above",
        "Speed of stored answers",
        default=0.0,
        optional=False,
        least=0,
    ),
    Parameter(
        "server_idle_minutes",
        float,
        "Stop the local server after this long without a request; 0: never.",
        "must be a number of minutes, 0 or above",
        default=15.0,
        optional=False,
        least=0,
        unit="minutes",
        option_name="",
    ),
    *CHAT_PARAMETERS.values(),
)

#: All settings by name, in the order in which they are shown.
SETTINGS: Mapping[str, Parameter] = {setting.name: setting for setting in _TABLE}
