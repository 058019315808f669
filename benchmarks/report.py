"""How large a study's report is and how soon Chromium draws it: `python -m benchmarks.report`.

The page is opened from its file, seven times in a fresh tab each. First paint is the browser's own first contentful
paint; the first figure, which is scrolled to at once, is drawn when its plot has an image. Goals: 5 MB and 2 seconds.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.capture import RESULTS
from benchmarks.explorer import NAMES

_WATCH = """() => new MutationObserver((_, watching) => {
  if (document.querySelector('.js-plotly-plot .main-svg .plot, .js-plotly-plot .main-svg .cartesianlayer *')) {
    window.drawn = performance.now();
    watching.disconnect();
  }
}).observe(document, {childList: true, subtree: true})"""


def drawn(page: Path, browser: str, turns: int) -> dict[str, list[float]]:
    """Seconds from the start of loading to the first paint and to the first figure, of each turn."""
    found: dict[str, list[float]] = {"first_paint": [], "first_figure": []}
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(turns):
            tab: Any = opened.new_page(viewport={"width": 1280, "height": 900})
            tab.add_init_script(f"({_WATCH})()")
            tab.goto(page.resolve().as_uri(), wait_until="domcontentloaded")
            tab.evaluate(
                "document.querySelector('figure').scrollIntoView()"
            )  # figures are drawn as they come into view
            while not tab.evaluate("window.drawn"):
                tab.wait_for_timeout(20)
            paints = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            found["first_paint"].append(tab.evaluate(paints) / 1000)
            found["first_figure"].append(tab.evaluate("window.drawn") / 1000)
            tab.close()
        opened.close()
    return found


def main() -> None:
    """Measure, add to `results.json` and print."""
    parser = argparse.ArgumentParser(description="How large a report is and how soon it is drawn.")
    parser.add_argument("--study", type=Path, default=Path("runs/demo"))
    parser.add_argument("--turns", type=int, default=7)
    settings = parser.parse_args()
    browser = os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, NAMES)), None)
    page = settings.study / "report.html"
    if browser is None or not page.is_file():
        lacking = (
            "no Chromium here" if browser is None else f"no report in {settings.study}; run `workbench demo` first"
        )
        print(f"The report is not measured: there is {lacking}.", file=sys.stderr)
        return
    medians = {what: statistics.median(each) for what, each in drawn(page, browser, settings.turns).items()}
    found = {"megabytes": page.stat().st_size / 1e6, **medians}
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    results["report"] = found
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print("  " + ", ".join(f"{name} {value:.2f}" for name, value in found.items()))


if __name__ == "__main__":
    main()
