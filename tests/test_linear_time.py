"""Every parser takes a time that grows as its text does, whatever the text is.

Each reads texts that make naive parsers slow, and the same texts twice as long, which
may take 2.2 times the processor time. A pair that seems to take more is measured again,
longer and more often, since a busy machine makes single runs slow.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import pytest

from h2o_magic.backends.gptgm.parser import GptGmParser
from h2o_magic.backends.http.error_body import error_text
from h2o_magic.backends.http.retry_wait import retry_wait
from h2o_magic.backends.openai.parser import OpenAIParser
from h2o_magic.backends.parser import AnswerParser
from h2o_magic.backends.secrets import Secrets
from h2o_magic.backends.sse import EventBody
from h2o_magic.backends.text import GrowingText
from h2o_magic.backends.values import values_of
from h2o_magic.chat.facts import Facts
from h2o_magic.chat.reasoning import ThinkSplitter
from h2o_magic.chat.tokens import tokens_in
from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.chat_panel import stream
from h2o_magic.chat_panel.html import Block, as_html
from h2o_magic.config.url import check_base_url
from h2o_magic.conversation.formats import ipynb, jsonl, markdown
from h2o_magic.conversation.formats import json as messages
from h2o_magic.conversation.formats.ipynb_cell import find_answer, read_source
from h2o_magic.conversation.store.origins import could_ask
from h2o_magic.errors import H2OMagicError
from h2o_magic.ipython.completion import cursor
from h2o_magic.ipython.options import parse_ask, parse_cell_line
from h2o_magic.prompts.expand import Reader, expand
from h2o_magic.prompts.secrets.scan import masked
from h2o_magic.rendering.answer_text import AnswerText
from h2o_magic.rendering.direction import with_directions
from h2o_magic.rendering.footer import answer_markdown
from h2o_magic.rendering.history import turn_markdown
from h2o_magic.rendering.json import find_json
from h2o_magic.rendering.literal import literal, phrase
from h2o_magic.rendering.plain import as_plain
from h2o_magic.rendering.sanitize import sanitize
from h2o_magic.rendering.schema import problems
from h2o_magic.rendering.table_answer import markdown_table, rows_of
from h2o_magic.server.defuse import defuse
from h2o_magic.server.load_failures import reason

Family = Callable[[int], str]

#: Seconds in which a parser whose time grows with the square reads nothing of the sizes
#: below, and of which a busy machine may double some.
_NEGLIGIBLE = 0.003


def repeated(unit: str) -> Family:
    return lambda size: (unit * (size // len(unit) + 1))[:size]


def stairs(line: Callable[[int], str], end: str = "\n") -> Family:
    """Lines each of which is longer than the one before."""
    return lambda size: end.join(line(n) for n in range(1, int((2 * size) ** 0.5)))


def nested(open_: str, inner: str, close: str) -> Family:
    def text(size: int) -> str:
        depth = size // (len(open_) + len(close))
        return open_ * depth + inner + close * depth

    return text


def wide_table(size: int) -> str:
    columns = size // 6
    return "\n".join(cell * columns + "|" for cell in ("|a", "|-", "|1"))


def sparse_table(size: int) -> str:
    count = size // 7
    return "|a" * count + "\n" + "|-" * count + "\n" + "|1\n" * count


#: Runs of one mark, of white space, of what is drawn over or beside nothing.
RUNS = {f"run of {mark!r}": repeated(mark) for mark in '`*_~[(!<>|#-=\\&$"{}0a'}
RUNS |= {
    f"run of {mark!r}": repeated(mark)
    for mark in (" ", "\t", "\n", "\u0301", "\u200b", "\u202e")
}
REPEATED = {
    f"many {unit!r}": repeated(unit)
    for unit in (
        *("`a", "``a`", "*a_ ", "*a **b ", "~~a"),
        *("[a](", "](", "![", "![a](", "[[a]", "[](", "[a](<b", '[a]("'),
        *("]: ", "[a]: b\n", '[a]: b "\n', "<a ", "<!-- a", "<sub>"),
        *("<http://a", "http://a ", "a@b.c ", "&amp;", "\\`", "\\(", "\\\\["),
        *("\\begin{a}", "$a", "$1 ", "> ", "> a\n", "- ", "1. "),
        *("- a\n", "# a\n", "a\n===\n", "a\n\n", "```\n", "````\n```\n"),
        *("- ```\n", "> ```\n", "|a|\n|-|\n", ":-|", "</s>", "<title>", "<h1>a</h1>"),
        *("<think>", "data: {}\n", "data:", "{a} ", "{a:%", "{'", '{"a": '),
        *("[1, ", '"a" ', "\\u00", "key = ", "sk-a1 ", "basic ", "lambda "),
        *("let a=", "if a=: ", "aA1", "--model ", "'a ", 'a="', "%h2o ", "\x1b[0m"),
        *("\ud800", "e\u0301", "\u2067a", "\u05d0 a\n\n"),
        *("www.a", "http://a.b/)", "[^1]", "[^1]: a\n", "- [ ] a\n", "```c\n/*\n"),
    )
}
OTHERS = {
    "marks around a word": nested("`", "a", "`"),
    "stars around a word": nested("*", "a", "*"),
    "brackets in brackets": nested("[", "a", "]"),
    "braces in braces": nested("{", "a", "}"),
    "links in links": nested("[", "a", "](b)"),
    "images in images": nested("![", "a", "](b)"),
    "tags in tags": nested("<sub>", "a", "</sub>"),
    "formulas in formulas": nested("\\begin{a}", "b", "\\end{a}"),
    "fractions in fractions": nested("\\frac{1}{", "1", "}"),
    "rising backticks": stairs(lambda n: "`" * n, " "),
    "rising fences": stairs(lambda n: "`" * n),
    "rising dollars": stairs(lambda n: "$" * n, " "),
    "rising indentation": stairs(lambda n: " " * n + "- a"),
    "rising quotations": stairs(lambda n: "> " * n + "a"),
    "open fence": lambda size: "```\n" + "a\n" * (size // 2),
    "long language": lambda size: f"```{' ' * size}!\na\n```",
    "diagram of blank lines": lambda size: "```mermaid\n" + "\n" * size + "```",
    "open title": lambda size: "[a]: b '" + "a\n" * (size // 2),
    "spaces between words": lambda size: f"a{' ' * size}b",
    "spaces after a rule": lambda size: f"a\n-{' ' * size}b",
    "wide table": wide_table,
    "sparse table": sparse_table,
    "capitals": repeated("aAaA"),
    "digits and a letter": lambda size: "1" * size + "a",
}
FAMILIES = RUNS | REPEATED | OTHERS


def pieces(text: str, size: int = 9) -> Iterator[str]:
    return (text[place : place + size] for place in range(0, len(text), size))


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def turn(text: str) -> Turn:
    facts = Facts(text[:2000], weights=text[:2000]).as_metadata()
    return Turn(text, text, system=text, model=text[:2000], facts=facts)


def through(write: Callable[..., str], read: Callable[[str], object]) -> object:
    return lambda text: read(write([Thread("main", (turn(text),))]))


def think(text: str) -> None:
    splitter = ThinkSplitter()
    for piece in pieces(text):
        splitter.feed(piece)
    splitter.feed("", end=True)


def stops(text: str) -> None:
    growing = GrowingText(("\n\nUser:", "</s></s>x", "``````x", "aaaaaaaax"))
    for piece in pieces(text):
        growing.add(piece)


def body(text: str) -> None:
    decoder = EventBody()
    for piece in pieces(text):
        decoder.feed(as_bytes(piece))
    decoder.flush()
    decoder.complaint("an answer")


def masking(text: str) -> None:
    secrets = Secrets({"Authorization": "Bearer sk-hidden"})
    for _ in secrets.masked_chunks(map(as_bytes, pieces(text))):
        pass


def answer(parser: AnswerParser, events: Iterable[object]) -> None:
    for event in events:
        list(parser.feed(f"data: {json.dumps(event)}\n\n".encode()))
    list(parser.flush())
    parser.end()


def openai(text: str) -> None:
    deltas = ({"content": piece} for piece in pieces(text))
    answer(OpenAIParser(("\n\nUser:",)), ({"choices": [{"delta": d}]} for d in deltas))


def gptgm(text: str) -> None:
    tokens = ({"text": piece, "special": False} for piece in pieces(text))
    answer(GptGmParser(stop=("\n\nUser:",)), ({"token": token} for token in tokens))


class NoNames(Reader):
    """A notebook in which no name exists."""

    evaluates = True

    def lookup(self, name: str) -> object:
        raise KeyError(name)


def find_place(text: str) -> None:
    first = text.split("\n", maxsplit=1)[0]
    cursor.place_of(text, 0, len(first))
    cursor.split(first)


def shown(text: str) -> object:
    return {"data": {"text/markdown": text, "text/plain": text}, "metadata": {}}


SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}}

#: Every parser of foreign text, and the characters that it reads in some milliseconds.
PARSERS: dict[str, tuple[int, Callable[[str], object]]] = {
    "sanitize": (5000, sanitize),
    "answer": (
        2000,
        lambda t: answer_markdown(t, Facts("m"), reasoning=t, reasoning_mode="show"),
    ),
    "html": (1500, as_html),
    "directions": (5000, lambda text: with_directions(f"\u05d0\n\n{text}")),
    "plain text": (500, as_plain),
    "history": (2000, lambda text: turn_markdown(turn(text))),
    "transcript": (2000, lambda text: markdown.write([Thread("main", (turn(text),))])),
    "notebook": (3000, through(ipynb.write, ipynb.read)),
    "messages": (10_000, through(messages.write, messages.read)),
    "training lines": (10_000, through(jsonl.write, jsonl.read)),
    "files": (
        20_000,
        lambda text: [quietly(each.read, text) for each in (ipynb, messages, jsonl)],
    ),
    "literal": (5000, literal),
    "phrase": (5000, phrase),
    "code": (4000, lambda text: AnswerText(text).code),
    "JSON": (4000, find_json),
    "Markdown table": (3000, markdown_table),
    "JSON table": (8000, lambda text: rows_of([{word: 1} for word in text.split()])),
    "schema": (20_000, lambda text: problems({"a": text, text: text}, SCHEMA)),
    "reasoning": (20_000, think),
    "stop texts": (1000, stops),
    "body": (10_000, body),
    "page": (20_000, lambda text: body(f"<html>{text}")),
    "masked body": (5000, masking),
    "event": (20_000, lambda text: list(values_of(text))),
    "openai": (800, openai),
    "gpt-gm": (800, gptgm),
    "error": (20_000, lambda text: error_text(as_bytes(text))),
    "error page": (20_000, lambda text: error_text(as_bytes(f"<p>{text}"))),
    "waits": (20_000, lambda text: retry_wait({"retry-after": text})),
    "address": (20_000, lambda text: check_base_url(f"http://{text}")),
    "prompt": (3000, lambda text: expand(f"{text} {{a + 1}}", NoNames())),
    "line of a prompt": (
        3000,
        lambda text: expand(f"{text.replace(chr(10), ' ')} {{a + 1}}", NoNames()),
    ),
    "tokens": (3000, tokens_in),
    "secrets": (8000, masked),
    "options": (500, parse_cell_line),
    "question on a line": (10_000, parse_ask),
    "cursor": (10_000, find_place),
    "cell": (5000, lambda text: read_source(f"%%h2o {text}")),
    "outputs": (20_000, lambda text: find_answer([shown(text)], "cell 1")),
    "cell and question": (20_000, lambda text: could_ask(f"%%h2o\n{text}", text)),
    "control texts": (20_000, lambda text: defuse(text, {"</s>", "```", "<|a|>"})),
    "engine's words": (20_000, lambda text: reason(f"Error: {text}", 3)),
}


def quietly(parse: Callable[[str], object], text: str) -> None:
    with suppress(H2OMagicError, ValueError, RecursionError):
        parse(text)


def seconds(parse: Callable[[str], object], text: str) -> float:
    """Return the processor time of one run."""
    begin = time.process_time()
    quietly(parse, text)
    return time.process_time() - begin


def is_linear(parse: Callable[[str], object], family: Family, size: int) -> bool:
    for factor, rounds in ((1, 4), (4, 8), (16, 8)):
        texts = family(factor * size), family(2 * factor * size)
        short = long = float("inf")
        for _ in range(rounds):
            long = min(long, seconds(parse, texts[1]))
            if long < _NEGLIGIBLE:
                return True
            short = min(short, seconds(parse, texts[0]))
            if long < 2.2 * short:
                return True
    return False


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("name", PARSERS)
def test_twice_the_text_takes_twice_the_time(name: str) -> None:
    size, parse = PARSERS[name]
    slow = [each for each in FAMILIES if not is_linear(parse, FAMILIES[each], size)]
    assert slow == []


@pytest.mark.nightly
@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("name", PARSERS)
def test_twice_a_long_text_takes_twice_the_time(name: str) -> None:
    size, parse = PARSERS[name]
    slow = [each for each in FAMILIES if not is_linear(parse, FAMILIES[each], 6 * size)]
    assert slow == []


def rendered(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many characters are rendered while a text comes in pieces."""
    sizes: list[int] = []

    def render(piece: str) -> Block:
        sizes.append(len(piece))
        return Block(piece)

    monkeypatch.setattr(stream, "as_block", render)
    growing = stream.HtmlStream()
    for end in range(0, len(text), 900):
        growing.update(text[:end])
    growing.update(text)
    return sum(sizes)


def test_a_stream_renders_twice_as_much_for_twice_the_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = [
        name
        for name, family in FAMILIES.items()
        if rendered(family(72_000), monkeypatch)
        > 2.2 * rendered(family(36_000), monkeypatch)
    ]
    assert slow == []
