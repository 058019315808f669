"""Whether the selection is more than chance, repeats itself, needs its criteria, and is the trait's own."""

from workbench.measure.summarising import ALL
from workbench.outcome.finding import Claim, Number, Numbers, Verdict
from workbench.outcome.results import Results
from workbench.study.claims.costing import costs_less

MAGNITUDE_ONLY = "magnitude only"
"""The arm that edits neurons above tau_q whatever their d."""


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
    """Descriptions are what is shuffled: rows that share one are not independent."""
    rows = results.of("null", trait)
    rows = rows[rows["shuffled"] == "description"]
    passing = int((rows["p"] < 0.05).sum())
    verdict: Verdict = "supported" if passing == len(rows) else "refuted" if passing == 0 else "undecided"
    return verdict, {
        "selected": Number(float(rows["selected"].mean()), "neurons"),
        "by_chance": Number(float(rows["by_chance"].mean()), "neurons"),
        "traits": Number(passing, "traits", n=len(rows)),
        "family_wise": Number(float(rows["family_wise"].mean()), "neurons", n=int(rows["neurons"].mean())),
    }


def _tell_chance(numbers: Numbers, verdict: Verdict) -> str:
    traits, held = numbers["traits"], numbers["family_wise"]
    return (
        f"Per trait {numbers['selected'].value:.0f} neurons pass, where labels dealt out to descriptions anew let "
        f"{numbers['by_chance'].value:.1f} pass on average (p < 0.05 for {traits.value:.0f} of {traits.n} traits). Of "
        f"{held.n:,} neurons {held.value:,.0f} differ between the poles with the family-wise error held over the whole "
        "model."
    )


def _stable(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
    """A selection of which half of the data would repeat less than half is called unstable."""
    rows = results.of("stability", trait)
    rows = rows[(rows["unit"] == "description") & (rows["measure"] == "split-half Jaccard, corrected")]
    least, most = float(rows["estimate"].min()), float(rows["estimate"].max())
    verdict: Verdict = "supported" if rows["low"].min() > 0.5 else "refuted" if most < 0.5 else "undecided"
    return verdict, {"least": Number(least, "Jaccard"), "most": Number(most, "Jaccard")}


def _tell_stable(numbers: Numbers, verdict: Verdict) -> str:
    return (
        "Two random halves of the descriptions choose sets whose Jaccard, corrected for chance, is "
        f"{numbers['least'].value:.2f} to {numbers['most'].value:.2f} by trait (0: chance, 1: the same; supported "
        "where 95 % of the splits lie above 0.5)."
    )


def _exclusive(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
    rows = results.of("exclusivity", trait)
    total = rows[rows["layer"] == -1]
    counts = total["verdict"].value_counts()
    verdict: Verdict = "undecided"
    if counts.get("exclusive", 0) == len(total):
        verdict = "supported"
    elif counts.get("shared", 0) > 0:
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
    overlap = results.tables["trait_overlap"]
    if trait != ALL:
        overlap = overlap[(overlap["trait_a"] == trait) | (overlap["trait_b"] == trait)]
    pairs = overlap[overlap["trait_a"] != overlap["trait_b"]]
    if pairs.empty:
        return "undecided", {"sharing": Number(0, "pairs", n=0)}
    sharing = pairs[pairs["p_enrichment_holm"] < 0.05]
    most = pairs.nlargest(1, "jaccard").iloc[0]
    pair = f"{most['trait_a']} {most['pole_a']} and {most['trait_b']} {most['pole_b']}"
    return "refuted" if len(sharing) else "undecided", {
        "sharing": Number(len(sharing), "pairs", n=len(pairs)),
        "most": Number(int(most["intersection"]), "neurons", of=pair),
        "jaccard": Number(float(most["jaccard"]), "Jaccard"),
    }


def _tell_own(numbers: Numbers, verdict: Verdict) -> str:
    sharing = numbers["sharing"]
    if not sharing.n:
        return "One trait alone was studied."
    most = numbers["most"]
    return (
        f"Of {sharing.n} pairs of different traits' poles {sharing.value:.0f} share more neurons than chance (Holm, "
        f"5 %); the most, {most.of}, share {most.value:.0f} (Jaccard {numbers['jaccard'].value:.2f})."
    )
