"""Foreign and broken files: one clear line, and the server lives on."""

from __future__ import annotations

import re
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import psutil
import pytest

from h2o_magic.server.load_failures import reason
from h2o_magic.weights.names import is_later_part, part_names, unsplit_name
from tests.server.client import Client, turn, until
from tests.server.conftest import Start
from tests.server.engines import engines, real_models
from tests.server.in_thread import served
from tests.server.test_openai_routes import CHAT, ask, body, error, text_of
from tests.server.tiny_gguf import write_llama


@pytest.fixture
def server() -> Iterator[Client]:
    with served(real_models) as client:
        yield client


def damaged(path: Path, change: Callable[[bytes], bytes]) -> Path:
    path.write_bytes(change(write_llama(path).read_bytes()))
    return path


def with_architecture(name: str) -> Callable[[bytes], bytes]:
    return lambda whole: whole.replace(b"llama", name.encode())


def with_a_token_twice(whole: bytes) -> bytes:
    """Such a file ends the engine's process."""
    return whole.replace(b"\x01\0\0\0\0\0\0\0!\x01", b"\x01\0\0\0\0\0\0\0#\x01")


def with_count(place: int, count: int) -> Callable[[bytes], bytes]:
    return lambda whole: whole[:place] + struct.pack("<Q", count) + whole[place + 8 :]


BROKEN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "it is empty"),
    "other": (lambda _: b"<html>not found</html>", "it begins with b'<htm'"),
    "old": (lambda w: w[:4] + b"\1\0\0\0" + w[8:], "its version is 1"),
    "big-endian": (lambda w: w[:4] + b"\0\0\0\3" + w[8:], "its version is 50331648"),
    "cut-in-the-head": (lambda w: w[:900], "it is truncated"),
    "cut-in-the-tensors": (lambda w: w[:-1000], "not within the file bounds"),
    "many-pairs": (with_count(16, 2**60), "it declares 1,152,921,504,606,846,976"),
    "many-tensors": (with_count(8, 2**60), "number of tensors is 1152921504606846976"),
    "foreign": (with_architecture("mamba"), "is not a complete GGUF file|cannot load"),
    "unknown": (with_architecture("zzzzz"), "unknown model architecture: 'zzzzz'"),
    "twice": (with_a_token_twice, "it crashes, GGML_ASSERT"),
    "no-layers": (
        lambda w: w.replace(b"block_count\x04\0\0\0\x01", b"block_count\x04\0\0\0\xff"),
        "the engine cannot load",
    ),
}


def refusal(client: Client, path: Path, **given: Any) -> str:
    """Ask a file that cannot be loaded, and return the one line that says why."""
    found = error(ask(client, model=str(path), **given), 400)
    assert found["type"] == "invalid_request_error"
    assert (found["code"], found["param"]) == ("model_not_usable", "model")
    words = found["message"]
    assert isinstance(words, str)
    assert "\n" not in words
    assert path.name in words
    return words


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_a_400_in_one_line_that_says_why(
    client: Client, kind: str, tmp_path: Path
) -> None:
    change, words = BROKEN[kind]
    path = damaged(tmp_path / f"{kind}.gguf", change)
    for streamed in (False, True):
        assert re.search(words, refusal(client, path, stream=streamed))
    event = client.failure(str(path), max_new_tokens=1)
    assert re.search(words, event["error"])
    assert text_of(ask(client))


ENDLESS = "{% for i in range(1000000000) %}{% endfor %}"
GREEDY = "{% set ns = namespace(x='x' * 100000) %}" + ENDLESS.replace(
    "%}{%", "%}{% set ns.x = ns.x ~ ns.x %}{%"
)
GOT = "got SIGTERM"
TEMPLATES = {
    "syntax": ("{{ messages", "its chat template is broken, .*Expected }}"),
    "unlike": ("{% for x in %}", "template is broken, Unexpected token: %}"),
    "raises": ("{{ raise_exception('no way') }}", "broken, Jinja Exception: no way"),
}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_chat_template_that_does_not_work_is_a_400_with_the_reason(
    client: Client, kind: str, tmp_path: Path
) -> None:
    template, words = TEMPLATES[kind]
    path = write_llama(tmp_path / f"{kind}.gguf", template=template)
    assert re.search(words, refusal(client, path))


def test_a_chat_template_that_never_ends_is_given_up(
    server: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h2o_magic.server.engine_process._LOAD_SECONDS", 1.0)
    path = write_llama(tmp_path / "m.gguf", template=ENDLESS)
    words = "takes more than 1 s of processor time, most likely because its chat"
    assert words in refusal(server, path)
    assert engines() == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing limits it")
def test_a_chat_template_that_takes_too_much_memory_is_refused(
    server: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h2o_magic.server.loading._HEADROOM", 300 * 2**20)
    path = write_llama(tmp_path / "m.gguf", template=GREEDY)
    assert re.search("its chat template .*bad_alloc", refusal(server, path))


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_ends_a_server_that_loads_an_endless_file_and_its_engine_too(
    signals: int, start: Start, tmp_path: Path
) -> None:
    path = write_llama(tmp_path / "m.gguf", template=ENDLESS)
    serving = start("--idle-minutes", "0", "--grace", "0" if signals == 1 else "99")
    client = serving.client()
    asking = client.start("POST", CHAT, body(str(path)))
    until(lambda: bool(engines(serving.process.pid)))
    (engine,) = engines(serving.process.pid)
    got: list[int] = []
    while len(got) < signals:
        serving.process.send_signal(signal.SIGTERM)
        got.append(len(got) + 1)
        until(lambda: serving.log_file.read_text().count(GOT) == len(got))
    assert serving.wait() == (0 if signals == 1 else 128 + signal.SIGTERM)
    asking.close()
    until(lambda: not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE)


def test_while_a_file_is_loaded_another_models_stream_goes_on(
    server: Client, endless: str, tmp_path: Path
) -> None:
    """Its events are counted from when the load has begun until it is over."""
    slow = write_llama(tmp_path / "m.gguf", template=ENDLESS)
    asked = body(endless, max_tokens=8000, stream=True)
    with server.open("POST", CHAT, asked) as stream:
        stream.readline()
        loading = server.start("POST", CHAT, body(str(slow)))
        until(lambda: len(engines()) == 2)
        events = sum(stream.readline().startswith(b"data: {") for _ in range(2000))
        assert len(engines()) == 2
        assert events == 1000
        # Who asks a third model meanwhile waits for that one alone.
        assert text_of(ask(server))
        loading.close()


def test_the_engines_key_is_in_no_argument_and_in_no_environment(
    server: Client, noisy: str
) -> None:
    assert text_of(ask(server, model=noisy))
    (engine,) = engines()
    assert engine.cmdline()[1:] == ["-m", "h2o_magic.server.engine"]
    assert noisy not in " ".join(engine.environ().values())


@pytest.mark.parametrize(
    ("printed", "status", "words"),
    [
        ("", -9, "it was killed, most likely because memory ran out"),
        ("", -11, "it crashes"),
        (
            "x\nGGML_ASSERT(a == b) failed\n",
            -6,
            "it crashes, GGML_ASSERT(a == b) failed",
        ),
        ("", 3, "it gives no reason"),
        (
            "error loading model: error loading model hyperparameters: key not found",
            3,
            "key not found",
        ),
        ("Error: bad\x1b[1m thing", 3, "its chat template is broken, bad[1m thing"),
    ],
)
def test_why_an_engine_ended_is_read_from_what_it_printed(
    printed: str, status: int, words: str
) -> None:
    assert reason(printed, status) == words
    assert reason(printed, status).isprintable()


def test_a_file_that_is_written_over_while_it_answers_ends_nothing(
    start: Start, tmp_path: Path
) -> None:
    """Were it mapped, the first look at a page that is gone would end the server."""
    path = write_llama(tmp_path / "m.gguf", context=8192, layers=8)
    serving = start("--idle-minutes", "0")
    client = serving.client()
    body = turn("hi", {"max_new_tokens": 300, "temperature": 0.1})
    with client.open("POST", f"/conversation/{client.converse(str(path))}", body) as it:
        assert it.read(5) == b"data:"
        path.write_bytes(b"")
        assert b'"generated_text":"' in it.read()
    event = client.failure(str(path), max_new_tokens=1)
    assert "it is empty" in event["error"]
    write_llama(path, layers=1)
    last = client.answer("hi", str(path), max_new_tokens=1, temperature=0.1)
    assert last["details"]["generated_tokens"] == 1
    assert serving.process.poll() is None


def test_a_folder_is_no_model(client: Client, tmp_path: Path) -> None:
    (tmp_path / "folder.gguf").mkdir()
    reply = client.call("POST", "/conversation", {"model": f"{tmp_path}/folder.gguf"})
    assert reply.status == 422
    assert "no such file" in reply.json["error"]
    found = error(ask(client, model=f"{tmp_path}/folder.gguf"), 404)
    assert "no such file" in found["message"]


# Split weights


def write_split(folder: Path) -> list[Path]:
    """Write a model in several files, as `gguf-split` does, and return them."""
    whole = gguf.GGUFReader(write_llama(folder / "whole.gguf"))
    tensors = whole.tensors
    halves = (tensors[:5], tensors[5:])
    paths = []
    for number, half in enumerate(halves):
        path = folder / f"m-0000{number + 1}-of-00002.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        if number == 0:
            _copy_pairs(whole, writer)
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", 2)
        writer.add_int32("split.tensors.count", len(tensors))
        for tensor in half:
            writer.add_tensor(tensor.name, tensor.data)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        paths.append(path)
    return paths


def _copy_pairs(source: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for name, entry in source.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            kind = entry.types[0]
            inner = entry.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, entry.contents(), kind, inner)


def test_split_weights_answer(tmp_path: Path) -> None:
    first, _ = write_split(tmp_path)
    with served(real_models) as client:
        last = client.answer("hi", str(first), max_new_tokens=3, temperature=0.1)
    assert last["details"]["generated_tokens"] == 3
    assert last["details"]["h2o_magic"]["weights"] == "m"


def test_split_weights_of_which_a_part_is_missing_say_which(tmp_path: Path) -> None:
    first, second = write_split(tmp_path)
    second.unlink()
    with served(real_models) as client:
        event = client.failure(str(first))
    assert "m-00002-of-00002.gguf is missing" in event["error"]


def test_the_names_of_parts() -> None:
    assert unsplit_name("m-00002-of-00003.gguf") == "m.gguf"
    assert unsplit_name("m.gguf") == "m.gguf"
    assert part_names("m.gguf") == ("m.gguf",)
    assert part_names("m-00002-of-00002.gguf") == (
        "m-00001-of-00002.gguf",
        "m-00002-of-00002.gguf",
    )
    names = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "m-2-of-2.gguf"]
    assert [is_later_part(name) for name in names] == [False, True, False]


def test_the_unload_route_says_what_stays(client: Client, noisy: str) -> None:
    client.answer("hi", noisy, max_new_tokens=1)
    assert noisy in client.call("GET", "/health").json["loaded"]
    asked = {"paths": [noisy, "/not/there.gguf"]}
    assert client.call("POST", "/api/unload", asked).json == {"in_use": []}
    assert noisy not in client.call("GET", "/health").json["loaded"]
    wrong: list[Any] = [[], {"paths": "x"}, {"paths": [1]}]
    for given in wrong:
        assert client.call("POST", "/api/unload", given).status == 422


def test_a_model_that_is_answering_is_not_unloaded(
    client: Client, endless: str
) -> None:
    body = turn("hi", {"max_new_tokens": 4000, "temperature": 0.1})
    path = f"/conversation/{client.converse(endless)}"
    with client.open("POST", path, body) as answer:
        assert answer.read(5) == b"data:"
        reply = client.call("POST", "/api/unload", {"paths": [endless]})
        assert reply.json == {"in_use": [endless]}
