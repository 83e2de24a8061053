"""Downloads of models in the background, whose progress all who look can see."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from h2o_magic.weights.progress import PullEvent, PullPlan, PullProgress

#: Seconds between two reports of progress.
_INTERVAL = 0.25
#: Seconds that downloads get to end when the session closes.
_FAREWELL = 2.0

#: Downloads a model, and calls a function with its progress.
Pull: TypeAlias = Callable[[str, Callable[[PullEvent], None]], object]


@dataclass(eq=False)
class Download:
    """A download as it stands; `problem` is why it failed."""

    model: str
    state: Literal["running", "done", "stopped", "failed"] = "running"
    done: int = 0  # bytes
    total: int = 0  # 0 until it is known
    problem: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Stop it, from any thread; what has come is kept if it can be resumed."""
        if self.state == "running":
            self.state = "stopped"


class Downloads:
    """The downloads of a session, one for each model: the last that was started.

    `changed` is called with a download whenever there is news of it.
    """

    def __init__(self, pull: Pull, changed: Callable[[Download], None]) -> None:
        self._pull = pull
        self._changed = changed
        self._lock = threading.Lock()
        self._downloads: dict[str, Download] = {}

    def all(self) -> tuple[Download, ...]:
        return tuple(self._downloads.values())

    def start(self, model: str) -> Download:
        """Download a model; if that goes on already, return what does."""
        with self._lock:
            before = self._downloads.get(model)
            if before is not None and before.state == "running":
                return before
            download = self._downloads[model] = Download(model)
        name, arguments = "h2o_magic download", (download, before)
        threading.Thread(
            target=self._run, args=arguments, name=name, daemon=True
        ).start()
        return download

    def stop(self, model: str) -> None:
        """Stop the download of a model, or forget one that has failed."""
        download = self._downloads.get(model)
        if download is None:
            return
        if download.state != "running":
            self._downloads.pop(model, None)
        download.stop()
        self._changed(download)

    def close(self) -> None:
        """Stop all, and wait a little until they have."""
        deadline = time.monotonic() + _FAREWELL
        for download in self.all():
            download.stop()
        for download in self.all():
            download.ended.wait(max(deadline - time.monotonic(), 0))

    def _run(self, download: Download, before: Download | None) -> None:
        self._changed(download)
        if before is not None:
            before.ended.wait()  # a stopped one holds the lock of its file for a moment
        try:
            self._pull(download.model, self._reporter(download))
        except KeyboardInterrupt:  # raised below: pulling knows how to end by it
            pass
        except BaseException as error:
            if download.state == "running":
                download.state = "failed"
                download.problem = str(error) or type(error).__name__
        else:
            download.state = "done"
        download.ended.set()
        self._changed(download)

    def _reporter(self, download: Download) -> Callable[[PullEvent], None]:
        told = 0.0

        def report(event: PullEvent) -> None:
            nonlocal told
            if download.state == "stopped":
                raise KeyboardInterrupt
            match event:
                case PullPlan():
                    download.done, download.total = event.downloaded, event.size
                case PullProgress():
                    download.done, download.total = event.done, event.total
            if time.monotonic() - told >= _INTERVAL:
                told = time.monotonic()
                self._changed(download)

        return report
