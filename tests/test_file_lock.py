from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from h2o_magic.file_lock import LockTimeoutError, file_lock

HOLDER = """
import sys
from pathlib import Path
from h2o_magic.file_lock import file_lock
with file_lock(Path(sys.argv[1]), timeout=10):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a lock"


@contextmanager
def held_by_another(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold the lock until the context ends or it is ended."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == "held\n"
        yield holder


def test_a_lock_that_another_process_holds_is_waited_for_and_given_up(
    path: Path,
) -> None:
    with (
        held_by_another(path),
        pytest.raises(LockTimeoutError, match="held by another for"),
        file_lock(path, timeout=0.05),
    ):
        pytest.fail("two hold it")


def test_a_lock_is_had_as_soon_as_another_process_lets_go_of_it(path: Path) -> None:
    with held_by_another(path) as holder:
        assert holder.stdin is not None
        holder.stdin.close()
        with file_lock(path, timeout=60):
            pass


def test_a_killed_process_holds_nothing(path: Path) -> None:
    with held_by_another(path) as holder:
        holder.kill()
        holder.wait()
        with file_lock(path, timeout=0):
            pass


def test_threads_exclude_each_other(path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(10):
            with file_lock(path, timeout=60):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 40


def test_a_thread_that_gave_up_takes_the_lock_from_nobody(path: Path) -> None:
    # The system drops all of a process's locks on a file when any part of it closes it.
    refused: list[BaseException] = []

    def give_up() -> None:
        try:
            with file_lock(path, timeout=0):
                pass
        except LockTimeoutError as error:
            refused.append(error)

    with file_lock(path, timeout=0):
        thread = threading.Thread(target=give_up)
        thread.start()
        thread.join()
        taken = subprocess.run(
            [sys.executable, "-c", HOLDER.replace("timeout=10", "timeout=0"), path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    assert len(refused) == 1
    assert "LockTimeoutError" in taken.stderr


def test_an_interrupt_ends_the_waiting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_seconds: float) -> None:
        signal.raise_signal(signal.SIGINT)

    with held_by_another(path):
        monkeypatch.setattr("h2o_magic.file_lock.time.sleep", interrupted)
        with pytest.raises(KeyboardInterrupt), file_lock(path, timeout=60):
            pytest.fail("two hold it")


def test_nothing_is_written_and_no_file_left_beside_it(path: Path) -> None:
    path.touch()  # as another library's lock leaves it
    with file_lock(path, timeout=0):
        assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == b""


def test_what_goes_wrong_inside_is_told_as_it_is(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), file_lock(path, timeout=0):
        raise ZeroDivisionError
    with file_lock(path, timeout=0):
        pass


def test_a_file_of_something_else_is_named_and_left_alone(path: Path) -> None:
    path.write_bytes(b"some notes\n" * 100)
    with (
        pytest.raises(OSError, match="a lock is no lock's file: remove it"),
        file_lock(path, timeout=0),
    ):
        pytest.fail("it is no lock")
    assert path.read_bytes() == b"some notes\n" * 100


def test_where_no_file_can_be_made_the_system_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, error in (
        (tmp_path / "nowhere" / "lock", FileNotFoundError),
        (tmp_path / "file" / "lock", NotADirectoryError),
        (tmp_path, IsADirectoryError),
    ):
        with pytest.raises(error), file_lock(path, timeout=0):
            pytest.fail("there is no such file")


def test_a_file_that_may_only_be_read_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch(0o400)
    # The superuser may write it all the same: what the system says of others.
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(PermissionError), file_lock(path, timeout=0):
        pytest.fail("all who read it would share it")
