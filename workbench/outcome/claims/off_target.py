"""Whether an edit leaves the other traits alone."""

from workbench.measure.summarising import ALL
from workbench.outcome.finding import Number, Numbers, Verdict
from workbench.outcome.results import Results


def leaves_others(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
    """Refuted by another trait that surely moves; supported where all stay within half of the edited one's shift."""
    if "specificity" not in results.tables:
        return None
    rows = results.tables["specificity"]
    rows = rows[rows["arm"] == results.method]
    rows = rows if trait == ALL else rows[rows["edited"] == trait]
    edited, others = rows[rows["edited"] == rows["measured"]], rows[rows["edited"] != rows["measured"]]
    moved = others[others["p_holm"] < 0.05]
    shift = edited["shift"].abs().mean()
    within = (others[["low", "high"]].abs().max(axis=1) < shift / 2).all()
    verdict: Verdict = "refuted" if len(moved) else "supported" if within else "undecided"
    largest = others.iloc[int(others["shift"].abs().fillna(-1.0).argmax())]
    way = str(largest["direction"]).removesuffix("e")
    return verdict, {
        "gamma": Number(results.gamma),
        "edited": Number(float(shift), "points"),
        "others": Number(float(others["shift"].abs().mean()), "points"),
        "moved": Number(len(moved), "pairs", n=len(others)),
        "largest": Number(
            float(largest["shift"]),
            "points",
            float(largest["low"]),
            float(largest["high"]),
            of=f"{largest['measured']} where {largest['edited']} is {way}ed",
        ),
    }


def tell_others(numbers: Numbers, verdict: Verdict) -> str:
    """How far the edited trait and the others move, and which moves most."""
    largest, moved = numbers["largest"], numbers["moved"]
    return (
        f"At gamma {numbers['gamma'].value:g} the edited trait moves {numbers['edited'].value:.2f} points on average, "
        f"the others {numbers['others'].value:.2f}; {moved.value:.0f} of {moved.n} pairs of edited and measured trait "
        f"move surely (Holm, 5 %). The largest change is {largest.text()}, of {largest.of} (positive: the same way)."
    )
