"""What the scripts share: what they ask, and how they tell what passed.

It needs nothing but pydantic, which each of the libraries brings along. Annotations are
evaluated here: some of them read the tool's where they cannot see this module's names.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

__all__ = [
    "FORECAST",
    "LENGTH",
    "QUESTION",
    "WEATHER",
    "Attempt",
    "Place",
    "Server",
    "attempt",
    "check_parts",
    "check_place",
    "check_text",
    "check_use",
    "forecast",
]

QUESTION = "How do I choose a model?"
WEATHER = "What will the weather be in Paris for three days? Use the tool."
#: Tokens of an answer, at most: a small model may find no end.
LENGTH = 120


class Place(BaseModel):
    """A city, and how many days."""

    model_config = ConfigDict(extra="forbid")

    city: Literal["Paris", "Rome"]
    days: Literal[1, 2, 3]


#: A tool as the OpenAI API takes it.
FORECAST: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "forecast",
        "description": "Tell the weather of a city for some days.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "enum": ["Paris", "Rome"]},
                "days": {"type": "integer", "enum": [1, 2, 3]},
            },
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}


def forecast(city: Literal["Paris", "Rome"], days: Literal[1, 2, 3]) -> str:
    """Tell the weather of a city for some days.

    Args:
        city: The city.
        days: How many days.
    """
    return f"It will be sunny in {city} for {days} days."


@dataclass(frozen=True)
class Server:
    """Where a model is: `url` is without ``/v1``."""

    url: str
    key: str
    model: str

    @property
    def api(self) -> str:
        """The base of the OpenAI API's addresses."""
        return f"{self.url}/v1"


#: A call to one server; it raises where what comes back is not what was asked for.
Attempt: TypeAlias = Callable[[Server], None]


def attempt(talks: Mapping[str, Attempt], uses: Mapping[str, Attempt]) -> None:
    """Make all calls, and print a line of JSON for each: its name, and why it failed.

    The script's arguments are where the model for `talks` is, and that for `uses`, the
    calls with tools.
    """
    talker, user = Server(*sys.argv[1:4]), Server(*sys.argv[4:7])
    for server, calls in ((talker, talks), (user, uses)):
        for name, call in calls.items():
            print(json.dumps({"call": name, "failed": _failure(call, server)}))
            sys.stdout.flush()


def _failure(call: Attempt, server: Server) -> str:
    try:
        call(server)
    except Exception as error:  # whatever a library raises
        return f"{type(error).__name__}: {error}"[:300]
    return ""


def check_text(text: object) -> None:
    """Raise unless it is some text."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"expected text, got {text!r}")


def check_parts(parts: Iterable[str | None]) -> None:
    """Raise unless there are several, and some text in them."""
    texts = [part for part in parts if part]
    check_text("".join(texts))
    if len(texts) < 3:
        raise ValueError(f"expected several parts, got {texts!r}")


def check_place(place: object) -> None:
    """Raise unless it is one of the class."""
    if not isinstance(place, Place):
        raise TypeError(f"expected a Place, got {place!r}")


def check_use(name: str, arguments: str | Mapping[str, Any]) -> None:
    """Raise unless the tool is called with what fits it."""
    if name != "forecast":
        raise ValueError(f"expected a call of forecast, got one of {name!r}")
    given = json.loads(arguments) if isinstance(arguments, str) else arguments
    Place.model_validate(given)
