"""Our server with a scripted engine for the demo weights, and real ones for others.

A real engine takes no more slots than it reads tokens at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket

from benchmarks.server.processes import started
from h2o_magic.server.app import build_app
from h2o_magic.server.ending import IdleTimer
from h2o_magic.server.engine_process import Engine
from h2o_magic.server.loading import loader
from h2o_magic.server.models import Models
from h2o_magic.server.request_queue import RequestQueue
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.server.serve import serving
from h2o_magic.server.stopping import Stopping
from h2o_magic.weights.files import Weights
from h2o_magic.weights.memory import MemoryPlan


async def _serve(slots: int, rate: float) -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    runtime = Runtime(url, "stand-in", 0, "", "0", None)
    real = loader(64)
    options = ["--rate", str(rate)]
    async with started("benchmarks.server.scripted_engine", *options) as scripted:

        async def load(weights: Weights, plan: MemoryPlan) -> Engine:
            if not weights.demo:
                return await real(weights, plan)
            queue = RequestQueue(slots, slots * plan.context, 64)
            engine = Engine("stand-in", scripted.url, "", queue)
            await engine.learn()
            return engine

        models = Models(slots, load)
        app = build_app(
            runtime, models, idle=IdleTimer(0), stopping=Stopping(), end=None
        )
        async with serving(app, listening):
            address = {
                "url": f"{url}/v1/chat/completions",
                "key": runtime.token,
                "pid": os.getpid(),
            }
            print(json.dumps(address), flush=True)
            await asyncio.Event().wait()


def main() -> None:
    """Serve until the process is ended; print the address first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    options = parser.parse_args()
    asyncio.run(_serve(options.slots, options.rate))


if __name__ == "__main__":
    main()
