"""A Ray cluster that runs, and actors in it; none is started here."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.tables.executors import Ticket
from h2o_magic.tables.executors.row_worker import RowWorker
from h2o_magic.tables.executors.task import Task

_OPTIONS = {"num_cpus": 0.1, "max_concurrency": 2, "scheduling_strategy": "SPREAD"}


@dataclass(eq=False)
class Actor:
    """A process that asks rows; `results` yields what comes of those it has."""

    handle: Any
    results: Any
    rows: dict[int, Ticket] = field(default_factory=dict)

    @classmethod
    def start(cls, ray: Any, task: Task) -> Actor:
        handle = ray.remote(**_OPTIONS)(RowWorker).remote(task)
        return cls(handle, handle.outcomes.options(num_returns="streaming").remote())


def nodes(ray: Any) -> int:
    """Return how many nodes may have an actor."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    return sum(bool(node["Resources"].get("CPU")) for node in alive) or 1


def connected_ray() -> Any:
    """Return ray, connected to a cluster; a ConfigurationError if there is none."""
    ray: Any = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        return ray
    address = os.environ.get("RAY_ADDRESS", "")
    if address in ("", "local"):
        raise ConfigurationError(
            'executor="ray" needs a running Ray cluster: connect to it first with '
            "`ray.init(address=...)`, or name it in RAY_ADDRESS"
        )
    try:
        ray = import_module("ray")
    except ImportError:
        raise MissingExtraError('executor="ray"', "ray") from None
    try:
        ray.init(address=address, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigurationError(
            f'executor="ray" needs a running Ray cluster, and {address} (RAY_ADDRESS) '
            f"is none: {error}"
        ) from None
    return ray
