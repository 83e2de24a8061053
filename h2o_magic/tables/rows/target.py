"""The file that a file's rows go to: complete, or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from h2o_magic.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Target:
    """Where a table is written to.

    Attributes
    ----------
    path : Path or None
        The file, whose ending says its format; None for ``NAME-answers.EXT`` beside
        the one that is read.
    overwrite : bool
        True replaces whatever is there.
    may_replace : callable
        Returns whether a file was written by an earlier run, so that it is replaced.
    """

    path: Path | None = None
    overwrite: bool = False
    may_replace: Callable[[Path], bool] = lambda _path: False

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
        if self.overwrite or not self.file.exists() or self.may_replace(self.file):
            return
        raise ConfigurationError(
            f"{self.file} exists, and no run wrote it: give another file with `to`, or "
            "add `overwrite`"
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
            raise ConfigurationError(
                f"cannot write {self.file}: {error.strerror or error}; the answers are "
                "kept, so that running it again asks nothing"
            ) from error
        finally:
            part.unlink(missing_ok=True)
