"""Whether the selection is more than chance, repeats itself, needs its criteria, and is the trait's own."""

from workbench.measure.overlap import SHARE_MARGIN
from workbench.measure.paired import holm
from workbench.measure.summarising import ALL
from workbench.outcome.finding import Claim, Number, Numbers, Verdict
from workbench.outcome.results import Results
from workbench.study.claims.costing import costs_less

MAGNITUDE_ONLY = "magnitude only"
"""The arm that edits neurons above tau_q whatever their d."""

LEVEL = 0.05
"""The chance of a wrong verdict that each claim accepts."""

STABLE = 0.5
"""The Jaccard, corrected for chance, from which two halves' selections count as the same."""


def selection_claims() -> list[Claim]:
    """What the tables on the selected neurons can judge."""
    return [
        Claim(
            "d-criterion-adds",
            "The effect-size criterion adds to the magnitude criterion",
            _d_adds,
            _tell_d,
            ("magnitude-against-d", "threshold-sweep", "selection"),
        ),
        Claim(
            "beyond-chance",
            "The selection is more than chance would select",
            _beyond_chance,
            _tell_chance,
            ("null-distribution", "null"),
        ),
        Claim(
            "stable",
            "Other descriptions would have chosen the same neurons",
            _stable,
            _tell_stable,
            ("stability",),
        ),
        Claim(
            "poles-exclusive",
            "A trait's poles use different neurons",
            _exclusive,
            _tell_exclusive,
            ("exclusivity",),
            of_method=False,
        ),
        Claim(
            "traits-own",
            "A trait's neurons are its own",
            _traits_own,
            _tell_own,
            ("trait-overlap", "trait_overlap"),
        ),
    ]


def _d_adds(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
    """Refuted where it removes no neuron, as the two selections are then the same; where it does, supported if neurons
    of both criteria cost less than those of magnitude alone at an equal shift, and refuted if they cost more.
    """
    rows = results.of("selection", trait)
    removed, large = int(rows["removed_by_d"].sum()), int(rows["above_threshold"].sum())
    passing = rows["above_min_d"].sum() / rows["neurons"].sum()
    against = costs_less(MAGNITUDE_ONLY)(results, trait) if removed and MAGNITUDE_ONLY in results.arms else None
    verdict: Verdict = "refuted" if not removed else "undecided" if against is None else against[0]
    return verdict, {
        "removed": Number(removed, "neurons", n=large),
        "passing": Number(float(passing), "share"),
        "min_d": Number(float(str(results.settings["min_d"]))),
        "quantile": Number(float(str(results.settings["quantile"]))),
    } | ({} if against is None else {"doses": against[1]["doses"]})


def _tell_d(numbers: Numbers, verdict: Verdict) -> str:
    removed = numbers["removed"]
    same = " The two selections are the same, so are the edits." if not removed.value else ""
    if "doses" in numbers:
        how = {"supported": "less than", "refuted": "more than", "undecided": "not surely less or more than"}[verdict]
        same = (
            f" At equal shift both criteria together cost {how} magnitude alone, judged at "
            f"{numbers['doses'].value:.0f} doses (Holm)."
        )
    return (
        f"|d| > {numbers['min_d'].value:g} removes {removed.value:.0f} of the {removed.n} neurons above tau_q (q = "
        f"{numbers['quantile'].value:g}); {numbers['passing'].value:.0%} of all neurons pass it.{same}"
    )


def _beyond_chance(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
    """Descriptions are what is shuffled: rows that share one are not independent.

    Supported where every trait's selection is surely larger than by chance, refuted where one's is surely smaller (Holm
    over traits). A rule that takes a fixed number of neurons decides nothing, nor do labels that can be dealt out in
    too few ways.
    """
    rows = results.of("null", trait)
    rows = rows[rows["shuffled"] == "description"]
    fixed, unreachable = rows["fixed"].astype(bool), rows["least_p"] > LEVEL
    passing = (rows["p"] <= LEVEL) & ~fixed
    # Descriptions that are matched in pairs differ more when they are dealt out singly: fewer is then no finding.
    matched = rows["matched"].astype(bool) if "matched" in rows else fixed & False
    fewer = (holm(rows["p_fewer"]) <= LEVEL) & ~fixed & ~matched
    verdict: Verdict = "supported" if passing.all() else "refuted" if fewer.any() else "undecided"
    return verdict, {
        "selected": Number(float(rows["selected"].mean()), "neurons"),
        "by_chance": Number(float(rows["by_chance"].mean()), "neurons"),
        "traits": Number(int(passing.sum()), "traits", n=len(rows)),
        "fixed": Number(int(fixed.sum()), "traits", n=len(rows)),
        "unreachable": Number(int((unreachable & ~fixed).sum()), "traits", n=len(rows)),
        "least_p": Number(float(rows["least_p"].max())),
        "matched": Number(int(matched.sum()), "traits", n=len(rows)),
        "family_wise": Number(float(rows["family_wise"].mean()), "neurons", n=int(rows["neurons"].mean())),
    }


def _tell_chance(numbers: Numbers, verdict: Verdict) -> str:
    traits, held = numbers["traits"], numbers["family_wise"]
    if numbers["fixed"].value == traits.n:
        said = (
            f"The rule takes a fixed number of neurons, {numbers['selected'].value:.0f} per trait, whatever the labels "
            "are, so that their number shows nothing."
        )
    else:
        said = (
            f"Per trait {numbers['selected'].value:.0f} neurons pass, where labels dealt out to descriptions anew let "
            f"{numbers['by_chance'].value:.1f} pass on average (p <= 0.05 for {traits.value:.0f} of {traits.n} traits)."
        )
    if numbers["unreachable"].value:
        said += (
            f" Of {numbers['unreachable'].value:.0f} traits no p could be below {numbers['least_p'].value:.2g}: their "
            "labels can be dealt out in too few ways, or too few were tried."
        )
    if numbers["matched"].value:
        said += (
            " Descriptions are matched in pairs, and vary more between the poles when dealt out singly: chance is "
            "overstated."
        )
    return (
        f"{said} Of {held.n:,} neurons {held.value:,.0f} differ between the poles with the family-wise error held over "
        "the whole model."
    )


def _stable(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
    """A selection of which half of the data would repeat less than half is called unstable.

    Supported where every trait's interval lies above, refuted where one's lies below, as wide as so many traits ask.
    """
    rows = results.of("stability", trait)
    rows = rows[(rows["unit"] == "description") & (rows["measure"] == "split-half Jaccard, corrected")]
    if rows.empty:
        return None
    least, most = (rows.sort_values("estimate").iloc[end] for end in (0, -1))
    verdict: Verdict = "undecided"
    if rows["low"].min() > STABLE:
        verdict = "supported"
    else:
        from scipy.stats import norm  # takes long to import

        error = (rows["high"] - rows["low"]).clip(lower=1e-9) / (2 * norm.ppf(0.975))
        below = norm.sf((STABLE - rows["estimate"]) / error)
        if ((rows["high"] < STABLE) & (holm(below) <= LEVEL / 2)).any():
            verdict = "refuted"
    return verdict, {
        name: Number(float(row["estimate"]), "Jaccard", float(row["low"]), float(row["high"]))
        for name, row in (("least", least), ("most", most))
    }


def _tell_stable(numbers: Numbers, verdict: Verdict) -> str:
    least, most = numbers["least"], numbers["most"]
    return (
        "Two random halves of the descriptions choose sets whose Jaccard, corrected for chance, is "
        f"{least.value:.2f} [{least.low:.2f}, {least.high:.2f}] to {most.value:.2f} [{most.low:.2f}, {most.high:.2f}] "
        "by trait (0: chance, 1: the same; supported where 95 % of the splits lie above 0.5, refuted where they lie "
        "below)."
    )


def _exclusive(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
    """Supported where every trait's poles are exclusive, refuted where one's surely are not (Holm over traits)."""
    rows = results.of("exclusivity", trait)
    total = rows[rows["layer"] == -1]
    verdict: Verdict = "undecided"
    if (total["p_exclusive"] < LEVEL).all():
        verdict = "supported"
    elif (holm(total["p_shared"]) < LEVEL).any():
        verdict = "refuted"
    numbers = {}
    for row in total.to_dict("records"):
        shared = {"unit": "neurons", "n": int(min(row["high"], row["low"])), "of": row["verdict"]}
        numbers[f"shared:{row['trait']}"] = Number(int(row["intersection"]), **shared)
        numbers[f"by_chance:{row['trait']}"] = Number(float(row["matched_expected"]), "neurons")
        numbers[f"correlation:{row['trait']}"] = Number(float(row["correlation_halves"]))
    return verdict, numbers


def _tell_exclusive(numbers: Numbers, verdict: Verdict) -> str:
    traits = [name.partition(":")[2] for name in numbers if name.startswith("shared:")]
    listed = ", ".join(
        f"{trait} {numbers[f'shared:{trait}'].of} ({numbers[f'shared:{trait}'].value:.0f} of "
        f"{numbers[f'shared:{trait}'].n} shared, {numbers[f'by_chance:{trait}'].value:.0f} by chance, correlation "
        f"{numbers[f'correlation:{trait}'].value:+.2f})"
        for trait in traits
    )
    return (
        "High and Low of one contrast are disjoint by construction, so their zero overlap is no evidence. Against a "
        f"neutral arm, where they could overlap: {listed}."
    )


def _traits_own(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
    """Chance is that of neurons of like scale. Refuted where two traits surely share more than the margin beyond it.

    Supported where every pair surely shares less than the margin, which needs no correction: all must pass.
    """
    overlap = results.tables["trait_overlap"]
    if trait != ALL:
        overlap = overlap[(overlap["trait_a"] == trait) | (overlap["trait_b"] == trait)]
    pairs = overlap[overlap["trait_a"] != overlap["trait_b"]]
    if pairs.empty:
        return "undecided", {"sharing": Number(0, "pairs", n=0)}
    beyond = pairs["p_beyond_margin_holm"] < LEVEL
    verdict: Verdict = "undecided"
    if beyond.any():
        verdict = "refuted"
    elif (pairs["p_within_margin"] < LEVEL).all():
        verdict = "supported"
    smaller = pairs[["size_a", "size_b"]].min(axis=1)
    excess = (pairs["intersection"] - pairs["matched_expected"]) / smaller.clip(lower=1)
    most = pairs.assign(smaller=smaller, excess=excess).nlargest(1, "excess").iloc[0]
    pair = f"{most['trait_a']} {most['pole_a']} and {most['trait_b']} {most['pole_b']}"
    return verdict, {
        "sharing": Number(int((pairs["p_matched_holm"] < LEVEL).sum()), "pairs", n=len(pairs)),
        "beyond": Number(int(beyond.sum()), "pairs", n=len(pairs)),
        "margin": Number(SHARE_MARGIN, "share"),
        "most": Number(int(most["intersection"]), "neurons", n=int(most["smaller"]), of=pair),
        "by_chance": Number(float(most["matched_expected"]), "neurons"),
        "jaccard": Number(float(most["jaccard"]), "Jaccard"),
    }


def _tell_own(numbers: Numbers, verdict: Verdict) -> str:
    sharing = numbers["sharing"]
    if not sharing.n:
        return "One trait alone was studied."
    most, margin = numbers["most"], numbers["margin"].value
    said = {
        "refuted": f"{numbers['beyond'].value:.0f} surely by more than {margin:.0%} of the smaller set",
        "supported": f"every pair surely by less than {margin:.0%} of the smaller set",
        "undecided": f"none surely by more than {margin:.0%} of the smaller set, nor all surely by less",
    }[verdict]
    return (
        f"Of {sharing.n} pairs of different traits' poles {sharing.value:.0f} share more neurons than chance among "
        f"neurons of like scale (Holm, 5 %), {said}. The most, {most.of}, share {most.value:.0f} of {most.n}, where "
        f"{numbers['by_chance'].value:.1f} would by chance (Jaccard {numbers['jaccard'].value:.2f})."
    )
