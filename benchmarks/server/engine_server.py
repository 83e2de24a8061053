"""The engine's own HTTP server, with the engine set up as our server sets it up."""

from __future__ import annotations

import argparse
import asyncio
import json

from h2o_magic.server.engine_process import EngineProcess
from h2o_magic.server.loading import configure
from h2o_magic.weights.files import find_weights
from h2o_magic.weights.memory import default_memory, plan_memory


async def _serve(model: str, slots: int) -> None:
    weights = find_weights(model)
    if weights is None or weights.is_stand_in:
        raise RuntimeError(f"expected the weights of {model}")
    config = configure(weights, plan_memory(weights.path, slots, default_memory()))
    process, url = await EngineProcess.start(config, weights.size)
    url = f"{url}{config.prefix}/v1/chat/completions"
    print(json.dumps({"url": url, "key": config.key}), flush=True)
    await process.wait()


def main() -> None:
    """Serve until the process is ended; print the address first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--model", default="demo", help="a name, or a GGUF file")
    options = parser.parse_args()
    asyncio.run(_serve(options.model, options.slots))


if __name__ == "__main__":
    main()
