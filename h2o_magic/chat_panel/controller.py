"""Does to the conversation what the views of the panel request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from h2o_magic.chat.images import Image
from h2o_magic.chat.turns import Turn
from h2o_magic.chat_panel.controls import Controls
from h2o_magic.chat_panel.messages import Messages, without_lone_surrogates
from h2o_magic.chat_panel.rows import attached_images
from h2o_magic.chat_panel.updater import Updater
from h2o_magic.chat_panel.uploads import Uploads
from h2o_magic.conversation.background import BackgroundAnswer
from h2o_magic.conversation.preview import preview_markdown
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError, H2OMagicError
from h2o_magic.prompts.prompt import Attached, Prompt

_MOST_COMPLETIONS = 100


class Host(Protocol):
    """What a panel needs of the notebook around it."""

    def expand(self, question: str) -> Prompt:
        """Return the prompt of a question, with the values that it names in braces."""

    def notes(self, question: str) -> list[str]:
        """Return what of a question would stay as it is typed, or is refused."""

    def complete(self, before: str, after: str) -> tuple[str, list[tuple[str, str]]]:
        """Return the text that completions replace, and each one's text and kind."""

    def choices(self, setting: str) -> list[str]:
        """Return the known values of a setting: model, server or thread."""

    def is_command(self, line: str) -> bool:
        """Return whether a line begins with a command, or with a mistyped one."""

    def ask_by_command(self, line: str) -> BackgroundAnswer | None:
        """Ask the question of a command in the background; None if it has none."""

    def command(self, line: str) -> str:
        """Run a ``%h2o`` command, and return its output as Markdown."""


class Controller:
    """Handles the messages of the views, those of the type X in the method ``_on_X``.

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
        controls: Controls | None = None,
        save: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._session = session
        self._host = host
        self._controls = controls
        self._uploads = Uploads()
        self._messages = Messages(session, send, root)
        self._updater = Updater(session, self._messages, controls, save)

    def close(self) -> None:
        """Send nothing more."""
        self._updater.close()

    def receive(
        self, message: Mapping[str, Any], buffers: Iterable[memoryview] = ()
    ) -> None:
        """Handle a message of a view, which is shown any error and then a receipt.

        `buffers` are the bytes that came with it.
        """
        message = without_lone_surrogates(message)
        view = str(message.get("view", ""))
        if message.get("type") == "piece":
            self._uploads.add(view, message, buffers)
            return
        handle = getattr(self, f"_on_{message.get('type')}", None)
        if handle is None:
            return
        try:
            handle(view, message)
        except H2OMagicError as error:
            self._messages.send_error(view, error, message)
        self._messages.send("received", to=view)

    def _on_open(self, view: str, message: Mapping[str, Any]) -> None:
        self._updater.page_saves |= bool(message.get("saves"))
        self._updater.save_soon()
        self._messages.send_state()
        self._messages.send_thread(to=view)
        self._updater.wake()

    def _on_rows(self, view: str, message: Mapping[str, Any]) -> None:
        self._messages.send_rows(set(message["ids"]), to=view)
        self._updater.wake()

    def _on_order(self, view: str, _: Mapping[str, Any]) -> None:
        self._messages.send_order(to=view)

    def _on_ping(self, view: str, _: Mapping[str, Any]) -> None:
        """Do nothing: the view waits for the receipt."""

    def _on_ask(self, view: str, message: Mapping[str, Any]) -> None:
        text = str(message["text"])
        line = text[1:].strip()
        files = self._uploads.take(view, message.get("files", ()))
        self._save_draft(view, "")
        if "id" in message:
            answer: BackgroundAnswer | None = self._edit(message, files)
        elif text.startswith("/") and self._host.is_command(line):
            answer = self._host.ask_by_command(line)
            if files:
                self._messages.send("unsent", to=view, n=message["n"])
        else:
            answer = self._session.ask_later(self._prompt(message), attach=files)
        if answer is None:
            self._run_command(view, line, message)
        else:
            self._follow(answer, view, message)

    def _edit(
        self, message: Mapping[str, Any], files: list[tuple[str, bytes]]
    ) -> BackgroundAnswer:
        """Ask an edited question; if nothing was changed, exactly as it was sent."""
        turn, text = self._turn(message), str(message["text"])
        whole = not files and self._kept(message) == attached_images(turn)
        if whole and _as_typed(text) == _as_typed(turn.question):
            return self._session.regenerate(turn.number)
        return self._session.edit(turn.number, self._prompt(message), attach=files)

    def _prompt(self, message: Mapping[str, Any]) -> Prompt:
        """Return what is asked, with the images that an edited turn keeps."""
        prompt = self._host.expand(str(message["text"]).strip())
        return prompt.with_attached(map(Attached, self._kept(message)))

    def _kept(self, message: Mapping[str, Any]) -> tuple[Image, ...]:
        hashes = message.get("images", ())
        if not hashes:
            return ()
        images = attached_images(self._turn(message))
        return tuple(image for image in images if image.hash in hashes)

    def _on_regenerate(self, view: str, message: Mapping[str, Any]) -> None:
        answer = self._session.regenerate(self._turn(message).number)
        self._follow(answer, view, message)

    def _on_version(self, _: str, message: Mapping[str, Any]) -> None:
        self._session.choose_version(self._turn(message).number, int(message["to"]))

    def _on_stop(self, *_: object) -> None:
        self._session.stop()

    def _on_delete(self, view: str, message: Mapping[str, Any]) -> None:
        turn = self._turn(message)
        with self._messages.lock:
            self._session.drop(turn.number)
            self._messages.note_deletion(turn.id)
        text = f"Turn {turn.number} was deleted."
        self._messages.send("deleted", to=view, id=turn.id, text=text)

    def _on_undo(self, view: str, message: Mapping[str, Any]) -> None:
        with self._messages.lock:
            if message["id"] != self._messages.undoable():
                raise ConfigurationError(
                    "the conversation has changed since the deletion: "
                    "enter `/undo` to undo its last change"
                )
            self._session.undo()
        self._messages.send("status", to=view, text="The turn was restored.")

    def _on_thread(self, _: str, message: Mapping[str, Any]) -> None:
        self._session.thread = str(message["name"])

    def _on_draft(self, view: str, message: Mapping[str, Any]) -> None:
        self._save_draft(view, str(message["text"]))

    def _save_draft(self, view: str, text: str) -> None:
        self._session.keep_draft(None, text)
        self._messages.send("draft", text=text, source=view)

    def _on_complete(self, view: str, message: Mapping[str, Any]) -> None:
        before, after = str(message["before"]), str(message["after"])
        replaced, found = self._host.complete(before, after)
        shown = {"replaced": len(replaced), "found": found[:_MOST_COMPLETIONS]}
        self._messages.send("completions", to=view, n=message["n"], **shown)

    def _on_check(self, view: str, message: Mapping[str, Any]) -> None:
        notes = self._host.notes(str(message["text"]))
        self._messages.send("checked", to=view, n=message["n"], notes=notes)

    def _on_preview(self, view: str, message: Mapping[str, Any]) -> None:
        files = self._uploads.take(view, message.get("files", ()))
        prompt = self._prompt(message)
        preview = self._session.preview(prompt, attach=files, cell=None)
        markdown = preview_markdown(preview)
        self._messages.send_note(view, "What would be sent", markdown)

    def _on_controls(self, _: str, message: Mapping[str, Any]) -> None:
        self._messages.controls_shown = bool(message["shown"])
        if self._controls is not None:
            self._controls.show(self._messages.controls_shown)
        self._messages.send_state()

    def _run_command(self, view: str, line: str, message: Mapping[str, Any]) -> None:
        def run() -> None:
            try:
                self._messages.send_note(view, f"/{line}", self._host.command(line))
            except H2OMagicError as error:
                self._messages.send_error(view, error, message)

        threading.Thread(target=run, name="h2o_magic-command", daemon=True).start()

    def _follow(
        self, answer: BackgroundAnswer, view: str, message: Mapping[str, Any]
    ) -> None:
        """Show it in a view if a question fails."""

        def wait() -> None:
            answer.wait()
            error, turn = answer.error, answer.turn
            if error is None:
                return
            saved = turn is not None and bool(self._messages.turns_with({turn.id}))
            if turn is not None and saved:
                self._messages.errors[turn.id] = str(error)
                self._messages.send_rows({turn.id})
            self._messages.send_error(view, error, {} if saved else message)

        threading.Thread(target=wait, name="h2o_magic-asked", daemon=True).start()
        self._messages.send_state()

    def _turn(self, message: Mapping[str, Any]) -> Turn:
        for turn in self._messages.turns_with({message["id"]}):
            return turn
        raise ConfigurationError("this turn is no longer in the thread")


def _as_typed(question: str) -> str:
    """Return a question as a page sends it: texts of pages have only line feeds."""
    return question.replace("\r\n", "\n").replace("\r", "\n").strip()
