"""The thread that sends the views what happens, so that no answer waits for a view."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from h2o_magic.chat_panel.messages import Messages
from h2o_magic.chat_panel.models import download_rows
from h2o_magic.chat_panel.rows import transcript
from h2o_magic.chat_panel.stream import AnswerStream
from h2o_magic.conversation.notifications import (
    AnswerEnded,
    AnswerGrew,
    AnswerStarted,
    DownloadChanged,
    Notification,
    SettingChanged,
    ThreadChanged,
)
from h2o_magic.conversation.session import Session

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # else it would be written into a cell

#: Seconds between two deltas of an answer: nine a second look fluent.
INTERVAL = 0.108
#: Seconds without a change after which the transcript is put into the notebook.
SAVE_AFTER = 1.0


class Updater:
    """Turns the session's notifications into messages, and has the transcript saved."""

    def __init__(
        self,
        session: Session,
        messages: Messages,
        on_settings: Callable[[list[str]], None],
        save: Callable[[str], None],
    ) -> None:
        self._session = session
        self._messages = messages
        self._on_settings = on_settings
        self._save = save
        self.page_saves = False  # True once a page saves the transcript instead
        self._save_at: float | None = None  # by the monotonic clock
        self._notifications: deque[Notification] = deque()
        self._wake = threading.Event()
        self._answer_ended = threading.Event()
        self._closed = False
        self._stop_listening = session.listen(self._on_notification)
        thread = threading.Thread(target=self._run, name="h2o_magic-panel", daemon=True)
        thread.start()

    def close(self) -> None:
        self._stop_listening()
        self._closed = True
        self._answer_ended.set()
        self._wake.set()

    def wake(self) -> None:
        """Send new deltas now."""
        self._wake.set()

    def save_soon(self) -> None:
        self._save_at = time.monotonic() + SAVE_AFTER

    def _on_notification(self, notification: Notification) -> None:
        self._notifications.append(notification)
        if isinstance(notification, AnswerEnded):
            self._answer_ended.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._closed:
            at = self._save_at
            self._wake.wait(None if at is None else max(at - time.monotonic(), 0))
            self._wake.clear()
            self._answer_ended.clear()
            begun = time.monotonic()
            try:
                grown = self._update()
            except Exception as error:
                _log.exception("the panel could not show a change")
                with suppress(Exception):
                    self._messages.send_error("", error, {})
                grown = True
            if grown:  # rest as long as it worked at least: cells run beside this
                took = time.monotonic() - begun
                time.sleep(took)
                # The end of an answer is sent at once.
                self._answer_ended.wait(max(INTERVAL - 2 * took, 0))

    def _update(self) -> bool:
        """Send everything that is new; return whether an answer has grown."""
        changed: list[str] = []
        with self._messages.lock:
            while self._notifications:
                notification = self._notifications.popleft()
                if isinstance(notification, SettingChanged):
                    changed.append(notification.setting)
                self._handle(notification)
            grown = self._messages.send_deltas()
            self._save_transcript()
        self._on_settings(changed)
        return grown

    def _handle(self, notification: Notification) -> None:
        messages, current = self._messages, self._session.thread
        match notification:
            case AnswerStarted(thread, turn):
                messages.streams[turn.id] = AnswerStream(thread)
                if thread == current:
                    messages.send_started(turn)
            case AnswerGrew(_, turn_id, answer):
                if turn_id in messages.streams:
                    messages.streams[turn_id].answer = answer
                return
            case AnswerEnded(thread, turn):
                stream = messages.streams.pop(turn.id, None)
                if thread == current:
                    messages.send_ended(turn, stream)
            case ThreadChanged(thread):
                if thread in (None, current):
                    messages.send_order()
            case SettingChanged("thread"):
                messages.send_thread()
            case DownloadChanged():
                messages.send("downloads", downloads=download_rows(self._session))
                return
        self.save_soon()
        messages.send_state()

    def _save_transcript(self) -> None:
        """Put the transcript into the notebook if nothing has changed for a while."""
        if self._save_at is None or time.monotonic() < self._save_at:
            return
        if self._messages.streams:
            return
        self._save_at = None
        markdown = transcript(self._session)
        if self.page_saves:
            self._messages.send("transcript", markdown=markdown)
        else:
            self._save(markdown)
