"""Foreign and broken files: one clear line, and the server lives on."""

from __future__ import annotations

import signal
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import gguf
import pytest

from h2o_magic.errors import ConfigurationError
from h2o_magic.server import models
from h2o_magic.server import probe as probing
from h2o_magic.server.models import Models, load
from h2o_magic.server.probe import end_probes, probe
from h2o_magic.weights.files import find_weights
from h2o_magic.weights.memory import MemoryPlan
from h2o_magic.weights.names import is_later_part, part_names, unsplit_name
from tests.server.client import Client, turn, until
from tests.server.conftest import Start
from tests.server.in_thread import served
from tests.server.tiny_gguf import write_llama

ROOM = MemoryPlan(1, 256, 256, 1)


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


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_refused_in_one_line_that_says_why(
    kind: str, tmp_path: Path
) -> None:
    change, words = BROKEN[kind]
    path = damaged(tmp_path / f"{kind}.gguf", change)
    with pytest.raises(ConfigurationError, match=words) as caught:
        load(path, ROOM)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


ENDLESS = "{% for i in range(1000000000) %}{% endfor %}"
GREEDY = "{% set ns = namespace(x='x' * 100000) %}" + ENDLESS.replace(
    "%}{%", "%}{% set ns.x = ns.x ~ ns.x %}{%"
)
GOT = "got SIGTERM"
TEMPLATES = {
    "endless": (ENDLESS, "its chat template takes too long"),
    "syntax": ("{{ messages", "its chat template is broken, .*Expected }}"),
    "unlike": ("{% for x in %}", "template is broken, Unexpected token: %}"),
    "raises": ("{{ raise_exception('no way') }}", "broken, Jinja Exception: no way"),
}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_chat_template_that_does_not_end_or_work_is_refused_with_the_reason(
    kind: str, tmp_path: Path
) -> None:
    template, words = TEMPLATES[kind]
    path = write_llama(tmp_path / f"{kind}.gguf", template=template)
    with pytest.raises(ConfigurationError, match=words) as caught:
        probe(path, template_seconds=1)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing limits it")
def test_a_chat_template_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf", template=GREEDY)
    with pytest.raises(ConfigurationError, match=r"its chat template .*bad_alloc"):
        probe(path, template_seconds=1000, template_memory=100 * 2**20)


def test_loading_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf", template=ENDLESS)
    with pytest.raises(ConfigurationError, match="takes more than 1 s: take another"):
        probe(path, seconds=1)
    assert not probing._running


def test_what_is_being_tried_ends_when_it_is_told_to(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf", template=ENDLESS)
    failed: list[ConfigurationError] = []

    def try_it() -> None:
        with pytest.raises(ConfigurationError) as caught:
            probe(path, template_seconds=1000)
        failed.append(caught.value)

    trying = threading.Thread(target=try_it)
    trying.start()
    until(lambda: bool(probing._running))
    end_probes()
    trying.join(20)
    assert "it was killed" in str(failed[0])


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes")
@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_ends_a_server_that_tries_an_endless_file_and_the_try_too(
    signals: int, start: Start, tmp_path: Path
) -> None:
    path = write_llama(tmp_path / "m.gguf", template=ENDLESS)
    serving = start("--idle-minutes", "0", "--grace", "0" if signals == 1 else "99")
    client = serving.client()
    body = turn("hi", {"max_new_tokens": 1})
    asking = client.start("POST", f"/conversation/{client.converse(str(path))}", body)
    until(lambda: bool(tries_of(path)))
    for number in range(signals):
        serving.process.send_signal(signal.SIGTERM)
        until(lambda n=number: serving.log_file.read_text().count(GOT) > n)
    assert serving.wait() == (0 if signals == 1 else 128 + signal.SIGTERM)
    asking.close()
    until(lambda: not tries_of(path))


def tries_of(path: Path) -> list[str]:
    """Return the processes that try the file."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = process.read_bytes().decode().split("\0")
            if str(path) in words and "h2o_magic.server.probe" in words:
                found.append(process.parent.name)
    return found


def test_the_server_lives_on_and_answers_from_others(
    start: Start, tmp_path: Path
) -> None:
    serving = start("--idle-minutes", "0")
    client = serving.client()
    for kind, (change, _) in BROKEN.items():
        path = damaged(tmp_path / f"{kind}.gguf", change)
        event = client.failure(str(path), max_new_tokens=1)
        assert path.name in event["error"], kind
    assert client.answer("hi", max_new_tokens=1)["generated_text"]
    assert serving.process.poll() is None


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


def test_a_file_is_tried_elsewhere_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []
    monkeypatch.setattr(models, "probe", tried.append)
    path = write_llama(tmp_path / "m.gguf")
    for _ in range(2):
        load(path, ROOM).close()
    assert tried == [path]
    write_llama(path, layers=2)
    load(path, ROOM).close()
    assert tried == [path, path]


def test_the_packages_own_weights_are_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "probe", lambda _: pytest.fail("it was tried"))
    weights = find_weights("llama-13b")
    assert weights is not None
    load(weights.path, ROOM).close()


def test_an_engine_can_be_let_go_at_once(tmp_path: Path) -> None:
    """Letting go of one whose loop has not begun waits for ever."""
    path = write_llama(tmp_path / "m.gguf")
    for _ in range(30):
        load(path, ROOM).close()


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
    with served(Models(1)) as client:
        last = client.answer("hi", str(first), max_new_tokens=3, temperature=0.1)
    assert last["details"]["generated_tokens"] == 3
    assert last["details"]["h2o_magic"]["weights"] == "m"


def test_split_weights_of_which_a_part_is_missing_say_which(tmp_path: Path) -> None:
    first, second = write_split(tmp_path)
    second.unlink()
    with served(Models(1)) as client:
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
    for body in ([], {"paths": "x"}, {"paths": [1]}):
        assert client.call("POST", "/api/unload", body).status == 422


def test_a_model_that_is_answering_is_not_unloaded(
    client: Client, endless: str
) -> None:
    body = turn("hi", {"max_new_tokens": 4000, "temperature": 0.1})
    path = f"/conversation/{client.converse(endless)}"
    with client.open("POST", path, body) as answer:
        assert answer.read(5) == b"data:"
        reply = client.call("POST", "/api/unload", {"paths": [endless]})
        assert reply.json == {"in_use": [endless]}
