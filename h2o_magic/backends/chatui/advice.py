"""How a refusal of a chat-ui server is told to the user, and what to do about it.

Pure. What the refusals look like is in tests/recordings/chat-ui.
"""

from __future__ import annotations

from h2o_magic.backends.telling import COMMON, Row, advised, told
from h2o_magic.errors import BackendError, StatusError

__all__ = ["explained"]

_LOGIN = (
    "the server wants a login: log in with a browser, and give the cookie of that "
    "session as the key (`%h2o connect URL --key-env VAR`), in the form "
    "name=value (hf-chat=...)"
)
_OTHER_LOGIN = (
    "the server does not take this token as a login, or no longer: log in with a "
    "browser, and give the cookie of that session, in the form name=value (hf-chat=...)"
)
_MOVED = "the server is at another address; use that one"
_REDIRECTS = (301, 302, 303, 307, 308)
# A redirect to the path that was asked for is one to https, or to another host.
_SAME_PATH = "/conversation',"

_ADVICE: tuple[Row, ...] = (
    (400, "too long", "shorten the question, or what is sent with it"),
    (403, "referer", "the server is known by another address; use that one"),
    (403, "origin", "the server is known by another address; use that one"),
    (401, "", "{login}"),
    (403, "", "{login}"),
    (404, "conversation not found", "the server keeps losing this chat; ask it later"),
    (404, "message not found", "the server keeps losing this chat; ask it later"),
    (405, "modal", "a chat-ui of 2023; it speaks the gpt-gm protocol, so use that"),
    (429, "number of conversations", "see them on the server's page"),
    (429, "login", "its limit for guests is reached"),
    (429, "start a new", ""),
    (429, "", "ask again {later}, not before: refused tries count too"),
    *COMMON,
)
_NAMING = "perhaps the server does not have the model {model!r}; see what it offers"
_USUAL_WAIT = 60.0  # seconds; chat-ui counts the messages of the last minute


def explained(
    error: BackendError,
    *,
    url: str,
    known: bool,
    model: str = "",
    naming: bool = False,
) -> BackendError:
    """Return `error` as it is told, or itself if there is nothing better to say.

    Parameters
    ----------
    error
        The failure that is reported.
    url
        The server's address.
    known
        True if the user has given a token or a cookie.
    model
        The model that was asked for.
    naming
        True if the request is one that names the model to the server.
    """
    login = _OTHER_LOGIN if known else _LOGIN

    def refusal(error: StatusError) -> str:
        if error.status in _REDIRECTS:
            moved = error.status in (301, 308) or _SAME_PATH in str(error)
            return f"{error}: {_MOVED if moved else login}"
        if error.status == 400 and naming:
            return f"{error.server_message or error}: {_NAMING.format(model=model)}"
        facts = {"url": url, "login": login, "model": model, "kind": "chat-ui"}
        return advised(error, _ADVICE, usual_wait=_USUAL_WAIT, **facts)

    return told(error, refusal)
