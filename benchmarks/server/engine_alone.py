"""The engine without this package: llama.cpp's own HTTP server, for one model."""

from __future__ import annotations

import argparse
import json
import secrets
import threading

import xllamacpp

#: As our server sets it: another size rounds otherwise, and so may write another text.
_BATCH = 128
#: A connection keeps its thread while it is open, also when nothing is asked.
_HTTP_THREADS = 12


def main() -> None:
    """Serve until the process is ended; print the address first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", help="the GGUF file")
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--capacity", type=int, required=True, help="tokens of context")
    parser.add_argument("--cache", type=int, required=True, help="MiB of old prompts")
    parser.add_argument(
        "--threads", type=int, help="of the engine's choice if not given"
    )
    parser.add_argument(
        "--embeddings", action="store_true", help="beside answers, means of all tokens"
    )
    options = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = options.path
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.api_keys, params.ui = [secrets.token_urlsafe(32)], False
    params.n_parallel, params.n_ctx = options.slots, options.capacity
    params.kv_unified, params.cache_ram_mib = True, options.cache
    params.n_batch = params.n_ubatch = _BATCH
    params.verbosity, params.n_threads_http = 1, _HTTP_THREADS
    if options.threads is not None:
        params.cpuparams.n_threads = options.threads
        params.cpuparams_batch.n_threads = options.threads
    if options.embeddings:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(params)
    url = f"{server.listening_address}/v1/chat/completions"
    print(json.dumps({"url": url, "key": params.api_keys[0]}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
