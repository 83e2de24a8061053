"""What is promised about texts: secrets are found in them, with few false alarms."""

from __future__ import annotations

import subprocess
import sys

import pytest

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.secrets.scan import masked
from tests.prompts.secret_texts import ORDINARY_TEXTS, SECRET_TEXTS, web_token


def test_there_are_many_texts() -> None:
    assert len(SECRET_TEXTS) >= 40
    assert len(ORDINARY_TEXTS) >= 60


@pytest.mark.parametrize("around", ["{}", "before\n{}\nafter", "x = [{}]"])
@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_a_text_with_a_secret_is_refused(text: str, around: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Guard("text", {}, {}).text(around.format(text))
    assert SECRET_TEXTS[text] in str(caught.value)


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_the_source_of_such_a_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Guard("text", {}, {}).text(repr([text]))


@pytest.mark.parametrize("text", ORDINARY_TEXTS)
def test_an_ordinary_text_passes(text: str) -> None:
    Guard("text", {}, {}).text(text)
    Guard("text", {}, {}).text(repr([text]))
    assert masked(text) == text


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_what_is_masked_is_no_secret_any_more(text: str) -> None:
    Guard("text", {}, {}).text(masked(text))


def test_no_part_of_a_secret_is_in_its_refusal() -> None:
    for text in SECRET_TEXTS:
        with pytest.raises(ConfigurationError) as caught:
            Guard("text", {}, {}).text(text)
        shown = str(caught.value)
        assert shown.count("\n") == 0
        for part in ("7Fk3", "hunter2", "lovelace", "9f8e", "4f1c", "MIIE", "dapi"):
            assert part not in shown


def test_three_parts_are_a_web_token_only_with_its_header() -> None:
    Guard("text", {}, {}).text(web_token({"kind": "no algorithm"}))
    Guard("text", {}, {}).text(web_token(["alg"]))


#: What each pattern begins with, again and again: the worst that a text can be.
_HOSTILE = [
    *("sk-", "sk-a", "eyJa.", "eyJaaaaaaaaaa.bb.", "curl -u a", "-u ", "--user a:b "),
    *("machine a login b ", "machine ", "Basic QUFBQUFBQUE ", "Bearer a", "://a:"),
    *("-----BEGIN PRIVATE KEY-----\n", "-----BEGIN ", "-----", "secret_key = a"),
    *("name: a\nvalue: ", "--a ", "auth=('a',", "password", "key=", "token: '", "a"),
    *("-----BEGIN PRIVATE KEY-----\n...", "?sig=a", "discord.com/api/webhooks/12345/"),
]
_SCAN = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.secrets.scan import masked
for part in sys.argv[1:]:
    text = part * (1_000_000 // len(part))
    masked(text)
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it limits the processor's time")
@pytest.mark.nightly
def test_a_megabyte_of_anything_is_searched_in_linear_time() -> None:
    # Quadratic time would be a million times this limit of the processor's work.
    command = [sys.executable, "-c", _SCAN, *_HOSTILE]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout == "done\n", done.stderr
