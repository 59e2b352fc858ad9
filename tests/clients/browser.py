"""Headless Chromium, and the console messages of its pages."""

import json
import shutil
import time
from contextlib import contextmanager

from playwright.sync_api import ConsoleMessage, Page, sync_playwright

from harness import PATIENCE

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Console:
    """The messages of a page: console messages as `(level, text)`, uncaught exceptions as `("exception", text)`."""

    def __init__(self, page: Page):
        self.page = page
        self.messages: list[tuple[str, str]] = []
        page.on("console", lambda message: self.messages.append((message.type, self._text(message))))
        page.on("pageerror", lambda error: self.messages.append(("exception", str(error))))

    @staticmethod
    def _text(message: ConsoleMessage) -> str:
        """The message with its objects in full; Chromium's own text abbreviates them."""
        values = [argument.json_value() for argument in message.args]
        return " ".join(value if isinstance(value, str) else json.dumps(value) for value in values) or message.text

    def wait_for(self, text: str) -> str:
        deadline = PATIENCE * 1000
        while not (found := self.find(text)):
            assert deadline > 0, f"the page never logged {text!r}; it logged {self.messages}"
            self.page.wait_for_timeout(50)  # Playwright delivers messages only during its own waits.
            deadline -= 50
        return found

    def find(self, text: str) -> str | None:
        return next((message for _, message in self.messages if text in message), None)

    def expect_no_errors(self):
        errors = [message for message in self.messages if message[0] in ("error", "exception")]
        assert not errors, f"the page reported {errors}"


@contextmanager
def chromium(*flags: str):
    executable = shutil.which("chromium")
    assert executable, "chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*QUIET, *flags])
        try:
            page = browser.new_page()
            page.set_default_timeout(PATIENCE * 1000)
            yield page
        finally:
            browser.close()


def until(page: Page, condition, what: str, seconds: float = PATIENCE):
    """Calls `condition` until it is truthy and returns the result. The monitor page allows only its own code, so it runs here."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}; the last answer was {answer!r}"
        page.wait_for_timeout(50)
    return answer
