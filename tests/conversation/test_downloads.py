"""Downloads in the background, whose progress is told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from h2o_magic.conversation.downloads import Download, Downloads
from h2o_magic.conversation.notifications import DownloadChanged, Notification
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConnectionFailedError
from h2o_magic.weights.progress import PullEvent, PullProgress, PullResult

Report = Callable[[PullEvent], None]


class Hub:
    """Downloads of ten bytes, each of which goes on when a test lets it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.second = threading.Event()  # begun
        self.steps: queue.Queue[int | Exception] = queue.Queue()
        self.at: list[tuple[str, int]] = []
        self.changed = threading.Condition()
        self.downloads = Downloads(self.pull, self.told)

    def pull(self, model: str, report: Report) -> None:
        self.asked.append(model)
        if len(self.asked) > 1:
            self.second.set()
        while (step := self.steps.get(timeout=60)) != 10:
            if isinstance(step, Exception):
                raise step
            report(PullProgress(step, 10))
        report(PullResult(Path("m.gguf"), "downloaded"))

    def told(self, download: Download) -> None:
        with self.changed:
            self.at.append((download.state, download.done))
            self.changed.notify_all()

    def wait_for(self, state: str, done: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: (state, done) in self.at, 60), self.at


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setattr("h2o_magic.conversation.downloads._INTERVAL", 0)
    return Hub()


def test_progress_is_told_until_the_end_and_two_who_ask_get_one_download(
    hub: Hub,
) -> None:
    download = hub.downloads.start("small")
    assert hub.downloads.start("small") is download
    hub.steps.put(4)
    hub.wait_for("running", 4)
    assert (download.done, download.total) == (4, 10)
    hub.steps.put(10)
    assert download.ended.wait(60)
    hub.wait_for("done", 4)
    assert hub.asked == ["small"]
    assert hub.downloads.all() == (download,)


def test_a_stopped_download_ends_at_its_next_step_and_can_be_resumed(hub: Hub) -> None:
    first = hub.downloads.start("small")
    hub.steps.put(3)
    hub.wait_for("running", 3)
    hub.downloads.stop("small")
    assert first.state == "stopped"
    second = hub.downloads.start("small")
    assert second is not first
    assert not hub.second.wait(0.2)  # it would find the file locked
    hub.steps.put(5)  # the first one's, which ends by it
    assert first.ended.wait(60)
    assert (first.state, first.done) == ("stopped", 3)
    hub.steps.put(10)
    assert second.ended.wait(60)
    assert second.state == "done"


def test_a_failed_download_says_why_until_it_is_dismissed(hub: Hub) -> None:
    download = hub.downloads.start("small")
    hub.steps.put(ConnectionFailedError("the hub cannot be reached: try again"))
    assert download.ended.wait(60)
    assert download.state == "failed"
    assert download.problem == "the hub cannot be reached: try again"
    hub.downloads.stop("small")
    assert hub.downloads.all() == ()


def test_listeners_of_a_session_hear_of_downloads_which_end_with_it(
    home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, going = threading.Event(), threading.Event()

    def pull(_session: Session, _model: str, report: Report) -> None:
        begun.set()
        while not going.wait(0.01):
            report(PullProgress(1, 10))

    monkeypatch.setattr(Session, "pull", pull)
    session, told = Session(), list[Notification]()
    session.listen(told.append)
    download = session.downloads.start("small")
    assert begun.wait(60)
    session.close()
    assert download.ended.wait(60)
    assert download.state == "stopped"
    assert DownloadChanged(download) in told
