"""Words for who waits: what is being done before an answer can begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

__all__ = ["Waiting"]

#: Seconds of waiting about which nothing is said, so that nothing flickers.
QUIET = 0.3


class Waiting:
    """Carries words from who works to who waits for the work."""

    def __init__(self) -> None:
        self._words = ""
        self._said = ""
        self._news = asyncio.Event()

    @property
    def spoke(self) -> bool:
        """Whether who waits was told anything that is not taken back."""
        return self._said != ""

    def say(self, words: str) -> None:
        """Say what is being done now; an empty text takes it back."""
        self._words = words
        self._news.set()

    async def during(self, work: asyncio.Future[Any]) -> AsyncGenerator[str, None]:
        """Yield what is said until `work` is done; only the latest counts.

        Leaving early (closing the iterator, cancelling its task) cancels the work.
        """
        try:
            await asyncio.wait({work}, timeout=QUIET)
            while not work.done():
                self._news.clear()
                if self._words != self._said:
                    self._said = self._words
                    yield self._said
                else:
                    await self._news_or_end(work)
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work})

    async def _news_or_end(self, work: asyncio.Future[Any]) -> None:
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait({work, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
