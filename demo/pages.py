"""The storefront's pages as a browser has them: asked for, open, and told of changes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from httpx_sse import aconnect_sse

from demo.watching import STEP_SECONDS_MAX, MissingStep

LOOK_SECONDS = 0.2


class OpenPage:
    """One page that stays open: every state that it was told."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.states: list[dict[str, Any]] = []
        self._told = asyncio.Condition()

    async def until(self, what: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the newest state holds; raises ``MissingStep`` when none does in time."""
        try:
            async with asyncio.timeout(STEP_SECONDS_MAX), self._told:
                await self._told.wait_for(lambda: bool(self.states) and holds(self.states[-1]))
        except TimeoutError:
            raise MissingStep(f"{what} on the open page {self.url}: {self.states[-1:]}") from None
        return self.states[-1]

    def counts(self, name: str) -> list[int]:
        """What it counted, each number once."""
        return list(dict.fromkeys(state[name] for state in self.states))

    async def follow(self, client: httpx.AsyncClient) -> None:
        """Read the page's events; it is cancelled when the page is closed."""
        async with aconnect_sse(client, "GET", f"{self.url}/events", timeout=None) as source:
            async for event in source.aiter_sse():
                # httpx-sse also gives comments and pauses, as events without data.
                if event.data:
                    async with self._told:
                        self.states.append(event.json())
                        self._told.notify_all()


class Pages:
    """The home page and all behind it."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self.url = url
        self._client = client

    async def until_listed(self, path: str) -> None:
        """Wait until the home page links there."""

        def links(page: httpx.Response) -> bool:
            return f'href="{path}"' in page.text

        await self._until(f"{path} on the home page", "/", links)

    @asynccontextmanager
    async def open(self, path: str) -> AsyncIterator[OpenPage]:
        """A page that is there, kept open for the block."""
        await self._until(f"the page {path}", path, lambda _: True)
        page = OpenPage(self.url + path)
        following = asyncio.create_task(page.follow(self._client))
        try:
            # It shows what there is before anything changes.
            await page.until("what there is", lambda _: True)
            yield page
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError, httpx.HTTPError):
                await following

    async def _until(self, what: str, path: str, holds: Callable[[httpx.Response], bool]) -> None:
        try:
            async with asyncio.timeout(STEP_SECONDS_MAX):
                while True:
                    page = await self._client.get(self.url + path)
                    if page.is_success and holds(page):
                        return
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise MissingStep(what) from None


@asynccontextmanager
async def pages_of(url: str) -> AsyncIterator[Pages]:
    """The pages at this address."""
    async with httpx.AsyncClient(timeout=STEP_SECONDS_MAX) as client:
        yield Pages(url, client)
