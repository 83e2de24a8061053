"""Names of secrets.

The last word of a name says what it names: ``api_token`` is a token, ``token_count`` a
count.
"""

from __future__ import annotations

import enum
import re
from typing import Literal

#: Whether a name is a secret's. With "maybe" a value in a text or a column must look
#: like a secret, too: a column of tokens may be one of words. With "perhaps" every
#: value must: a key after any word may be a table's.
Secrecy = Literal["surely", "maybe", "perhaps", "no"]

_LONGEST_NAME = 200

# ``HFToken`` has two words, as ``hf_token`` has; ``getAPIKey`` has three.
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_A-Za-z]+")


def _words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Last words that change nothing: ``password2``, ``api_key_prod``.
_MEANINGLESS = _words_of(
    "value text str string plain plaintext raw hash header b64 base64 hex env prod "
    "production dev test staging old new current default"
)
_SURE = _words_of(
    "password passwd passphrase passwort kennwort pwd secret credential apikey "
    "authorization bearer privatekey secretkey accesskey authtoken accesstoken "
    "apitoken"
)
_SURE_ENDS = ("password", "passwd", "passphrase", "passwort", "apikey", "privatekey")
_MAYBE = _words_of("token cookie sessionid")

# A key is surely a secret after one of these, and surely none after those below.
_BEFORE_KEY = _words_of(
    "api private secret access auth encryption encrypt signing ssh account master "
    "fernet license openai anthropic azure hf huggingface mistral cohere gemini google "
    "groq deepseek openrouter stripe github gitlab"
)
_BEFORE_ORDINARY_KEY = _words_of(
    "primary foreign join sort partition surrogate natural composite candidate unique "
    "index row column col group hash cache routing object merge lookup shard cluster "
    "dedup idempotency record item date time day month year customer product order "
    "store sales region category dim fact business public publishable site host "
    "translation message locale label config setting option param parameter dict map "
    "hot shortcut arrow function storage state registry query filter event trace job "
    "task run dataset entity node edge parent child source target start end min max "
    "last first next prev file path metric series json data nested sub root answer "
    "issue project ticket bib bibtex cite citation doi legend table model feature "
    "field name id i18n any every of recv gpg pgp replay"
)
_BEFORE_PASS = _words_of("db smtp mail email user admin root mysql ftp http proxy")
_BEFORE = {"key": _BEFORE_KEY, "pass": _BEFORE_PASS}
# A token after one of these is one of a text, of a grammar or of a list's pages.
_BEFORE_TEXT_TOKEN = _words_of(
    "eos bos pad unk sep cls mask special stop start end first last next prev previous "
    "page continuation word text image audio max min new num sub begin"
)


def secrecy(name: object) -> Secrecy:
    words = _words(name)
    if not words:
        return "no"
    last, before = _singular(words[-1]), words[-2] if len(words) > 1 else ""
    if last in _SURE or last.endswith(_SURE_ENDS) or before in _BEFORE.get(last, ()):
        return "surely"
    if last == "token" and words != ["token"]:
        return _secrecy_of_token(words)
    if last == "key" and before and before not in _BEFORE_ORDINARY_KEY:
        return "perhaps"
    may_be = last in _MAYBE or words[-2:] == ["session", "id"]
    return "maybe" if may_be else "no"


def words_in(text: str) -> list[str]:
    """Return the words that a name is made of: ``API_KEY`` and ``apiKey`` have two."""
    return [word.lower() for word in _WORD.findall(text)]


def is_plural(name: object) -> bool:
    return (words := _words(name))[-1] != _singular(words[-1])


def text_of(name: object) -> str:
    if isinstance(name, enum.Enum):
        name = name.name
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    if isinstance(name, tuple) and name:  # of a table with levels of columns
        return next((t for t in map(text_of, name) if secrecy(t) != "no"), "")
    return name if isinstance(name, str) else ""


def _words(name: object) -> list[str]:
    text = text_of(name)
    words = words_in(text) if len(text) <= _LONGEST_NAME else []
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _MEANINGLESS):
        words.pop()
    # The id of an access key is not the secret.
    return words[:-1] if words[-3:] == ["access", "key", "id"] else words


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _secrecy_of_token(words: list[str]) -> Secrecy:
    if len(words) == 1 or words[-2] in _BEFORE_TEXT_TOKEN:
        return "no"
    # ``prompt_tokens`` are counted, ``access_tokens`` are secrets.
    plural = words[-1] == "tokens"
    secret = words[-2] in {"access", "api", "auth", "bearer", "refresh", "session"}
    return "surely" if secret or not plural else "no"
