"""The official OpenAI clients behind one face: JSON goes in, and JSON comes out.

Calls are named as the clients' attributes are, such as ``chat.completions.create``.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

import openai
import pytest

from tests.server.apis import Api

__all__ = ["Caller", "NodeCaller", "PythonCaller", "installed_node_package"]

_SCRIPT = Path(__file__).with_name("openai_node.mjs")
_NODE_PACKAGE = "openai@7.55.0"


class Caller(Protocol):
    """One of the clients."""

    def answer(self, api: Api, call: str, **body: Any) -> dict[str, Any]:
        """Return the answer to a call without a stream."""

    def chunks(self, api: Api, call: str, **body: Any) -> list[dict[str, Any]]:
        """Return all that a stream brings."""

    def leave(
        self,
        api: Api,
        call: str,
        *,
        begun: Callable[[], None],
        gone: Callable[[], None],
        **body: Any,
    ) -> None:
        """Leave a call once `begun` returns, and keep the client until `gone` does."""


class PythonCaller:
    """The package ``openai``."""

    def answer(self, api: Api, call: str, **body: Any) -> dict[str, Any]:
        with openai.OpenAI(**_access(api)) as client:
            return _plain(attrgetter(call)(client)(**_arguments(api, body)))

    def chunks(self, api: Api, call: str, **body: Any) -> list[dict[str, Any]]:
        with (
            openai.OpenAI(**_access(api)) as client,
            attrgetter(call)(client)(**_arguments(api, body), stream=True) as stream,
        ):
            return [_plain(chunk) for chunk in stream]

    def leave(
        self,
        api: Api,
        call: str,
        *,
        begun: Callable[[], None],
        gone: Callable[[], None],
        **body: Any,
    ) -> None:
        async def leave() -> None:
            async with openai.AsyncOpenAI(**_access(api)) as client:
                asked = attrgetter(call)(client)(**_arguments(api, body))
                if body.get("stream"):
                    stream = await asked
                    await stream.__anext__()
                    await asyncio.to_thread(begun)
                    await stream.close()
                else:
                    task = asyncio.ensure_future(asked)
                    await asyncio.to_thread(begun)
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                await asyncio.to_thread(gone)

        asyncio.run(leave())


class NodeCaller:
    """The package ``openai`` for node, installed in a folder, with our script."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answer(self, api: Api, call: str, **body: Any) -> dict[str, Any]:
        (answer,) = self._said(api, call, body)
        return answer

    def chunks(self, api: Api, call: str, **body: Any) -> list[dict[str, Any]]:
        return self._said(api, call, body | {"stream": True})

    def leave(
        self,
        api: Api,
        call: str,
        *,
        begun: Callable[[], None],
        gone: Callable[[], None],
        **body: Any,
    ) -> None:
        with self._script(api) as script:
            assert script.stdin is not None
            assert script.stdout is not None
            script.stdin.write(_line(api, call, body))
            script.stdin.flush()
            if body.get("stream"):
                assert "failed" not in json.loads(script.stdout.readline())
            begun()
            script.stdin.write("leave\n")
            script.stdin.flush()
            assert any(json.loads(line) == {"left": True} for line in script.stdout)
            gone()
            script.stdin.close()

    def _said(self, api: Api, call: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        with self._script(api) as script:
            said, _ = script.communicate(_line(api, call, body))
        assert script.returncode == 0
        lines = [json.loads(line) for line in said.splitlines()]
        assert all("failed" not in line for line in lines), lines
        return lines

    def _script(self, api: Api) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["node", _SCRIPT.name, f"{api.url}/v1", api.key],
            cwd=self._folder,
            env=os.environ | {"NO_PROXY": "127.0.0.1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )


def installed_node_package(folder: Path) -> Path:
    """Install the package and our script into a folder.

    The test is skipped where there is no node or npm, or fails if
    H2O_MAGIC_REQUIRE_NODE is set.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        why = "no node and npm on the PATH"
        if os.environ.get("H2O_MAGIC_REQUIRE_NODE"):
            pytest.fail(f"{why}, and H2O_MAGIC_REQUIRE_NODE is set")
        pytest.skip(why)
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder)]
    done = subprocess.run(
        [*command, _NODE_PACKAGE],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    if done.returncode:
        why = f"{_NODE_PACKAGE} cannot be installed: {done.stderr.strip()}"
        if os.environ.get("H2O_MAGIC_REQUIRE_NODE"):
            pytest.fail(why)
        pytest.skip(why)
    shutil.copy(_SCRIPT, folder)
    return folder


def _access(api: Api) -> dict[str, Any]:
    return {"base_url": f"{api.url}/v1", "api_key": api.key, "max_retries": 0}


def _line(api: Api, call: str, body: dict[str, Any]) -> str:
    return json.dumps({"call": call, "body": {"model": api.model, **body}}) + "\n"


def _arguments(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    return {"model": api.model, **body}


def _plain(answer: Any) -> dict[str, Any]:
    plain: dict[str, Any] = answer.model_dump(mode="json", exclude_unset=True)
    return plain
