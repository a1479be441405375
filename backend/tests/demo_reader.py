"""A reader at the demo page: a real headless Chromium on a stand-in chat service, and what is true of every visit."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chatbot_api.demo_pages import DemoPages
from qdrant_indexer.docusaurus import Heading, Page
from stand_in_chat import StandInChat, served

try:
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.remote.webelement import WebElement
except ImportError:
    webdriver = Keys = None

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1180,860",
]
WAIT_S = 10
FILLER = "\n\n".join(f"Paragraph {number} of the page, so that it is long enough to scroll." for number in range(30))


def page(url: str, title: str, *sections: tuple[str, str, str]) -> Page:
    markdown = f"# {title}\n\nWhat there is to know about it, in short.\n" + "".join(
        f"\n## {h}\n\n{text}\n" for h, _, text in sections
    )
    headings = (Heading(1, title, ""), *(Heading(2, heading, anchor) for heading, anchor, _ in sections))
    return Page(f"{title}.md", url, title, "", markdown, headings)


TABLE = """\
| Setting | Default | Meaning |
| --- | --- | --- |
| `radio.channel` | `11` | Channel of the hub, 11 to 26 |

> Restart the hub afterwards."""
PAIRING = "Hold it.\n\n```bash\nlantern pair\n```\n\nSee [ranges](/docs/configure#range)."
PAGES = DemoPages(
    [
        page(
            "/docs/install",
            "Install Lantern",
            ("Mount the hub", "mount-the-hub", FILLER),
            ("Pair a lamp", "pair-a-lamp", PAIRING),
            ("Where to go next", "where-to-go-next", FILLER),
        ),
        page(
            "/docs/configure",
            "Configure",
            ("The settings file", "the-settings-file", TABLE),
            ("Range and walls", "range", "- Wood: little\n- Concrete: much"),
        ),
        page("/docs/commands", "Commands", ("lantern reset", "lantern-reset", "Resets.")),
    ]
)


def missing() -> str:
    parts = {"selenium (pip)": webdriver, "chromium": CHROMIUM, "chromedriver": CHROMEDRIVER}
    return ", ".join(name for name, found in parts.items() if not found)


@dataclass
class Reader:
    """The page in the browser, with what a reader does on it."""

    driver: Any
    base: str
    chat: StandInChat

    def open(self, path: str = "/", *, dark: bool = False, width: int = 1180, height: int = 860, calm: bool = False) -> None:
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        features.append({"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get("about:blank")
        self.driver.get(self.base + path)
        self.until(lambda: self.css(".ask-docs-launcher"))

    def open_panel(self) -> None:
        self.css(".ask-docs-launcher")[0].click()
        self.until(lambda: self.css(".ask-docs[open]"))

    def css(self, selector: str) -> "list[WebElement]":
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return "\n".join(found.text for found in self.css(selector))

    def until(self, true: Callable[[], Any], seconds: float = WAIT_S) -> Any:
        end = time.monotonic() + seconds
        while not (value := true()):
            assert time.monotonic() < end, (
                f"never came true; the page shows:\n{self.driver.find_element(By.TAG_NAME, 'body').text}"
            )
            time.sleep(0.02)
        return value

    def ask(self, question: str) -> None:
        """Asks in the panel, or in the landing page's field when the panel is closed."""
        fields = self.css(".ask-docs[open] .ask-docs-composer textarea") or self.css("#question")
        fields[0].send_keys(question, Keys.ENTER)

    def answered(self, question: str, outcome: str) -> None:
        self.ask(question)
        self.until(lambda: outcome in self.text(".ask-docs-turn:last-child .ask-docs-outcome"))

    def spoken(self) -> str:
        """What the live region says of the newest question."""
        return self.js("document.querySelector('.ask-docs [role=log]').textContent")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def js(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(f"return {script}", *values)

    def assert_nothing_ran_and_nobody_else_was_asked(self) -> None:
        """No hostile script ran, no policy was broken, no other host was asked."""
        assert self.js("window.hit ?? null") is None
        complaints = [line["message"] for line in self.driver.get_log("browser")]
        assert [text for text in complaints if "Failed to load resource" not in text] == []
        entries = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
        urls = {entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"}
        assert {urlsplit(url).netloc for url in urls if urlsplit(url).scheme in {"http", "https"}} <= {urlsplit(self.base).netloc}

    def shot(self, folder: Path, name: str) -> None:
        self.js("document.activeElement.blur()")
        self.driver.save_screenshot(str(folder / f"{name}.png"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if absent := missing():
        reason = f"no browser to test with: {absent} is missing (apt-get install chromium chromium-driver)"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(CHROMEDRIVER))
    driver.set_script_timeout(WAIT_S)
    yield driver
    driver.quit()


@pytest.fixture
def reader(browser: Any) -> Iterator[Reader]:
    chat = StandInChat()
    with served(chat.app(PAGES)) as base:
        here = Reader(browser, base, chat)
        here.open()
        for kind in ("performance", "browser"):
            browser.get_log(kind)
        yield here
        here.assert_nothing_ran_and_nobody_else_was_asked()
        while len(browser.window_handles) > 1:
            browser.switch_to.window(browser.window_handles[-1])
            browser.close()
        browser.switch_to.window(browser.window_handles[0])
        browser.get("about:blank")
