"""The servers that are measured, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["Address", "own_server", "started"]


@dataclass(frozen=True)
class Address:
    """Where a server's chat completions are, its key, and its process."""

    url: str
    key: str
    pid: int = 0


@asynccontextmanager
async def started(module: str, *options: str) -> AsyncIterator[Address]:
    """Run a module of this package that prints its address as JSON."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", module, *options],
        stdin=asyncio.subprocess.PIPE,  # at whose end a server's own server ends
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield Address(**json.loads(await process.stdout.readline()))
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def own_server(slots: int) -> AsyncIterator[Address]:
    """Run our server as users do, without weights of anybody's."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "runtime.json"
        options = ["--runtime-file", str(file), "--log-file", f"{folder}/log"]
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "h2o_magic.cli", "serve", "--slots", str(slots)],
            *options,
            env=os.environ | {"HF_HUB_CACHE": f"{folder}/hub"},
        )
        try:
            while not file.exists():
                await asyncio.sleep(0.02)
            runtime = json.loads(file.read_text())
            url = f"{runtime['url']}/v1/chat/completions"
            yield Address(url, runtime["token"], process.pid)
        finally:
            process.terminate()
            await process.wait()
