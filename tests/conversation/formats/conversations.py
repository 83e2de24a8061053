"""Conversations that the tests of all formats share."""

from __future__ import annotations

import hashlib

from h2o_magic.chat.facts import Facts
from h2o_magic.chat.images import Image
from h2o_magic.chat.turns import Thread, Turn

FACTS = Facts(
    "llama-13b",
    "open weights, 13B",
    server="http://127.0.0.1:7100",
    finish_reason="end",
    prompt_tokens=12,
    completion_tokens=20,
    seconds_to_first_token=0.2,
    seconds=2.0,
    parameters={"temperature": 0.4, "stop": ("END",)},
).as_metadata()

PNG, JPEG = b"\x89PNG\r\n\x1a\nFIGURE", b"\xff\xd8\xffPHOTO"


def image(name: str, data: bytes, thumbnail: bytes = PNG) -> Image:
    """An image as a record has it; no bytes behind its signature are looked at."""
    kind = "image/png" if data.startswith(b"\x89") else "image/jpeg"
    return Image(name, kind, 30, 20, hashlib.sha256(data).hexdigest(), thumbnail, data)


FIG, PHOTO = image("fig", PNG), image("photo [1].jpg", JPEG, JPEG)

MAIN_THREAD = Thread(
    "main",
    (
        Turn(
            "What is h2o_magic?\n\n```python\n# not a heading\n",
            "# A package\n\nIt talks — 日本語, 🎉, \u2028 and \x85.\n",
            cell="cell-1",
            model="llama-13b",
            asked_at=1_700_000_000.25,
            facts=FACTS,
            sent="What is h2o_magic?\n\n`df`:\n\n```csv\na,b\n```",
            images=(FIG, PHOTO),
        ),
        Turn("And then?", "It sto", "stopped", cell="cell-2", outdated=True),
        Turn("Be brief.", "Yes.", system="Answer in one word.", cell="cell-3"),
        Turn("Still there?", "Yes!", begins=True, cell="cell-2", model="falcon-7b"),
        Turn("", "", "failed", system=' "quoted"\n--new '),
    ),
)

SIDE_THREAD = Thread("a side thread", (Turn("%%h2o\n%%h2o", "Odd.", outdated=True),))

CONVERSATION = (MAIN_THREAD, SIDE_THREAD, Thread("nothing yet"))
