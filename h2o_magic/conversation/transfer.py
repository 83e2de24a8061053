"""Threads of a conversation to files, and from files into threads of their own."""

from __future__ import annotations

from pathlib import Path, PurePath

from h2o_magic.chat.turns import Thread
from h2o_magic.conversation.formats import files
from h2o_magic.conversation.threads import Conversation
from h2o_magic.errors import ConfigurationError, expect


def export_text(
    conversation: Conversation,
    suffix: str,
    *,
    thread: str | None = None,
    everything: bool = False,
) -> str:
    """Return a thread, or `everything`, as the text of a file.

    `suffix` is ``.md``, ``.json``, ``.jsonl`` or ``.ipynb``. A ConfigurationError
    if there is no such format, or no turn.
    """
    return files.as_text(suffix, _filled_threads(conversation, thread, everything))


def export(
    conversation: Conversation,
    path: str | Path,
    *,
    thread: str | None = None,
    everything: bool = False,
    overwrite: bool = False,
) -> int:
    """Write a thread, or `everything`, to a file; return how many turns.

    The suffix of `path` says the format; `overwrite` replaces an existing file. A
    ConfigurationError if there is no such format, no turn, or it cannot be written.
    """
    expect("a file's path", path, str | PurePath)
    threads = _filled_threads(conversation, thread, everything)
    return files.write(path, threads, overwrite=overwrite)


def import_file(
    conversation: Conversation, path: str | Path, *, thread: str | None = None
) -> tuple[Thread, ...]:
    """Read conversations from a file into threads of their own.

    Parameters
    ----------
    path
        A file that :meth:`export` wrote as ``.json``, ``.jsonl`` or ``.ipynb``, or
        another of these kinds: OpenAI messages, or a notebook with ``%%h2o`` cells.
    thread
        Name of a thread without turns that takes the file's only conversation;
        None keeps the file's names, with a number added to those that are taken.

    Returns
    -------
    tuple of Thread
        The threads as they are now named.

    Raises
    ------
    ConfigurationError
        If the file cannot be read or is none of these. Then nothing is changed.
    """
    expect("a file's path", path, str | PurePath)
    name = None if thread is None else conversation.name_of(thread)
    taken = set(conversation.record.thread_names())
    threads = files.named(files.read(path), taken, name)
    conversation.record.add(threads)
    for added in threads:
        conversation.changed(added.name)
    return threads


def _filled_threads(
    conversation: Conversation, thread: str | None, everything: bool
) -> tuple[Thread, ...]:
    name = conversation.name_of(thread)
    names = conversation.record.thread_names() if everything else (name,)
    record = conversation.record
    own = record.own_titles()
    threads = tuple(
        Thread(n, record.with_images(record.turns(n)), own.get(n, "")) for n in names
    )
    if not any(t.turns for t in threads):
        where = "the conversation" if everything else f"thread {name}"
        raise ConfigurationError(f"{where} has no turn to export: ask something")
    return threads
