"""Does what the views of the panel request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from h2o_magic.chat_panel.asking import Asking
from h2o_magic.chat_panel.commands import Commands
from h2o_magic.chat_panel.drafting import Drafting
from h2o_magic.chat_panel.host import Host
from h2o_magic.chat_panel.messages import Messages, without_lone_surrogates
from h2o_magic.chat_panel.models import Models
from h2o_magic.chat_panel.questions import Questions
from h2o_magic.chat_panel.queue import Queue
from h2o_magic.chat_panel.queueing import Queueing
from h2o_magic.chat_panel.reading import Reading
from h2o_magic.chat_panel.settings import SettingsForm
from h2o_magic.chat_panel.starting import Starting
from h2o_magic.chat_panel.threads import Threads
from h2o_magic.chat_panel.turns import Turns
from h2o_magic.chat_panel.updater import Updater
from h2o_magic.chat_panel.uploads import Uploads
from h2o_magic.conversation.session import Session


class Controller:
    """Handles the messages of the views: the type X in the part with a method `_on_X`.

    `send` takes messages to all views, from any thread. `root` is the id of the widget
    in the notebook's output. `save` puts the transcript into the notebook.
    """

    def __init__(
        self,
        session: Session,
        host: Host,
        send: Callable[[dict[str, Any]], None],
        *,
        root: str = "",
        save: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._uploads = Uploads()
        self._messages = Messages(session, send, root)
        settings = SettingsForm(session, self._messages)
        self._updater = Updater(session, self._messages, settings.refresh, save)
        questions = Questions(host, self._messages, self._uploads)
        commands = Commands(host, self._messages)
        drafting = Drafting(session, host, self._messages, questions)
        self._starting = Starting(session, host, self._messages)
        self._queue = Queue(session, self._messages, questions)
        self._queueing = Queueing(session, self._messages, questions, self._queue)
        self._parts = (
            self,
            Asking(
                session,
                self._messages,
                questions,
                commands,
                drafting,
                queue=self._queue,
            ),
            self._queueing,
            drafting,
            Threads(session, self._messages),
            Turns(session, self._messages),
            Models(session, self._messages),
            settings,
            self._starting,
            Reading(self._messages),
        )

    def close(self) -> None:
        """Send nothing more."""
        self._queueing.let_go_of()
        self._starting.close()
        self._updater.close()

    def receive(self, message: object, buffers: Iterable[memoryview] = ()) -> None:
        """Handle a message of a view, which is shown any error and then a receipt.

        `buffers` are the bytes that came with it.
        """
        if not isinstance(message, Mapping):
            return
        request: Mapping[str, Any] = without_lone_surrogates(message)
        view, kind = str(request.get("view", "")), request.get("type")
        with self._messages.showing_errors(view, request):
            if kind == "piece":
                self._uploads.add(view, request, buffers)
                return
            found = (getattr(part, f"_on_{kind}", None) for part in self._parts)
            handle = next(filter(None, found), None)
            if handle is None:
                return
            handle(view, request)
        self._messages.send("received", to=view)

    def _on_open(self, view: str, message: Mapping[str, Any]) -> None:
        self._uploads.forget_stale()
        self._updater.page_saves |= bool(message.get("saves"))
        self._updater.save_soon()
        self._messages.send_state()
        self._messages.send_thread(to=view)
        self._queue.show(view)
        self._updater.wake()

    def _on_rows(self, view: str, message: Mapping[str, Any]) -> None:
        self._messages.send_rows(set(message["ids"]), to=view)
        self._updater.wake()

    def _on_order(self, view: str, _: Mapping[str, Any]) -> None:
        self._messages.send_order(to=view)

    def _on_close(self, view: str, _: Mapping[str, Any]) -> None:
        self._uploads.forget(view)
        self._queueing.let_go_of(view)

    def _on_ping(self, view: str, _: Mapping[str, Any]) -> None:
        """Do nothing: the view waits for the receipt."""
