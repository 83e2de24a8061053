"""The models that are known by name: their ids, weights on the hub, and sizes.

The list helps, it does not restrict: a server may serve any other model under any
other name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

__all__ = ["DEFAULT_MODEL", "MODELS", "CatalogueEntry", "find_model"]


class CatalogueEntry(NamedTuple):  # sooner made than a dataclass: `%load_ext` waits
    """A known model.

    Attributes
    ----------
    name : str
        The short name that users type.
    service_id : str
        The id under which the gpt-gm service knew it; the short name if it did not.
    repository : str
        Where weights are on the Hugging Face hub (``owner/name``).
    pattern : str
        Shell pattern of the file in that repository, resolved against its listing.
    size : int
        About how large that file is, in bytes.
    architecture : {"llama", "falcon"}
        Decides which built-in demo weights stand in for it.
    note : str
        What a user should know about these weights; may be empty.
    """

    name: str
    service_id: str
    repository: str
    pattern: str
    size: int
    architecture: Literal["llama", "falcon"]
    note: str = ""


_ENTRIES = (
    CatalogueEntry(
        "llama-13b",
        "h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-13b",
        "tensorblock/h2ogpt-4096-llama2-13b-chat-GGUF",
        "*Q4_K_M.gguf",
        7_870_000_000,
        "llama",
        "H2O.ai's later 13B chat model; no GGUF of the 2023 checkpoint is known",
    ),
    CatalogueEntry(
        "falcon-7b",
        "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3",
        "maddes8cht/h2oai-h2ogpt-gm-oasst1-en-2048-falcon-7b-v3-gguf",
        "*Q4_0.gguf",
        4_210_000_000,
        "falcon",
    ),
    CatalogueEntry(
        "falcon-40b",
        "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1",
        "maddes8cht/h2oai-h2ogpt-gm-oasst1-en-2048-falcon-40b-v2-gguf",
        "*Q4_0.gguf",
        23_800_000_000,
        "falcon",
        "version 2 of the model",
    ),
    CatalogueEntry(
        "danube3-500m",
        "danube3-500m",
        "h2oai/h2o-danube3-500m-chat-GGUF",
        "*Q4_K_M.gguf",
        318_000_000,
        "llama",
    ),
    CatalogueEntry(
        "danube3-4b",
        "danube3-4b",
        "h2oai/h2o-danube3-4b-chat-GGUF",
        "*Q4_K_M.gguf",
        2_400_000_000,
        "llama",
    ),
)

#: Known models by short name, in the order in which they are shown.
MODELS: Mapping[str, CatalogueEntry] = {entry.name: entry for entry in _ENTRIES}

DEFAULT_MODEL = "llama-13b"


def find_model(name: str) -> CatalogueEntry | None:
    """Return the entry with the short name or service id `name`, or None."""
    if name in MODELS:
        return MODELS[name]
    return next((e for e in MODELS.values() if e.service_id == name), None)
