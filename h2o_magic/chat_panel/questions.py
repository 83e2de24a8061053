"""What the messages of views say of a question: its text, its files, its turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from h2o_magic.chat.images import Image
from h2o_magic.chat.turns import Turn
from h2o_magic.chat_panel.host import Host
from h2o_magic.chat_panel.messages import Messages
from h2o_magic.chat_panel.rows import attached_images, attached_texts, image_chip
from h2o_magic.chat_panel.uploads import Uploads
from h2o_magic.prompts.prompt import Appended, Attached, Prompt
from h2o_magic.prompts.texts import LongText
from h2o_magic.rendering.literal import one_line


class Questions:
    """Reads the questions of messages."""

    def __init__(self, host: Host, messages: Messages, uploads: Uploads) -> None:
        self._host = host
        self._messages = messages
        self._uploads = uploads

    def prompt(self, message: Mapping[str, Any]) -> Prompt:
        """Return what is asked, with the files and images that an edited turn keeps."""
        prompt = self._host.expand(str(message["text"]).strip())
        texts = [Appended(n, LongText.of(t)) for n, t in self.kept_texts(message)]
        return prompt.with_attached([*map(Attached, self.kept(message)), *texts])

    def files(self, view: str, message: Mapping[str, Any]) -> list[tuple[str, bytes]]:
        """Return the files that came before a message, which names them."""
        return self._uploads.take(view, message.get("files", ()))

    def kept_texts(self, message: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the files of text of an edited turn that stay, as they were sent."""
        names = message.get("texts", ())
        texts = attached_texts(self._messages.turn(message["id"])) if names else {}
        return [(name, text) for name, text in texts.items() if name in names]

    def is_whole(self, message: Mapping[str, Any], turn: Turn) -> bool:
        """Return whether an edit of a turn keeps all that went along with it."""
        texts = len(self.kept_texts(message)) == len(turn.file_names)
        return texts and self.kept(message) == attached_images(turn)

    def kept(self, message: Mapping[str, Any]) -> tuple[Image, ...]:
        """Return the images of an edited turn that stay."""
        hashes = message.get("images", ())
        if not hashes:
            return ()
        images = attached_images(self._messages.turn(message["id"]))
        return tuple(image for image in images if image.hash in hashes)

    def reworded(self, prompt: Prompt, text: str, keep: Sequence[int]) -> Prompt:
        """Return a prompt with another text, and those of its chips that are kept."""
        attached = _attached(prompt)
        if text.strip() == prompt.typed.strip() and len(keep) == len(attached):
            return prompt
        kept = (attached[number] for number in keep)
        return self._host.expand(text.strip()).with_attached(kept)


def chips(prompt: Prompt) -> list[dict[str, Any]]:
    """Return what a view shows of the files and images attached to a prompt."""
    return [
        image_chip(each.image)
        if isinstance(each, Attached)
        else {"name": one_line(each.name)}
        for each in _attached(prompt)
    ]


def _attached(prompt: Prompt) -> list[Attached | Appended]:
    named = (f"{{{each.image.name}}}" in prompt.typed for each in prompt.images)
    images = [
        e for e, is_named in zip(prompt.images, named, strict=True) if not is_named
    ]
    return [*images, *prompt.files]
