"""Whether a capability is kept, by paired tests item by item."""

from collections.abc import Callable

from workbench.measure.summarising import ALL
from workbench.outcome.finding import Number, Numbers, Verdict
from workbench.outcome.quantity import SHARE
from workbench.outcome.results import Results

Judge = Callable[[Results, str], tuple[Verdict, Numbers] | None]


def kept(table: str, margin: float) -> Judge:
    """Judges whether as many items are right as before, to within a margin, from a table of paired tests.

    Both bounds are one-sided: kept where the lower one lies above -margin, lost where the upper one lies below.
    """

    def judge(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
        tests = results.tables.get(table)
        if tests is None:
            return None
        [row] = tests[(tests["arm"] == results.method) & (tests["trait"] == trait) & (tests["task"] == ALL)].to_dict(
            "records"
        )
        verdict: Verdict = "undecided"
        if row["non_inferior"]:
            verdict = "supported"
        elif row["inferior"]:
            verdict = "refuted"
        share = Number(float(row["change"]), SHARE, float(row["low"]), float(row["high"]), row["mcnemar_p"], row["n"])
        return verdict, {
            "gamma": Number(results.gamma),
            "items": Number(int(row["items"]), "items"),
            "change": share.scaled(100, "percentage points"),
            "bound": Number(100 * float(row["lower"]), "percentage points"),
            "detectable": Number(100 * float(row["detectable"]), "percentage points"),
        }

    return judge


def tell_kept(numbers: Numbers, verdict: Verdict) -> str:
    """The change with its bound, and the smallest loss that would show."""
    return _tell(numbers, "exact match", "answers to", "items")


def tell_pairs_kept(numbers: Numbers, verdict: Verdict) -> str:
    """As `tell_kept`, of minimal pairs."""
    return _tell(numbers, "the share of pairs told apart", "comparisons of", "pairs")


def _tell(numbers: Numbers, what: str, rows: str, items: str) -> str:
    change = numbers["change"]
    return (
        f"At gamma {numbers['gamma'].value:g} {what} changes by {change.text(1)} percentage points over "
        f"{change.n} {rows} {numbers['items'].value:.0f} {items} (McNemar p = {change.p:.2g}); a loss of up to "
        f"{max(0.0, -numbers['bound'].value):.1f} cannot be excluded (one-sided, 95 %), and the smallest loss that so "
        f"many would show is {numbers['detectable'].value:.1f}."
    )
