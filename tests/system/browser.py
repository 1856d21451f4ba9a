"""Chromium, driven by Playwright, over pages of a stack."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.rules.pictures import chromium

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PHONE, DESKTOP = (390, 844), (1280, 900)
Scheme = Literal["light", "dark"]


@contextmanager
def browser() -> Iterator[Browser]:
    """The browser; where there is none, and none can be installed, the test is skipped."""
    try:
        executable = shutil.which(chromium())
    except SystemExit as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield running
        finally:
            running.close()


def window(
    running: Browser,
    size: tuple[int, int] = DESKTOP,
    scheme: Scheme = "light",
    locale: str = "en-GB",
    **more: object,
) -> BrowserContext:
    """A browser of somebody's own, who writes as in ``locale``."""
    return running.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        locale=locale,
        timezone_id="Asia/Tokyo" if locale.startswith("ja") else "Europe/Berlin",
        **more,
    )


def sign_in(page: Page, url: str, key: str) -> None:
    """Sign in with a key on a page that asks for one."""
    page.goto(url)
    page.fill("input[name=key]", key)
    page.click("main form button")
