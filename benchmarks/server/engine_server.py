"""The engine's own HTTP server, with the engine set up as our server sets it up."""

from __future__ import annotations

import argparse
import json
import threading

from h2o_magic.server.engine import Engine
from h2o_magic.weights.files import BUILT_IN
from h2o_magic.weights.memory import default_memory, plan_memory


def main() -> None:
    """Serve until the process is ended; print the address first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, required=True)
    options = parser.parse_args()
    folder = BUILT_IN
    path = folder / "demo-llama.gguf"
    engine = Engine(path, plan_memory(path, options.slots, default_memory()))
    # An engine listens for our own calls; what it says there is llama.cpp's server.
    url = f"{engine._server.listening_address}{engine._prefix}/v1/chat/completions"
    print(json.dumps({"url": url, "key": engine._key}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
