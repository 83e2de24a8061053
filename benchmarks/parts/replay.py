"""A folder of stored answers: finding one, finding none, and writing one.

A look-up is all that a question costs before its first text: its key, the file, and
the check of what is in it. The answers are made in the way in which they are stored,
each in a file of its own, and are a paragraph each.

A miss that names the nearest stored question is measured with as many questions as are
compared at most, of a page each.

With peers, pycachy does the same on its own file with as many answers, which it keeps
as the server sent them: it reads the file for a look-up, and writes it anew for each
answer.
"""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.apparatus.environments import InstallationError, environment
from benchmarks.bars import Bar
from benchmarks.parts import Options
from h2o_magic.backends.base import Backend, ChatRequest
from h2o_magic.backends.replay.backend import ReplayBackend
from h2o_magic.backends.replay.entry import StoredAnswer
from h2o_magic.backends.replay.folder import AnswerFolder, line
from h2o_magic.backends.replay.key import digest, key_of
from h2o_magic.backends.replay.replayed import Replayed
from h2o_magic.chat.messages import system, user
from h2o_magic.errors import ReplayMissError

__all__ = ["measure"]

_MOST_LOOK_UP, _MOST_WRITE, _MOST_OPENING = 0.2, 1.0, 50.0  # milliseconds
_MOST_MISS = 1.0  # seconds
_COMPARED = 2000
_AT_ONCE = 1000  # look-ups, and writes, in a round
_PEERS = 20_000  # answers beside a peer
_CACHY = "pycachy==0.0.22"

_TEXT = "The sales of the shop were highest in the week before the holidays. " * 6
_ASKED = ChatRequest(
    "llama-3-8b",
    (system("Answer in one paragraph."), user("When were the sales highest?")),
    {"temperature": 0.2, "max_new_tokens": 200},
)
_WORDS = f"{_TEXT} {__doc__}".split()
#: What pycachy does for a question that it does not know, and for its answer.
_CACHYS = """
import json, sys, time
from cachy.core import _cache, _write_cache
file, text, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
times = {"missing": [], "write": []}
for n in range(rounds):
    began = time.perf_counter()
    assert _cache(f"new {n}", file) is None
    between = time.perf_counter()
    _write_cache(f"new {n}", text, file, {})
    times["missing"].append(between - began)
    times["write"].append(time.perf_counter() - between)
print(json.dumps(times))
"""
_Times = Mapping[str, list[float]]  # seconds, by what was done


def measure(options: Options) -> Iterator[Bar]:
    """Yield the figures of a folder that grows, and with peers those of pycachy."""
    with TemporaryDirectory() as name:
        path = Path(name) / "answers"
        most, why = _room(path.parent, options.answers)
        few = min(most, _PEERS)
        _fill(path, range(few))
        times = _measured(path, few, options.rounds)
        yield from _bars(few, times, "")
        if options.peers:
            yield from _beside_cachy(times, Path(name), options.rounds)
        _fill(path, range(few, most))
        yield from _bars(most, _measured(path, most, options.rounds), why)
        yield _missed(Path(name) / "questions", options.rounds)


def _room(path: Path, wanted: int) -> tuple[int, str]:
    """Return how many answers fit on the disk with room to spare, and why not all."""
    disk = os.statvfs(path)
    fit = min(disk.f_favail or wanted * 2, disk.f_bavail * disk.f_frsize // 4096) // 2
    if fit >= wanted:
        return wanted, ""
    return fit, f"of {wanted:,}, for which the disk has no room"


def _fill(path: Path, numbers: range) -> None:
    AnswerFolder(path).write(digest("first"), {})
    for shard in range(256):
        (path / f"{shard:02x}").mkdir(exist_ok=True)
    if len(numbers) <= _AT_ONCE:
        _write_all(path, numbers)
        return
    workers = os.cpu_count() or 1
    parts = [numbers[n::workers] for n in range(workers)]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(_write_all, [path] * workers, parts))


def _write_all(path: Path, numbers: range) -> None:
    stored = line(_answer().as_json("?")).decode()
    for number in numbers:
        key = digest(number)
        (path / key[:2] / f"{key}.json").write_text(stored.replace('"?"', f'"{key}"'))


def _answer() -> StoredAnswer:
    pieces = tuple((n * 20, 8) for n in range(len(_TEXT) // 8))
    return StoredAnswer({"question": "When?"}, _TEXT, time.time(), pieces)


def _measured(path: Path, stored: int, rounds: int) -> _Times:
    """Measure all in turn, and return the seconds that each round took for one."""
    dice, fresh = random.Random(0), count(stored * 2)
    times: dict[str, list[float]] = {}
    for _ in range(rounds + 1):
        found = [digest(dice.randrange(stored)) for _ in range(_AT_ONCE)]
        new = [digest(next(fresh)) for _ in range(_AT_ONCE)]
        folder = AnswerFolder(path)
        work: dict[str, tuple[list[str], Callable[[AnswerFolder, str], object]]] = {
            "opening": (found[:1], _find),
            "stored": (found, _find),
            "missing": (new, _miss),
            "write": (new, _write),
        }
        for name, (keys, do) in work.items():
            began = time.perf_counter()
            for key in keys:
                do(folder, key)
            seconds = (time.perf_counter() - began) / len(keys)
            times.setdefault(name, []).append(seconds)
        for key in new:
            folder.file(key).unlink()
    return {name: each[1:] for name, each in times.items()}  # the first one imports


def _find(folder: AnswerFolder, key: str) -> None:
    key_of(_ASKED, "lab")
    assert StoredAnswer.of_json(folder.read(key) or {}, key).text == _TEXT


def _miss(folder: AnswerFolder, key: str) -> None:
    key_of(_ASKED, "lab")
    assert folder.read(key) is None


def _write(folder: AnswerFolder, key: str) -> None:
    folder.write(key, _answer().as_json(key))


def _bars(stored: int, times: _Times, note: str) -> Iterator[Bar]:
    for name, what, most in (
        ("opening", "opening, and the first look-up", _MOST_OPENING),
        ("stored", "look-up of a stored one", _MOST_LOOK_UP),
        ("missing", "look-up of a missing one", _MOST_LOOK_UP),
        ("write", "write", _MOST_WRITE),
    ):
        milliseconds = [seconds * 1000 for seconds in times[name]]
        named = f"{stored:,} answers: {what}"
        yield Bar.median(named, milliseconds, "ms", most=most, note=note)


def _missed(path: Path, rounds: int) -> Bar:
    """Return how long it takes to tell which stored question is the nearest."""
    words = random.Random(0).choices(sorted(set(_WORDS)), k=_COMPARED + 300)
    replayed = Replayed(AnswerFolder(path), "lab", "answers/")
    texts = [" ".join(words[n : n + 300]) for n in range(_COMPARED + 1)]
    for text in texts[1:]:
        asked = replace(_ASKED, messages=(user(text),))
        key = replayed.key(asked)
        answer = replace(_answer(), request=replayed.summary(asked))
        replayed.folder.write(key, answer.as_json(key))
    backend = ReplayBackend(_nobody, replayed, "only")
    asked = replace(_ASKED, messages=(user(texts[0]),))
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        try:
            backend.stream(asked)
        except ReplayMissError:
            times.append(time.perf_counter() - began)
    what = f"{_COMPARED:,} answers: a miss that names the nearest"
    return Bar.median(what, times, "s", most=_MOST_MISS)


def _nobody() -> Backend:
    raise AssertionError("nobody is asked")


def _beside_cachy(ours: _Times, folder: Path, rounds: int) -> Iterator[Bar]:
    try:
        theirs = _cachys(folder / "cachy.jsonl", min(rounds, 3))
    except InstallationError as error:
        note = f"not measured: pycachy cannot be installed here ({error})"
        yield Bar("times faster than pycachy", math.nan, "x", note=note)
        return
    for name, what in (("missing", "look-up of a missing one"), ("write", "write")):
        own, peer = (statistics.median(times[name]) for times in (ours, theirs))
        yield Bar(
            f"{_PEERS:,} answers: {what}: times faster than pycachy",
            peer / own,
            "x",
            note=f"{own * 1000:.2f} ms and {peer * 1000:.0f} ms",
            beside={"h2o_magic": own, "pycachy": peer},
        )


def _sent() -> str:
    """Return the answer as an OpenAI-compatible server streams it."""
    facts = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "llama"}
    return "".join(
        f"data: {json.dumps({**facts, 'choices': [{'delta': {'content': part}}]})}\n\n"
        for part in (_TEXT[n : n + 8] for n in range(0, len(_TEXT), 8))
    )


def _cachys(file: Path, rounds: int) -> _Times:
    """Have pycachy look a missing answer up, and write it, beside as many as ours."""
    with file.open("w") as written:
        for number in range(_PEERS):
            stored = {"key": digest(number)[:8], "response": _sent(), "headers": {}}
            written.write(json.dumps({**stored, "status_code": 200}) + "\n")
    with environment(_CACHY) as place:
        said = subprocess.run(
            [place.python, "-c", _CACHYS, str(file), _sent(), str(rounds)],
            check=True,
            capture_output=True,
            text=True,
        )
    times: _Times = json.loads(said.stdout)
    return times
