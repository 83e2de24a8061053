"""Fetches a model's weights from the Hugging Face hub into its cache."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from h2o_magic.catalogue import MODELS, find_model
from h2o_magic.errors import ConfigurationError, ConnectionFailedError
from h2o_magic.nearest import did_you_mean
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
    ConnectionFailedError
        If the hub cannot be reached or refuses.
    """
    # Slow to import, and only this function goes to the network.
    import huggingface_hub  # noqa: PLC0415
    from huggingface_hub import errors  # noqa: PLC0415

    repository, patterns = _source(name)
    try:
        files = huggingface_hub.HfApi().list_repo_files(repository)
        file = _choose(repository, files, patterns)
        return Path(huggingface_hub.hf_hub_download(repository, file))
    except errors.RepositoryNotFoundError as error:
        raise ConfigurationError(
            f"the Hugging Face hub has no public repository {repository!r}: "
            "check its name, or log in with `hf auth login` if it is a private one"
        ) from error
    except (OSError, errors.HfHubHTTPError, errors.OfflineModeIsEnabled) as error:
        raise ConnectionFailedError(
            f"cannot fetch {repository} from the Hugging Face hub: {error}"
        ) from error


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
