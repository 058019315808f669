"""The page in a real browser, served as `workbench explore` serves it."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("dash", reason="the page needs the extra explore")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import sync_playwright

from workbench.explore.explorer import Explorer
from workbench.explore.page import explore_page
from workbench.explore.serving import listening

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, NAMES)), None)
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", *QUIET]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def address(explorer: Explorer) -> Iterator[str]:
    page = explore_page(explorer, name="a study")
    with listening(0) as listener:
        threading.Thread(target=listener.serve, args=(page.server,), daemon=True).start()
        yield listener.address
        listener.stop()
        assert explorer.idle(30.0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


class Watched:
    """A tab, with whatever its console said and wherever its requests went."""

    def __init__(self, browser: Any, **look: Any) -> None:
        self.tab = browser.new_page(viewport={"width": 1280, "height": 900}, **look)
        self.said: list[str] = []
        self.hosts: set[str] = set()
        self.tab.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))

    def until(self, holds: Any, *, what: str, seconds: float = 30) -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if holds():
                return
            self.tab.wait_for_timeout(50)
        raise AssertionError(f"{what}: {self.said}, {self.messages()}")

    def messages(self) -> list[str]:
        return [text for text in self.tab.locator(".message").all_inner_texts() if text]

    def answer(self, direction: str) -> str:
        found = self.tab.locator(f"#answers .{direction} .answer")
        return found.inner_text() if found.count() else ""

    def heading(self) -> str:
        found = self.tab.locator("#card h3")
        return found.inner_text() if found.count() else ""


@pytest.fixture
def watched(browser: Any, address: str) -> Iterator[Watched]:
    opened = Watched(browser)
    opened.tab.goto(address)
    opened.until(lambda: opened.heading() and opened.answer("base"), what="the page is whole")
    yield opened
    opened.tab.close()


def test_a_reader_picks_a_trait_a_neuron_and_a_dose(watched: Watched, address: str) -> None:
    tab = watched.tab
    box = tab.locator("#map .nsewdrag").first.bounding_box()
    before = watched.heading()
    tab.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
    watched.until(lambda: watched.heading() != before, what="a click on the map shows another neuron")
    layer, neuron = tab.input_value("#layer"), tab.input_value("#neuron")
    assert watched.heading() == f"Layer {layer}, neuron {neuron}"
    watched.until(lambda: tab.locator("#patching li").count() == 2, what="it is patched")

    asked = tab.input_value("#question")
    tab.get_by_role("radio", name="Openness").check()
    watched.until(lambda: tab.input_value("#question") != asked, what="another trait suggests its own question")
    watched.until(lambda: "trait=Openness" in tab.url, what="the address says what is shown")

    tab.get_by_role("slider", name="Temperature").focus()
    tab.keyboard.press("Home")
    tab.get_by_role("slider", name="gamma").focus()
    tab.keyboard.press("Home")
    watched.until(lambda: watched.answer("increase") == watched.answer("base") != "", what="no dose changes nothing")
    tab.keyboard.press("End")
    watched.until(lambda: watched.answer("increase") != watched.answer("base"), what="a dose changes the answer")

    tab.get_by_role("button", name="Next chosen").click()
    watched.until(lambda: "chosen, by |d|" in tab.locator("#walked").inner_text(), what="the next chosen neuron")
    assert watched.said == []
    assert watched.hosts == {address.split("/")[2]}
    assert watched.messages() == []


def test_a_link_opens_what_it_says(watched: Watched, address: str) -> None:
    watched.tab.goto(f"{address}?trait=Openness&layers=2-5&q=0.97&layer=3&neuron=41&gamma=0&ask=What+do+you+like%3F")
    watched.until(lambda: watched.heading() == "Layer 3, neuron 41", what="the neuron of the link")
    watched.until(lambda: watched.answer("base"), what="the answer to its question")
    assert watched.tab.input_value("#question") == "What do you like?"
    assert watched.tab.get_by_role("radio", name="Openness").is_checked()
    assert "of 4 layers" in watched.tab.locator("#summary").inner_text()


def test_a_mistake_is_a_line_on_the_page(watched: Watched) -> None:
    watched.tab.fill("#neuron", "9999")
    watched.tab.keyboard.press("Enter")
    said = f"Layer {watched.tab.input_value('#layer')} has neurons 0 to 767, but 9999 arrived."
    watched.until(lambda: said in watched.messages(), what="the mistake is said")
    watched.tab.fill("#neuron", "41")
    watched.tab.keyboard.press("Enter")
    watched.until(lambda: not watched.messages() and "neuron 41" in watched.heading(), what="and mended")
    assert watched.said == []


def test_a_phone_in_the_dark_has_no_overflow_and_every_control_a_name(browser: Any, address: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    phone = Watched(browser, color_scheme="dark")
    phone.tab.set_viewport_size({"width": 390, "height": 844})
    phone.tab.goto(address)
    phone.until(lambda: phone.heading() and phone.answer("base"), what="the page is whole")
    assert phone.tab.evaluate("document.documentElement.scrollWidth") <= 390
    phone.until(lambda: phone.tab.locator("#patching li").count() == 2, what="all is drawn")
    broken = {
        each["id"]: [node["html"] for node in each["nodes"]] for each in axe.Axe().run(phone.tab).response["violations"]
    }
    assert broken == {}
    assert phone.said == []
    phone.tab.close()
