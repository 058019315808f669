"""The page's colours: text is readable in the light and in the dark."""

import re
from importlib import resources


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def test_text_contrasts_in_both_modes() -> None:
    style = resources.files("workbench.report").joinpath("report.css").read_text(encoding="utf-8")
    modes = [dict(re.findall(r"--(\w+): (#\w{6});", block)) for block in re.findall(r"\{[^{}]*--paper:[^{}]*\}", style)]
    assert len(modes) == 3
    assert modes[1] == modes[2]
    for mode in modes[:2]:
        for ink in ("ink", "quiet", "link", "good", "bad", "open"):
            assert min(contrast(mode[ink], mode[ground]) for ground in ("paper", "panel")) >= 4.5, ink
        assert contrast(mode["ink"], mode["mark"]) >= 4.5
