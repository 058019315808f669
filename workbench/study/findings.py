"""What a study's data say about DPN-LE's claims, also where it is against them."""

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from workbench.study.config import StudyConfig

_REACHED = 0.9  # share of resamples in which an arm must reach a shift for its cost there to be judged

Verdict = Literal["supported", "refuted", "unclear"]


@dataclass(frozen=True)
class Finding:
    """A claim, whether the data support it, and the numbers that say so."""

    claim: str
    verdict: Verdict
    text: str


def findings(
    tables: dict[str, pd.DataFrame], *, gamma: float, twins: dict[str, str], config: StudyConfig
) -> list[Finding]:
    """Every claim that the study's arms can test, in the order of the method."""
    said = [_steers(tables["equal_dose"], gamma)]
    if "against_random" in tables:
        said.append(_beats_random(tables["against_random"], gamma))
    costs = tables["equal_shift_by_dose"]
    for arm, claim in (
        ("broad", "At an equal trait shift, editing few neurons costs less than editing all of them"),
        ("residual", "At an equal trait shift, editing neurons costs less than a residual-stream shift"),
    ):
        if arm in set(costs["arm"]):
            said.append(_costs_less(claim, arm, costs[costs["arm"] == arm], gamma))
    said.append(_dual_matters(tables["selection"], twins, config))
    said.append(
        Finding(
            "High and Low neurons do not overlap",
            "unclear",
            "They cannot: both follow the sign of one mean difference, so they are disjoint by construction and "
            "zero overlap is no evidence. A neutral arm is needed to test exclusivity.",
        )
    )
    return said


def _row(table: pd.DataFrame) -> dict[str, Any]:
    [row] = table.to_dict("records")
    return {str(name): value for name, value in row.items()}


def _points(row: dict[str, Any], name: str) -> str:
    """A trait shift with its interval."""
    return f"{row[name]:+.2f} [{row[f'{name}_low']:+.2f}, {row[f'{name}_high']:+.2f}]"


def _percent(row: dict[str, Any], name: str) -> str:
    """A share's change in percentage points, with its interval."""
    estimate, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{estimate:+.1f} [{low:+.1f}, {high:+.1f}]"


def _steers(equal_dose: pd.DataFrame, gamma: float) -> Finding:
    row = _row(equal_dose[equal_dose["arm"] == "DPN-LE"])
    if row["shift_low"] > 0:
        verdict: Verdict = "supported"
    else:
        verdict = "refuted" if row["shift_high"] < 0 else "unclear"
    return Finding(
        "The selected neurons move the trait",
        verdict,
        f"At gamma {gamma:g} held-out answers move {_points(row, 'shift')} points of 4 in the intended direction; "
        f"{row['wellformed']:.0%} of their sentences are well-formed, and exact match changes by "
        f"{_percent(row, 'capability_change')} percentage points.",
    )


def _beats_random(against: pd.DataFrame, gamma: float) -> Finding:
    row = _row(against[(against["arm"] == "DPN-LE") & (against["trait"] == "all")])
    if row["low"] > 0:
        verdict: Verdict = "supported"
    else:
        verdict = "refuted" if row["high"] < 0 else "unclear"
    return Finding(
        "They do so better than random neurons, equal in number and norm",
        verdict,
        f"At gamma {gamma:g} the shift is {row['difference']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}] points "
        "beyond the random control's, paired by question.",
    )


def _costs_less(claim: str, arm: str, costs: pd.DataFrame, gamma: float) -> Finding:
    """Judged at every dose of DPN-LE whose shift the other arm reaches; told at the chosen one and the clearest."""
    reached = costs[costs["gamma"].notna() & (costs["reached"] >= _REACHED)].sort_values("shift")
    if reached.empty:
        return Finding(
            claim,
            "unclear",
            f"The {arm} arm never moves the traits as far as DPN-LE at any dose tried, so no equal shift exists.",
        )
    # A positive difference means that the other arm keeps more, which speaks against DPN-LE.
    better = bool((reached[["wellformed_against_high", "capability_against_high"]] < 0).to_numpy().any())
    worse = bool((reached[["wellformed_against_low", "capability_against_low"]] > 0).to_numpy().any())
    verdict: Verdict = "unclear"
    if better != worse:
        verdict = "supported" if better else "refuted"
    clearest = {"refuted": reached.nlargest(1, "wellformed_against_low"), "unclear": reached.tail(1)}
    clearest["supported"] = reached.nsmallest(1, "wellformed_against_high")
    told = pd.concat([reached[reached["dpn_gamma"] == gamma], clearest[verdict]]).drop_duplicates("dpn_gamma")
    at = [
        f"at a shift of {row['shift']:+.2f} (DPN-LE at gamma {row['dpn_gamma']:g}, {arm} at {row['gamma']:.2f}) "
        f"well-formed sentences {_percent(row, 'wellformed_against')}, capability {_percent(row, 'capability_against')}"
        for row in ({str(name): value for name, value in each.items()} for each in told.to_dict("records"))
    ]
    return Finding(
        claim,
        verdict,
        f"The {arm} arm keeps, against DPN-LE, in percentage points: {'; '.join(at)}. Positive speaks against DPN-LE; "
        f"judged at {len(reached)} doses, intervals not corrected for their number.",
    )


def _dual_matters(selection: pd.DataFrame, twins: dict[str, str], config: StudyConfig) -> Finding:
    claim = "The effect-size criterion adds to the magnitude criterion"
    removed, large = int(selection["removed_by_d"].sum()), int(selection["above_threshold"].sum())
    passing = selection["above_min_d"].sum() / selection["neurons"].sum()
    text = (
        f"|d| > {config.min_d:g} removes {removed} of the {large} neurons above tau_q (q = {config.quantile:g}); "
        f"{passing:.0%} of all neurons pass it."
    )
    if twins.get("magnitude only") == "DPN-LE" or removed == 0:
        return Finding(claim, "refuted", f"{text} The two selections are the same, so are the edits.")
    return Finding(claim, "unclear", text)
