"""The engine's own HTTP server, with the engine set up as our server sets it up."""

from __future__ import annotations

import argparse
import asyncio
import json

from h2o_magic.server.engine_process import EngineProcess
from h2o_magic.server.loading import configure
from h2o_magic.weights.files import BUILT_IN, find_weights
from h2o_magic.weights.memory import default_memory, plan_memory


async def _serve(slots: int) -> None:
    weights = find_weights("demo")
    if weights is None or weights.path.parent != BUILT_IN:
        raise RuntimeError("expected the demo weights")
    config = configure(weights, plan_memory(weights.path, slots, default_memory()))
    process, url = await EngineProcess.start(config, weights.size)
    url = f"{url}{config.prefix}/v1/chat/completions"
    print(json.dumps({"url": url, "key": config.key}), flush=True)
    await process.wait()


def main() -> None:
    """Serve until the process is ended; print the address first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, required=True)
    asyncio.run(_serve(parser.parse_args().slots))


if __name__ == "__main__":
    main()
