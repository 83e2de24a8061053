"""Conversations to and from files; all that fails is a ConfigurationError."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from h2o_magic.chat.images import data_uri
from h2o_magic.chat.turns import Thread
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.conversation.formats import find_format, images
from h2o_magic.errors import ConfigurationError

#: A path that ends with one of these names a folder, whether it exists or not.
_FOLDER_ENDS = tuple(mark for mark in (os.sep, os.altsep) if mark)


def as_text(suffix: str, threads: Sequence[Thread]) -> str:
    return find_format(f"chat.{suffix.lstrip('.')}").write(threads)


def write(
    path: str | Path, threads: Sequence[Thread], *, overwrite: bool = False
) -> int:
    """Write threads to a file, all or nothing, and return how many turns they have.

    A symbolic link stays: its target is written. A file that is overwritten keeps its
    mode. Images of a transcript are in a folder beside it, ``NAME_files``.
    """
    target = _expanded(path)
    with _one_line(path):
        _check_target(path, target, overwrite=overwrite)
        target = target.resolve()
    format_ = find_format(path)
    text = format_.write(threads)
    with _one_line(path):
        if format_.images_beside:
            text = _with_files(text, threads, target.with_name(f"{target.stem}_files"))
        _replace(target, text)
    return sum(len(thread.turns) for thread in threads)


def read(path: str | Path) -> tuple[Thread, ...]:
    source = _expanded(path)
    format_ = find_format(path)
    if format_.read is None:
        raise ConfigurationError(
            f"{path}: a {format_.suffix} file cannot be imported: expected one that "
            "was exported as .json, .jsonl or .ipynb"
        )
    try:
        text = source.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: expected text in UTF-8, got other bytes at {error.start}"
        ) from error
    except (OSError, ValueError) as error:  # NUL
        raise ConfigurationError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    try:
        return format_.read(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def named(
    threads: Sequence[Thread], taken: Collection[str], name: str | None = None
) -> tuple[Thread, ...]:
    """Return threads from a file with names that are not taken.

    `name` is for the only thread; None keeps the file's names, with a number added to
    those that are taken.
    """
    if name is not None:
        if len(threads) != 1:
            raise ConfigurationError(
                f"expected a file with one thread for the name {name}, got "
                f"{len(threads)}: omit the name to keep the file's own"
            )
        if name in taken:
            raise ConfigurationError(
                f"expected the name of a thread without turns, got {name}, which has "
                "some: choose another name"
            )
        return (replace(threads[0], name=name),)
    used = set(taken)
    result = []
    for thread in threads:
        free = base = str(SETTINGS["thread"].check(thread.name))
        number = 1
        while free in used:
            number += 1
            free = f"{base}-{number}"
        used.add(free)
        result.append(replace(thread, name=free))
    return tuple(result)


def _expanded(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # ``~name`` without such a user
        raise ConfigurationError(f"{path}: there is no such home folder") from error


@contextmanager
def _one_line(path: str | Path) -> Iterator[None]:
    """Raise this package's error for what is wrong with a path or its disk."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, NUL
        raise ConfigurationError(
            f"{path} cannot be written: {getattr(error, 'strerror', None) or error}"
        ) from error


def _check_target(path: str | Path, target: Path, *, overwrite: bool) -> None:
    """Refuse a target that cannot be written; `path` is as it was given."""
    if target.is_dir() or str(path).endswith(_FOLDER_ENDS):
        raise ConfigurationError(
            f"expected a file name, e.g. chat.json, got {str(path)!r}: that is a folder"
        )
    find_format(path)
    if not target.name.rpartition(".")[0]:
        raise ConfigurationError(
            f"expected a file name, e.g. chat{target.name}, got {str(path)!r}: there "
            "is nothing before its dot"
        )
    if target.exists() and not overwrite:
        raise ConfigurationError(
            f"{path} exists already: choose another name, or overwrite it "
            "(`--overwrite`, in Python `overwrite=True`)"
        )


def _with_files(text: str, threads: Sequence[Thread], folder: Path) -> str:
    """Write the images to files in a folder, and return the text with links to them."""
    found = [image for each in threads for turn in each.turns for image in turn.images]
    for image in {image.hash: image for image in found if image.data}.values():
        name = images.file_name(image)
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(image.data)
        text = text.replace(data_uri(image.data), f"{quote(folder.name)}/{name}")
    return text


def _replace(target: Path, text: str) -> None:
    """Write a file, or leave the existing one unchanged."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.touch()
        if target.exists():  # before it has any text
            part.chmod(stat.S_IMODE(target.stat().st_mode))
        part.write_bytes(text.encode("utf-8"))
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
