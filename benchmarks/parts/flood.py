"""An answer as fast as the socket gives it: how long the kernel works.

Beside it, in the same kernel and in turn, the least that a client of the dialect must
do: read the same body with bare ``requests`` and give each event to ``json.loads``.
A varied answer has events that say their counts anew each time.
With peers, chatlab gives the same answer, in a kernel of an environment of its own; it
takes so long, 25 s, that it does so less often.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from benchmarks.apparatus.answers import answer
from benchmarks.apparatus.environments import InstallationError, environment
from benchmarks.apparatus.kernel import CellRun, Kernel, talking_kernel
from benchmarks.apparatus.speaker import PATHS, Dialect, question, request, speaking
from benchmarks.bars import Bar
from benchmarks.parts import MOST_ROUNDS, Options

__all__ = ["measure"]

_TOKENS = 8000
#: The shape of each answer, and whether its events are varied.
_ANSWERS = (("prose", False), ("mixed", False), ("mixed", True))
# A plain decoder reads each event by itself: the 26 ms that reading them together saved
# were not worth its lines.
_MOST_OF_BARE = 2.0
_CHATLAB = "chatlab==2.1.1"
_CHATLABS_ROUNDS = MOST_ROUNDS["flood of chatlab"]
_LEAST_TIMES_FASTER = 20
_BARE = """
def bare(address, body):
    import json
    import requests
    texts, rest = [], b""
    with requests.post(address, json=body, stream=True) as answer:
        for data in answer.iter_content(None):
            *events, rest = (rest + data).split(b"\\n\\n")
            for event in events:
                if event.endswith(b"}"):
                    said = json.loads(event[event.index(b"{"):])
                    texts.append({text})
    return len("".join(texts))
"""
#: The text of an event, by dialect.
_TEXT: dict[Dialect, str] = {
    "OpenAI": 'said["choices"][0]["delta"].get("content", "")',
    "gpt-gm": '"" if said["token"]["special"] else said["token"]["text"]',
}


def measure(options: Options) -> Iterator[Bar]:
    """Yield the ratio for each shape and dialect, and what they were made of."""
    with speaking() as speaker:
        for dialect, path in PATHS.items():
            with talking_kernel(speaker.url + path) as kernel:
                kernel.run(_BARE.replace("{text}", _TEXT[dialect]))
                for shape, varied in _ANSWERS:
                    asked = question(shape, _TOKENS, varied=varied)
                    where, body = request(dialect, asked)
                    reading = f"bare({speaker.url + where!r}, {body!r})"
                    pairs = _pairs(kernel, asked, reading, shape, options.rounds)
                    what = f"{'varied ' * varied}{shape}, {dialect}"
                    yield from _bars(what, pairs)
        if options.peers:
            rounds = min(options.rounds, _CHATLABS_ROUNDS)
            yield from _beside_chatlab(speaker.url, rounds)


def _pairs(
    kernel: Kernel, asked: str, reading: str, shape: str, rounds: int
) -> list[tuple[CellRun, CellRun]]:
    size = len("".join(answer(shape, _TOKENS)))
    pairs = []
    for _ in range(rounds + 1):
        ours = kernel.run(f"%%h2o\n{asked}")
        bare = kernel.run(f"assert {reading} == {size}")
        pairs.append((ours, bare))
    return pairs[1:]  # the first one imports


def _bars(what: str, pairs: list[tuple[CellRun, CellRun]]) -> Iterator[Bar]:
    own = statistics.median(ours.cpu for ours, _ in pairs)
    least = statistics.median(bare.cpu for _, bare in pairs)
    made_of = f"{own * 1000:.0f} ms and {least * 1000:.0f} ms of the processor"
    note = f"{len(pairs)} pairs: {made_of}"
    yield Bar.median(
        f"{_TOKENS} tokens of {what}: kernel time",
        (ours.cpu / bare.cpu for ours, bare in pairs),
        "x bare",
        most=_MOST_OF_BARE,
        note=note,
        beside={"h2o_magic": own, "bare": least},
    )
    yield Bar.median(
        f"{_TOKENS} tokens of {what}: by the clock",
        (ours.seconds / bare.seconds for ours, bare in pairs),
        "x bare",
        beside={
            "h2o_magic": statistics.median(ours.seconds for ours, _ in pairs),
            "bare": statistics.median(bare.seconds for _, bare in pairs),
        },
    )


def _beside_chatlab(url: str, rounds: int) -> Iterator[Bar]:
    """Have both give an answer of prose, in turn."""
    what = f"{_TOKENS} tokens of prose, OpenAI: times faster than chatlab"
    try:
        with (
            environment(_CHATLAB, "ipykernel") as place,
            place.kernel() as theirs,
            talking_kernel(f"{url}/v1") as ours,
        ):
            pairs = _pairs_with_chatlab(ours, theirs, url, rounds)
    except InstallationError as error:
        note = f"not measured: chatlab cannot be installed here ({error})"
        yield Bar(what, math.nan, "x", least=_LEAST_TIMES_FASTER, note=note)
        return
    own, peer = (
        statistics.median(run.cpu for run in runs) for runs in zip(*pairs, strict=True)
    )
    note = (
        f"{len(pairs)} rounds: "
        f"{own * 1000:.0f} ms and {peer * 1000:.0f} ms of the processor"
    )
    yield Bar(
        what,
        peer / own,
        "x",
        least=_LEAST_TIMES_FASTER,
        note=note,
        samples=tuple(theirs.cpu / ours.cpu for ours, theirs in pairs),
        beside={"h2o_magic": own, "chatlab": peer},
    )
    for name, run in zip(("h2o_magic", "chatlab"), pairs[-1], strict=True):
        text = len("".join(answer("prose", _TOKENS)))
        note = f"{run.size / 1e6:.2f} MB, {len(run.messages)} messages"
        what = f"{_TOKENS} tokens of prose, {name}: bytes on IOPub"
        beside = {name: run.size, "text": text}
        yield Bar(what, run.size / text, "x text", note=note, beside=beside)


def _pairs_with_chatlab(
    ours: Kernel, theirs: Kernel, url: str, rounds: int
) -> list[tuple[CellRun, CellRun]]:
    theirs.run("import chatlab")
    chat = f"chatlab.Chat(base_url={url + '/v1'!r}, api_key='x', model='llama-13b')"
    pairs = []
    for tokens in (5, *[_TOKENS] * rounds):
        asked = question("prose", tokens)
        own = ours.run(f"%%h2o\n{asked}")
        peer = theirs.run(f"chat = {chat}\nawait chat.submit({asked!r})")
        said = theirs.evaluate("chat.messages[-1]['content']")
        if said != "".join(answer("prose", tokens)):
            raise RuntimeError(f"chatlab kept another answer than was sent: {said!r}")
        pairs.append((own, peer))
    return pairs[1:]  # the first one imports
