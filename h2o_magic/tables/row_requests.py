"""The requests of a run, which differ in the row's text alone, and their keys."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from json.encoder import encode_basestring

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.key import canonical, canonical_text, key_of
from h2o_magic.chat.messages import assistant, user
from h2o_magic.tables.template import Place, filled

#: Stands for a row's text while what is around it in the key is found.
_HOLE = "\ue0f3"


@dataclass(frozen=True, slots=True)
class RowRequests:
    """What is asked of all rows; it can be pickled.

    `request` is that of a row, but for the text of its last message. `parts` are that
    text: fixed, and places of columns.
    """

    request: ChatRequest
    parts: tuple[str | Place, ...]

    def text(self, row: Sequence[object]) -> str:
        """Return the question of a row; a ConfigurationError says what it lacks."""
        return filled(self.parts, row)

    def of(self, text: str) -> ChatRequest:
        """Return the request of a row's question."""
        *head, last = self.request.messages
        return replace(self.request, messages=(*head, replace(last, content=text)))

    def repair(self, text: str, answer: str, problem: str) -> ChatRequest:
        """Return the request that asks once more for an answer that fits the schema."""
        again = (
            f"This does not fit the JSON schema: {problem}. Answer again, with the "
            "JSON alone."
        )
        asked = self.of(text)
        repair = (assistant(answer), user(again))
        return replace(asked, messages=(*asked.messages, *repair))


class RowKeys:
    """Makes keys of 32 bytes, which are those of stored answers (`key_of`).

    They are made of what all rows share only once. `server` is the server's name in
    keys, and `model` the model's, which may be a file.
    """

    def __init__(self, requests: RowRequests, server: str, model: str) -> None:
        self._server = server
        self._model = model
        request = replace(requests.of(_HOLE), model=model)
        parameters = dict(sorted(request.parameters.items()))
        request = replace(request, parameters=parameters)
        whole = canonical_text(canonical({"server": server, "request": request}))
        before, _, after = whole.rpartition(canonical_text(_HOLE))
        self._before = hashlib.sha256(_encoded(before))
        self._after = _encoded(after)

    def of(self, text: str, number: int | None = None) -> bytes:
        """Return the key of a row's question.

        A `number` joins it, so that equal rows have keys of their own.
        """
        key = self._before.copy()
        # What `canonical_text` makes of a text, without a new encoder for each row.
        key.update(_encoded(encode_basestring(text)) + self._after)
        if number is None:
            return key.digest()
        return hashlib.sha256(key.digest() + str(number).encode()).digest()

    def of_repair(self, key: bytes, text: str, repair: ChatRequest) -> bytes:
        """Return the key of what is asked about the answer to a row's question.

        A number that joined the question's `key` joins it, too.
        """
        request = replace(repair, model=self._model)
        digest = bytes.fromhex(key_of(request, self._server))
        return digest if key == self.of(text) else hashlib.sha256(key + digest).digest()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
