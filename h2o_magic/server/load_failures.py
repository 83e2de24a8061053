"""Why an engine did not load a file, from what it printed and how it ended. Pure."""

from __future__ import annotations

import re
import signal

from h2o_magic.rendering.literal import one_line
from h2o_magic.server.engine import REFUSED

_LONGEST = 300
#: Why the engine refuses a file, in its words, most specific first.
_REFUSALS = (
    re.compile(r"gguf_init_from_\w+: (?!failed to read)(.+)"),
    re.compile(
        r"error loading model: (?:error loading model \w+: )?(?!.*failed to load)(.+)"
    ),
)
#: Why it cannot run a chat template.
_TEMPLATE = re.compile(
    r"^Error: (.+)|common_chat_templates_init: error: (.+)"
    r"|chat template parsing error: (?!std::exception|.*failed: $)(.+)",
    re.M,
)
_CRASH = re.compile(r"(GGML_ASSERT\(.+\) failed)")


def reason(printed: str, status: int) -> str:
    """Return why a process that `printed` this ended with `status` (-9: SIGKILL)."""
    if status == -getattr(signal, "SIGKILL", 0):
        return "it was killed, most likely because memory ran out"
    refused = status == REFUSED
    if refused and (template := _TEMPLATE.search(printed)):
        words = template[template.lastindex or 0]
        return f"its chat template is broken, {_short(words)}"
    for pattern in _REFUSALS if refused else (_CRASH,):
        found: list[str] = pattern.findall(printed)
        if found:
            words = _short(found[-1])
            return words if refused else f"it crashes, {words}"
    return "it gives no reason" if refused else "it crashes"


def _short(words: str) -> str:
    return one_line(words)[:_LONGEST]
