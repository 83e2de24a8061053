"""Fetches a model's weights from the Hugging Face hub into its cache."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from h2o_magic.catalogue import MODELS, find_model
from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.nearest import did_you_mean
from h2o_magic.server.hub_errors import explain
from h2o_magic.server.weights import PREFERRED

__all__ = ["pull"]


def pull(name: str) -> Path:
    """Download the weights of a model, with a progress bar, and return their path.

    What is already there is not fetched again, and a download that broke off goes on
    where it stopped.

    Parameters
    ----------
    name
        A name of the catalogue, ``owner/repository`` or ``owner/repository:file.gguf``.

    Raises
    ------
    ConfigurationError
        If the name is unknown, or the repository has no such file.
    MissingExtraError
        If huggingface_hub is not installed.
    ConnectionFailedError
        If the hub cannot be reached or refuses, or the disk is full.
    """
    repository, patterns = _source(name)
    try:
        # Slow to import, and only this function goes to the network.
        import huggingface_hub  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("downloading weights", "local") from error
    try:
        # Unlike `list_repo_files`, this asks once: offline is said at once.
        listed = huggingface_hub.HfApi().model_info(repository).siblings or []
    except Exception as error:
        raise explain(repository, error) from error
    file = _choose(repository, [sibling.rfilename for sibling in listed], patterns)
    try:
        return Path(huggingface_hub.hf_hub_download(repository, file))
    except Exception as error:
        raise explain(repository, error) from error


def _source(name: str) -> tuple[str, Sequence[str]]:
    entry = find_model(name)
    if entry is not None:
        return entry.repository, (entry.pattern,)
    repository, _, file = name.partition(":")
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise ConfigurationError(
            f"expected a model's name or owner/repository, got {name!r}: "
            f"{did_you_mean(name, MODELS)}"
        )
    return repository, (file,) if file else PREFERRED


def _choose(repository: str, files: Sequence[str], patterns: Sequence[str]) -> str:
    for pattern in patterns:
        fitting = sorted(f for f in files if fnmatchcase(f.lower(), pattern.lower()))
        if fitting:
            return fitting[0]
    there = ", ".join(f for f in files if f.endswith(".gguf")) or "none"
    raise ConfigurationError(
        f"{repository} has no file {patterns[0]!r}; its GGUF files: {there}"
    )
