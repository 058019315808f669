"""What a study's data say about DPN-LE's claims, over all traits and for each, also where it is against them."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from workbench.measure.paired import holm
from workbench.study.config import CONTROLS, StudyConfig

ALL = "all"
_REACHED = 0.9  # share of resamples in which an arm must reach a shift for its cost there to be judged

FORM = {"grammar": "well-formed sentences", "judge": "rated fluency (of its range)"}
"""What `wellformed` is, by scorer."""

Verdict = Literal["supported", "refuted", "undecided"]


@dataclass(frozen=True)
class Finding:
    """A claim, whether the data support it, and the numbers that say so.

    Attributes:
        trait: for which trait; `all` for all together.
    """

    claim: str
    verdict: Verdict
    text: str
    trait: str = ALL


def findings(
    tables: dict[str, pd.DataFrame], *, gamma: float, twins: dict[str, str], config: StudyConfig
) -> list[Finding]:
    """Every claim that the study's outcomes can test, in the order of the method: overall, then for each trait."""
    said: list[Finding] = []
    for trait in (ALL, *config.traits):
        said += [Finding(f.claim, f.verdict, f.text, trait) for f in _of_trait(tables, trait, gamma, twins, config)]
    return said


def _of_trait(
    tables: dict[str, pd.DataFrame], trait: str, gamma: float, twins: dict[str, str], config: StudyConfig
) -> list[Finding]:
    def own(name: str) -> pd.DataFrame:
        """A table's rows on the trait; all of them, where all traits are asked about."""
        table = tables[name]
        return table if trait == ALL else table[table["trait"] == trait]

    shifts, tradeoff = tables["shifts"], tables["tradeoff"]
    form = FORM[config.scorer]
    said = [_steers(shifts[shifts["trait"] == trait], tradeoff[tradeoff["trait"] == trait], gamma, config.scorer)]
    against = tables["against_controls"]
    against = against[(against["trait"] == trait) & against["control"].isin(CONTROLS)]
    if len(against):
        said.append(_beats_controls(against, gamma))
    costs = tables["equal_shift_by_dose"] if trait == ALL else own("equal_shift_by_trait")
    for arm, claim in (
        ("broad", "At an equal trait shift, editing few neurons costs less than editing all of them"),
        ("residual", "At an equal trait shift, editing neurons costs less than a residual-stream shift"),
    ):
        if arm in set(costs["arm"]):
            said.append(_costs_less(claim, arm, costs[costs["arm"] == arm], gamma, form=form))
    if trait == ALL:
        said += [
            _moves_further(claim, arm, tables["equal_loss"], form=form)
            for arm, claim in (
                ("broad", "At an equal loss, editing few neurons moves a trait further than editing all of them"),
                ("residual", "At an equal loss, editing neurons moves a trait further than a residual-stream shift"),
            )
            if arm in set(tables["equal_loss"]["arm"])
        ]
    tests = tables["capability_tests"]
    said.append(_keeps_capability(tests[(tests["arm"] == "DPN-LE") & (tests["trait"] == trait)], gamma, config))
    if "specificity" in tables:
        said.append(_specific(tables["specificity"], trait, gamma))
    if "patching_verdict" in tables:
        said.append(_causes(own("patching_verdict"), tables["patching"], trait))
    if trait == ALL:
        said.append(_dual_matters(own("selection"), twins, config))
    else:
        said.append(_dual_matters(own("selection"), {}, config))
    said += [_beyond_chance(own("null")), _stable(own("stability")), _exclusive(own("exclusivity"))]
    overlap = tables["trait_overlap"]
    if trait != ALL:
        overlap = overlap[(overlap["trait_a"] == trait) | (overlap["trait_b"] == trait)]
    said.append(_own_neurons(overlap))
    return said


def _beyond_chance(null: pd.DataFrame) -> Finding:
    """Descriptions are what is shuffled: rows that share one are not independent."""
    rows = null[null["shuffled"] == "description"]
    passing = int((rows["p"] < 0.05).sum())
    verdict: Verdict = "supported" if passing == len(rows) else "refuted" if passing == 0 else "undecided"
    return Finding(
        "The selection is more than chance would select",
        verdict,
        f"Per trait {rows['selected'].mean():.0f} neurons pass, where labels dealt out to descriptions anew let "
        f"{rows['by_chance'].mean():.1f} pass on average (p < 0.05 for {passing} of {len(rows)} traits). Of "
        f"{rows['neurons'].mean():,.0f} neurons {rows['family_wise'].mean():,.0f} differ between the poles with the "
        "family-wise error held over the whole model.",
    )


def _stable(stability: pd.DataFrame) -> Finding:
    """A selection that half of the data would repeat to less than half is called unstable."""
    rows = stability[(stability["unit"] == "description") & (stability["measure"] == "split-half Jaccard, corrected")]
    least, most = rows["estimate"].min(), rows["estimate"].max()
    verdict: Verdict = "supported" if rows["low"].min() > 0.5 else "refuted" if most < 0.5 else "undecided"
    return Finding(
        "Other descriptions would have chosen the same neurons",
        verdict,
        f"Two random halves of the descriptions choose sets whose Jaccard, corrected for chance, is {least:.2f} to "
        f"{most:.2f} by trait (0: chance, 1: the same; supported where 95 % of the splits lie above 0.5).",
    )


def _exclusive(table: pd.DataFrame) -> Finding:
    total = table[table["layer"] == -1]
    counts = total["verdict"].value_counts()
    verdict: Verdict = "undecided"
    if counts.get("exclusive", 0) == len(total):
        verdict = "supported"
    elif counts.get("shared", 0) > 0:
        verdict = "refuted"
    told = ", ".join(
        f"{row['trait']} {row['verdict']} ({row['intersection']} of {min(row['high'], row['low'])} shared, "
        f"{row['matched_expected']:.0f} by chance, correlation {row['correlation_halves']:+.2f})"
        for row in total.to_dict("records")
    )
    return Finding(
        "A trait's poles use different neurons",
        verdict,
        "High and Low of one contrast are disjoint by construction, so their zero overlap is no evidence. Against a "
        f"neutral arm, where they could overlap: {told}.",
    )


def _own_neurons(overlap: pd.DataFrame) -> Finding:
    pairs = overlap[overlap["trait_a"] != overlap["trait_b"]]
    if pairs.empty:
        return Finding("A trait's neurons are its own", "undecided", "One trait alone was studied.")
    sharing = pairs[pairs["p_enrichment_holm"] < 0.05]
    verdict: Verdict = "refuted" if len(sharing) else "undecided"
    most = pairs.nlargest(1, "jaccard").iloc[0]
    return Finding(
        "A trait's neurons are its own",
        verdict,
        f"Of {len(pairs)} pairs of different traits' poles {len(sharing)} share more neurons than chance (Holm, 5 "
        f"%); the most, {most['trait_a']} {most['pole_a']} and {most['trait_b']} {most['pole_b']}, share "
        f"{most['intersection']} (Jaccard {most['jaccard']:.2f}).",
    )


def _row(table: pd.DataFrame) -> dict[str, Any]:
    [row] = table.to_dict("records")
    return {str(name): value for name, value in row.items()}


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _points(row: dict[str, Any], name: str) -> str:
    """A shift in points with its interval."""
    return f"{row[name]:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"


def _percent(row: dict[str, Any], name: str) -> str:
    """A share's change in percentage points, with its interval."""
    estimate, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{estimate:+.1f} [{low:+.1f}, {high:+.1f}]"


def _steers(shifts: pd.DataFrame, tradeoff: pd.DataFrame, gamma: float, scorer: str) -> Finding:
    """Judged by the permutation test, for a trait corrected over the traits, and by the sign of the shift."""
    row = _row(shifts[(shifts["arm"] == "DPN-LE") & (shifts["direction"] == "both")])
    costs = _row(tradeoff[(tradeoff["arm"] == "DPN-LE") & (tradeoff["gamma"] == gamma)])
    verdict: Verdict = "undecided"
    if row["p_holm"] < 0.05:
        verdict = "supported" if row["shift"] > 0 else "refuted"
    unscored = f"; answers that could not be scored: {row['unscored']}" if row["unscored"] else ""
    formed = f"{costs['wellformed']:.0%} of their sentences are well-formed"
    if scorer == "judge":
        formed = f"their fluency is rated {1 + 4 * costs['wellformed']:.2f} of 5"
    return Finding(
        "The selected neurons move the trait",
        verdict,
        f"At gamma {gamma:g} held-out answers move {_points(row, 'shift')} points of 4 in the intended direction (p = "
        f"{row['p_holm']:.2g} by sign flips of questions); {formed}, and exact match changes by "
        f"{_percent(costs, 'capability_change')} percentage points{unscored}.",
    )


def _beats_controls(against: pd.DataFrame, gamma: float) -> Finding:
    """Every control must be beaten; one that does better refutes the claim. Holm over the controls."""
    rows = against.assign(p_all=holm(against["p_holm"].to_numpy()))
    beaten = (rows["p_all"] < 0.05) & (rows["difference"] > 0)
    lost = (rows["p_all"] < 0.05) & (rows["difference"] < 0)
    verdict: Verdict = "supported" if beaten.all() else "refuted" if lost.any() else "undecided"
    told = "; ".join(f"{row['control']} {_points(row, 'difference')}" for row in _rows(rows))
    missing = rows.loc[~beaten, "control"].tolist()
    open_ones = f" Not beaten at 5 % (Holm): {', '.join(missing)}." if missing else ""
    return Finding(
        "They do so better than controls of equal strength",
        verdict,
        f"At gamma {gamma:g} the shift exceeds the control's, paired by question, by {told} points.{open_ones}",
    )


def _costs_less(claim: str, arm: str, costs: pd.DataFrame, gamma: float, *, form: str = FORM["grammar"]) -> Finding:
    """Judged at every dose of DPN-LE whose shift the other arm reaches, with Holm over doses and costs."""
    reached = costs[costs["gamma"].notna() & (costs["reached"] >= _REACHED)].sort_values("shift")
    reached = reached[reached["shift"] > 0]
    if reached.empty:
        return Finding(
            claim,
            "undecided",
            f"The {arm} arm never moves the traits as far as DPN-LE at any dose tried, so no equal shift exists.",
        )
    kept = reached[["wellformed_against", "capability_against"]].to_numpy(float)
    p = reached[["wellformed_against_p", "capability_against_p"]].to_numpy(float)
    adjusted = np.reshape(holm(np.nan_to_num(p, nan=1.0).ravel()), p.shape)
    # A positive difference means that the other arm keeps more, which speaks against DPN-LE.
    better, worse = ((adjusted < 0.05) & (kept < 0)).any(), ((adjusted < 0.05) & (kept > 0)).any()
    verdict: Verdict = "undecided"
    if better != worse:
        verdict = "supported" if better else "refuted"
    clearest = reached.iloc[[int(np.argmin(adjusted.min(axis=1)))]]
    told = pd.concat([reached[reached["dpn_gamma"] == gamma], clearest]).drop_duplicates("dpn_gamma")
    at = [
        f"at a shift of {row['shift']:+.2f} (DPN-LE at gamma {row['dpn_gamma']:g}, {arm} at {row['gamma']:.2f}) "
        f"{form} {_percent(row, 'wellformed_against')}, capability {_percent(row, 'capability_against')}"
        for row in _rows(told)
    ]
    return Finding(
        claim,
        verdict,
        f"The {arm} arm keeps, against DPN-LE, in percentage points: {'; '.join(at)}. Positive speaks against DPN-LE; "
        f"judged at {len(reached)} {'dose' if len(reached) == 1 else 'doses'} and both costs, least p "
        f"{adjusted.min():.2g} after Holm.",
    )


def _moves_further(claim: str, arm: str, losses: pd.DataFrame, *, form: str = FORM["grammar"]) -> Finding:
    """Judged at every loss of either kind that both arms come to, with Holm over them."""
    keys = ["cost", "loss"]
    surely = losses[losses["reached"] & (losses["reached_share"] >= _REACHED)]
    both = surely[surely["arm"] == arm].merge(surely.loc[surely["arm"] == "DPN-LE", keys], on=keys)
    if both.empty:
        return Finding(claim, "undecided", f"DPN-LE and the {arm} arm come to no common loss at the doses tried.")
    adjusted = holm(both["against_p"].to_numpy(float))
    ahead = both["against"].to_numpy(float)
    better, worse = ((adjusted < 0.05) & (ahead < 0)).any(), ((adjusted < 0.05) & (ahead > 0)).any()
    verdict: Verdict = "undecided"
    if better != worse:
        verdict = "supported" if better else "refuted"
    row = _rows(both)[int(np.argmin(adjusted))]
    what = {"wellformed": form, "capability": "capability"}[row["cost"]]
    return Finding(
        claim,
        verdict,
        f"Where both have cost {100 * row['loss']:g} percentage points of {what}, {arm} (gamma {row['gamma']:.2f}) has "
        f"moved the traits by {row['shift']:+.2f}, {row['against']:+.2f} [{row['against_low']:+.2f}, "
        f"{row['against_high']:+.2f}] more than DPN-LE; judged at {len(both)} losses, least p "
        f"{adjusted.min():.2g} after Holm.",
    )


def _keeps_capability(tests: pd.DataFrame, gamma: float, config: StudyConfig) -> Finding:
    claim = f"Capability is kept to within {100 * config.margin:g} percentage points"
    row = _row(tests[tests["task"] == ALL])
    verdict: Verdict = "undecided"
    if row["non_inferior"]:
        verdict = "supported"
    elif row["high"] < -config.margin:
        verdict = "refuted"
    return Finding(
        claim,
        verdict,
        f"At gamma {gamma:g} exact match changes by {100 * row['change']:+.1f} [{100 * row['low']:+.1f}, "
        f"{100 * row['high']:+.1f}] percentage points over {row['n']} items (one-sided bound "
        f"{100 * row['lower']:+.1f}; McNemar p = {row['mcnemar_p']:.2g}); the smallest loss that so many items would "
        f"show is {100 * row['detectable']:.1f}.",
    )


def _specific(table: pd.DataFrame, trait: str, gamma: float) -> Finding:
    """Refuted by an unedited trait that moves beyond half of the edited one's shift, or by any that moves surely."""
    claim = "The edit leaves the other traits alone"
    rows = table[table["arm"] == "DPN-LE"]
    rows = rows if trait == ALL else rows[rows["edited"] == trait]
    own, off = rows[rows["edited"] == rows["measured"]], rows[rows["edited"] != rows["measured"]]
    moved = off[off["p_holm"] < 0.05]
    shift = own["shift"].abs().mean()
    within = (off[["low", "high"]].abs().max(axis=1) < shift / 2).all()
    verdict: Verdict = "refuted" if len(moved) else "supported" if within else "undecided"
    most = _rows(off.assign(size=off["shift"].abs()).nlargest(1, "size"))[0]
    return Finding(
        claim,
        verdict,
        f"At gamma {gamma:g} the edited trait moves {shift:.2f} points on average, the others "
        f"{off['shift'].abs().mean():.2f}; {len(moved)} of {len(off)} pairs of edited and measured trait move surely "
        f"(Holm, 5 %), the most {most['measured']} by {most['shift']:+.2f} [{most['low']:+.2f}, {most['high']:+.2f}] "
        f"where {most['edited']} is {most['direction'].removesuffix('e')}ed (positive: the same way).",
    )


def _causes(verdicts: pd.DataFrame, patching: pd.DataFrame, trait: str) -> Finding:
    told = verdicts["verdict"].value_counts()
    verdict: Verdict = "undecided"
    if told.get("causes", 0) == len(verdicts):
        verdict = "supported"
    elif told.get("does not cause", 0) > 0:
        verdict = "refuted"
    joint = patching[(patching["mode"] == "joint") & ((trait == ALL) | (patching["trait"] == trait))]
    means = joint.groupby("set", sort=False)["effect"].mean()
    text = ", ".join(f"{name} {value:.0%}" for name, value in means.items())
    ways = "; ".join(f"{row['direction']}: {row['text']}" for row in _rows(verdicts)) if trait != ALL else ""
    return Finding(
        "The selected neurons carry the persona's effect on the next token",
        verdict,
        f"With a set's activations taken from the other pole's prompt, the logits move this share of the way: {text}. "
        + (
            ways
            or f"Selected neurons cause more than their matched controls in {told.get('causes', 0)} of "
            f"{len(verdicts)} traits and directions."
        ),
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
    return Finding(claim, "undecided", text)
