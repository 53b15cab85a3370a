"""A headless Chromium, and the page of the answers in it."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.support.answers import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, ViewportSize

FOLDER = ROOT / "docs" / "answers"
URL = (FOLDER / "index.html").as_uri()

OPTIONS = (
    "--no-sandbox",  # root cannot use it
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Return the path of Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """Run the installed Chromium with an empty profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(browser: Browser, size: ViewportSize | None = None, *, scale: float = 1) -> Iterator[Page]:
    """Open the page of the answers without a network.

    Args:
        browser: The browser.
        size: The size of the window in CSS pixels.
        scale: The number of pixels of a screenshot for each CSS pixel.

    Raises:
        AssertionError: The page had an error, wrote to the console, or requested anything outside its folder.
    """
    context = browser.new_context(
        offline=True,
        viewport=size or {"width": 1280, "height": 900},
        device_scale_factor=scale,
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(30_000)
    messages: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: messages.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: messages.append(f"error: {error}"))
    page.on("request", lambda request: messages.append(f"request: {request.url}") if is_foreign(request.url) else None)
    try:
        page.goto(URL)
        yield page
        assert messages == []
    finally:
        context.close()


def is_foreign(url: str) -> bool:
    """Return whether a URL is neither a file of the page nor created by it."""
    return not url.startswith((f"{FOLDER.as_uri()}/", "blob:", "data:"))
