"""No rule of WCAG 2 A and AA, and no good practice of headings, landmarks and regions, is broken."""

from collections.abc import Callable
from typing import Any

import pytest

from workbench.report.contents import Report

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing(report: Report, opened: Callable[..., Any], phone: bool, colours: str) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe checks the page; it is not installed"
    )
    page = opened(report, phone=phone, color_scheme=colours)
    page.evaluate("document.querySelectorAll('details.table, #manifest details').forEach(one => { one.open = true; })")
    for figure in page.locator("figure").all():
        figure.scroll_into_view_if_needed()
    page.wait_for_function("[...document.querySelectorAll('figure')].every(one => one.dataset.drawn)")
    page.locator("#table-long thead button").first.click()
    found = axe.Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    told = [
        f"{broken['id']}: {broken['help']}: {[node['html'][:160] for node in broken['nodes'][:3]]}"
        for broken in found.response["violations"]
    ]
    assert told == []
