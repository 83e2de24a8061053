"""What the option `executor` names: an executor, or a cluster that is there.

No cluster is started here, and none of their packages is imported but Ray, where
RAY_ADDRESS names its cluster.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import Executor
from importlib import import_module
from typing import Any

from h2o_magic.errors import ConfigurationError, MissingExtraError

#: Places of an executor that does not say how many it has.
_PLACES = 4


def executor_of(chosen: object) -> Executor:
    """Return the executor of an option's value: that itself, or a Dask client's."""
    if isinstance(chosen, str) and chosen == "dask":
        distributed: Any = sys.modules.get("distributed")
        try:
            chosen = distributed.default_client()
        except (AttributeError, ValueError):
            raise ConfigurationError(
                'executor="dask" needs a client of a Dask cluster: connect one first, '
                "as in `client = distributed.Client(ADDRESS)`"
            ) from None
    if hasattr(chosen, "get_executor"):  # a Dask client
        chosen = chosen.get_executor(pure=False)
    if not isinstance(chosen, Executor):
        got = repr(chosen) if isinstance(chosen, str) else type(chosen).__name__
        raise ConfigurationError(
            "expected executor as a concurrent.futures.Executor, a Dask client, "
            f'"dask" or "ray", got {got:.100}'
        )
    return chosen


def places_of(executor: Any) -> int:
    """Return how many calls an executor runs at once."""
    client: Any = getattr(executor, "_client", None)
    if hasattr(client, "nthreads"):
        return sum(client.nthreads().values()) or _PLACES
    return int(getattr(executor, "_max_workers", _PLACES))


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
