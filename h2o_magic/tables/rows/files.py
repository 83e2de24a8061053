"""A file's rows go to another file: complete, or not there."""

from __future__ import annotations

import os
import secrets
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from h2o_magic.config import paths
from h2o_magic.config.json_file import PrivateFile
from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.rows.base import Kinds, Row, Rows, free_name
from h2o_magic.tables.rows.records import Records
from h2o_magic.tables.rows.writers import open_writer

#: Files of runs that are remembered.
_MOST = 500


@dataclass(slots=True)
class Target:
    """Where a file's rows are written to.

    Attributes
    ----------
    path : Path or None
        The file, whose ending says its format; None for ``NAME-answers.EXT`` beside
        the one that is read.
    overwrite : bool
        True replaces whatever is there. Else only a file that a run has written whose
        answers are kept, and that nobody has changed since.
    keep : bool
        False for answers that are nowhere but in this file.
    """

    path: Path | None = None
    overwrite: bool = False
    keep: bool = True
    _own: str | None = field(default=None, init=False)

    def of(self, source: Path, endings: Iterable[str]) -> Target:
        """Return the target of a file's rows; a ConfigurationError if it is none."""
        path = source.with_name(f"{source.stem}-answers{source.suffix}")
        if self.path is not None:
            path = Path(self.path).expanduser()
        if path.suffix.lower() not in endings:
            raise ConfigurationError(
                f"expected a file that ends with {', '.join(endings)}, got {path}"
            )
        if not path.parent.is_dir():
            raise ConfigurationError(f"{path.parent} is not a folder: make it first")
        if path.exists() and path.samefile(source):
            raise ConfigurationError(
                f"{path} is the table itself: give another file with `to`"
            )
        target = replace(self, path=path)
        target.check()
        return target

    @property
    def file(self) -> Path:
        assert self.path is not None  # noqa: S101 - `of` has given it
        return self.path

    def check(self) -> None:
        """Raise a ConfigurationError if a file is there that must stay."""
        found = _state(self.file)
        if self.overwrite or found in (None, self._own):
            return
        if _files_of_runs().read().get(os.path.realpath(self.file)) != found:
            raise ConfigurationError(
                f"{self.file} exists: give another file with `to`, or add `overwrite`"
            )

    @contextmanager
    def written(self) -> Iterator[Path]:
        """Give a file to write, which gets its name when all of it is there."""
        part = self.file.with_name(f".{self.file.name}.{secrets.token_hex(4)}.part")
        try:
            yield part
            self.check()
            os.replace(part, self.file)
        except OSError as error:
            kept = "; the answers are kept, so that running it again asks nothing"
            raise ConfigurationError(
                f"cannot write {self.file}: {error.strerror or error}"
                f"{kept if self.keep else ''}"
            ) from error
        finally:
            part.unlink(missing_ok=True)
        self._own = _state(self.file)
        if self.keep and self._own is not None:
            _remember(os.path.realpath(self.file), self._own)


class FileRows(Rows):
    """The rows of a file, which must be the same one when it is read again."""

    is_file = True

    def __init__(self, path: Path, target: Target) -> None:
        self.target = target
        self._path = path
        self._state = _state(path)

    def with_columns(self, kinds: Kinds, answers: Iterator[Row]) -> object:
        self._check_unchanged()
        with self.target.written() as part:
            if self._goes_to_its_kind():
                self._write(part, kinds, answers)
            else:
                self._convert(part, kinds, answers)
            self._check_unchanged()
        return self.target.file

    def take(self, numbers: Sequence[int]) -> Records:
        return Records([{"row": number} for number in numbers])

    @abstractmethod
    def _write(self, part: Path, kinds: Kinds, answers: Iterator[Row]) -> None:
        """Write rows with new columns, and leave all else in them as it stands."""

    @abstractmethod
    def _cells(self) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
        """Return the names of all columns, and their values in each row."""

    def _goes_to_its_kind(self) -> bool:
        return self.target.file.suffix.lower() == self._path.suffix.lower()

    def _convert(self, part: Path, kinds: Kinds, answers: Iterator[Row]) -> None:
        names, rows = self._cells()
        kinds = {free_name(name, names): kind for name, kind in kinds.items()}
        with open_writer(part, self.target.file.suffix.lower(), names, kinds) as write:
            for cells, values in zip(rows, answers, strict=False):
                write(cells, values)

    def _check_unchanged(self) -> None:
        if _state(self._path) != self._state:
            raise ConfigurationError(
                f"{self._path} has changed since the run began: run it again"
            )


def _state(path: Path) -> str | None:
    """Return what changes when a file does; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return f"{found.st_size} {found.st_mtime_ns}"


def _remember(name: str, state: str) -> None:
    def with_entry(known: dict[str, str]) -> dict[str, str]:
        known.pop(name, None)
        return dict([*known.items(), (name, state)][-_MOST:])

    _files_of_runs().change(with_entry)


def _files_of_runs() -> PrivateFile[str]:
    return PrivateFile(
        paths.written_file(),
        what="files of runs",
        load=lambda _name, state: str(state),
        dump=str,
    )
