"""How soon the explorer's page answers a click on SmolLM2, in Chromium: `python -m benchmarks.explorer`.

The page is served as `workbench explore` serves it. Each time is one in the browser, from a click on the map, or on
"Next chosen", until the neuron's card shows another neuron, while its patching effect is computed beside. No pass of
the model is needed for the card. The goal is 0.2 seconds.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import threading
from typing import Any

from playwright.sync_api import sync_playwright

import workbench as wb
from benchmarks.capture import RESULTS
from workbench.explore.explorer import Explorer
from workbench.explore.page import explore_page
from workbench.explore.serving import listening

GOAL = 0.2
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_WATCH = """() => {
  const card = document.querySelector('#card');
  window.shown = card.querySelector('h3').innerText;
  window.times = [];
  document.addEventListener('click', () => { window.clicked = performance.now(); }, true);
  new MutationObserver(() => {
    const heading = card.querySelector('h3');
    if (heading && heading.innerText !== window.shown) {
      window.shown = heading.innerText;
      window.times.push((performance.now() - window.clicked) / 1000);
    }
  }).observe(card, {childList: true, subtree: true, characterData: true});
}"""


def clicks(explorer: Explorer, browser: str, *, turns: int) -> dict[str, list[float]]:
    """Seconds from each click to its card, by what is clicked."""
    page = explore_page(explorer, name="benchmark")
    found: dict[str, list[float]] = {}
    with listening(0) as listener, sync_playwright() as playwright:
        threading.Thread(target=listener.serve, args=(page.server,), daemon=True).start()
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        tab: Any = opened.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(listener.address)
        tab.wait_for_selector("#card h3", timeout=300_000)
        tab.wait_for_selector("#map .nsewdrag", timeout=300_000)
        tab.wait_for_timeout(5_000)
        tab.evaluate(_WATCH)
        for turn in range(turns + 2):  # the first two warm up
            for what in ("a cell of the map", "next chosen"):
                before = len(tab.evaluate("window.times"))
                if what == "next chosen":
                    tab.get_by_role("button", name="Next chosen").click()
                else:
                    tab.locator("#map").scroll_into_view_if_needed()
                    box = tab.locator("#map .nsewdrag").first.bounding_box()
                    share = (turn + 1) / (turns + 3)
                    tab.mouse.click(box["x"] + share * box["width"], box["y"] + share * box["height"])
                for _ in range(1500):
                    if tab.evaluate("window.times.length") > before:
                        break
                    tab.wait_for_timeout(20)
                else:
                    raise RuntimeError(f"A click on {what} showed no other neuron within 30 seconds.")
                print(f"  {what}: {tab.evaluate('window.times.at(-1)'):.3f} s", file=sys.stderr, flush=True)
                if turn > 1:
                    found.setdefault(what, []).append(tab.evaluate("window.times.at(-1)"))
                tab.wait_for_timeout(1_000)
        opened.close()
        listener.stop()
        explorer.idle(120.0)
    return found


def main() -> None:
    """Measure, add to `results.json` and print a table."""
    parser = argparse.ArgumentParser(description="How soon the explorer's page answers a click.")
    parser.add_argument("--turns", type=int, default=9)
    settings = parser.parse_args()
    browser = os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        print("The explorer is not measured: there is no Chromium here.", file=sys.stderr)
        return
    model = wb.load_model("smollm2")
    explorer = Explorer(model, {"Extraversion": wb.Contrast.builtin("Extraversion", n=24)}, defaults={"min_d": 0.5})
    times = clicks(explorer, browser, turns=settings.turns)
    medians = {what: statistics.median(each) for what, each in times.items()}
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    results["explorer"] = {"goal": GOAL, "seconds": medians, "longest": {w: max(each) for w, each in times.items()}}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for what, seconds in medians.items():
        print(f"  {what:<20}{seconds:8.3f} s   longest {max(times[what]):.3f}, goal {GOAL}")


if __name__ == "__main__":
    main()
