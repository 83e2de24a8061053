"""A process whose children write answers until they are killed.

For each line that it reads, one child writes into the folder of its argument: it says
its process, and then each entry that it has kept. What is killed is waited for.
"""

from __future__ import annotations

import os
import random
import sys
from itertools import count
from pathlib import Path
from typing import Any

from h2o_magic.backends.replay.entry import StoredAnswer
from h2o_magic.backends.replay.folder import AnswerFolder
from h2o_magic.backends.replay.key import digest

#: How many keys there are: each is written again and again.
KEYS = 40


def entry(number: int) -> tuple[str, dict[str, Any]]:
    """Return a number's key and entry, of a line or of a megabyte."""
    key = digest(number % KEYS)
    text = f"{number} é\n" * (100_000 if number % 7 == 0 else 1 + number % 3000)
    return key, StoredAnswer({"n": number}, text, 0.0, ((0, len(text)),)).as_json(key)


def write(path: Path, first: int) -> None:
    """Write until the process is killed."""
    folder = AnswerFolder(path)
    os.write(1, f"{os.getpid()}\n".encode())
    for number in count(first):
        folder.write(*entry(number))
        os.write(1, f"{number}\n".encode())


def main() -> None:
    """Write once for each number that is read: that of the first entry."""
    random.seed(0)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            write(Path(sys.argv[1]), int(line))
        os.waitpid(child, 0)
        os.write(1, b"dead\n")


if __name__ == "__main__":
    main()
