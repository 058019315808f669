"""Whether the arm under test moves the trait, and more than its controls do."""

import math
from collections.abc import Callable

from workbench.measure.paired import holm
from workbench.measure.resolution import least_pvalue
from workbench.outcome.finding import Claim, Number, Numbers, Verdict
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.study.plan import Plan

LEVEL = 0.05
FURTHER = 0.01
"""The level at which a control surely moves further, stricter as any of several can."""

Judge = Callable[[Results, str], tuple[Verdict, Numbers] | None]


def moving_claims(plan: Plan) -> list[Claim]:
    """One claim for each quantity of the trait; the target's is compared with the controls' too."""
    shown = ("dose-curves", "arms-at-equal-dose", "shifts", "equal_dose")
    claims = [_moves(plan.target, "shifts", f"{_subject(plan)} moves the trait", shown)]
    claims.append(
        Claim(
            "beats-controls",
            f"{_subject(plan)} moves the trait further than controls of equal strength",
            _beats_controls,
            _tell_controls,
            ("against-controls", "against_controls"),
            rests_on=plan.target.name,
        )
    )
    for outcome in plan.outcomes:
        for quantity in outcome.quantities:
            if quantity.role == "trait" and quantity.name != plan.target.name and not outcome.across:
                table = f"shifts_{quantity.name}"
                text = f"{_subject(plan)} moves the {quantity.label}"
                claims.append(_moves(quantity, table, text, (f"dose-{quantity.name}", table)))
    return claims


def _subject(plan: Plan) -> str:
    """What is under test, as a sentence begins with it."""
    name = plan.method.claimed_as or plan.method.name
    return name[:1].upper() + name[1:]


def _moves(quantity: Quantity, table: str, text: str, evidence: tuple[str, ...]) -> Claim:
    def judge(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
        """By the permutation test, for one trait corrected over the traits, and by the sign of the shift."""
        rows = results.tables.get(table)
        rows = None if rows is None else rows[(rows["arm"] == results.method) & (rows["direction"] == "both")]
        rows = None if rows is None else rows[rows["trait"] == trait]
        if rows is None or rows.empty:
            return None
        row = rows.iloc[0]
        verdict: Verdict = "undecided"
        if row["p_holm"] < 0.05:
            verdict = "supported" if row["shift"] > 0 else "refuted"
        shift = Number(
            float(row["shift"]),
            quantity.unit,
            float(row["low"]),
            float(row["high"]),
            float(row["p_holm"]),
            int(row["n"]),
        )
        unscored = Number(int(row["unscored"]), "rows", float(row["least"]), float(row["most"]))
        numbers = {"gamma": Number(results.gamma), "shift": shift, "unscored": unscored}
        return verdict, numbers | _costs_at(results, trait)

    def tell(numbers: Numbers, verdict: Verdict) -> str:
        shift, unscored = numbers["shift"], numbers["unscored"]
        costs = "; ".join(
            f"{each.of} {each.text(1)} {each.unit}" for name, each in numbers.items() if name.startswith("cost:")
        )
        return (
            f"At gamma {numbers['gamma'].value:g} the {quantity.label} moves {shift.text()} {shift.unit} in the "
            f"intended direction (p = {shift.p:.2g} by sign flips of clusters, n = {shift.n})"
            + (f". Changes of costs: {costs}" if costs else "")
            + (_tell_unscored(unscored) if unscored.value else "")
            + "."
        )

    return Claim(f"moves:{quantity.name}", text, judge, tell, evidence, rests_on=quantity.name)


def _tell_unscored(unscored: Number) -> str:
    """How the rows without a number were counted, and between what they leave the shift."""
    told = f". {unscored.value:.0f} rows could not be scored and count as not moved"
    if unscored.low is None or unscored.high is None or math.isnan(unscored.low):
        return told
    return f"{told}; whatever they would have said, the shift lies from {unscored.low:+.2f} to {unscored.high:+.2f}"


def _costs_at(results: Results, trait: str) -> dict[str, Number]:
    """The change of every cost at the chosen dose."""
    rows = results.tables["tradeoff"]
    rows = rows[(rows["arm"] == results.method) & (rows["trait"] == trait)]
    [row] = results.at_chosen_dose(rows).to_dict("records")
    numbers = {}
    for cost in results.costs:
        estimate, low, high = (float(row[f"{cost.change}{end}"]) for end in ("", "_low", "_high"))
        change = Number(estimate, cost.unit, low, high, of=cost.label)
        numbers[f"cost:{cost.name}"] = change.scaled(cost.scale, cost.change_unit)
    return numbers


def _beats_controls(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
    """Supported where every control is beaten, each at the level, so that no correction is needed; refuted where one
    surely moves further (Holm over the controls, at a stricter level). A random control is also ranked by its draws.
    """
    table = results.tables["against_controls"]
    rows = table[(table["trait"] == trait) & table["control"].isin(results.named("control"))]
    if rows.empty:
        return None
    drawn = rows["control"].map(lambda control: results.arms[str(control)].drawn)
    beaten = (rows["p"] < LEVEL) & (rows["difference"] > 0) & (~drawn | (rows["p_draws"] < LEVEL))
    further = (holm(rows["p"].to_numpy()) < FURTHER) & (rows["difference"] < 0) & (~drawn | (rows["p_below"] < LEVEL))
    verdict: Verdict = "supported" if beaten.all() else "refuted" if further.any() else "undecided"
    unit = results.target.unit
    numbers = {"gamma": Number(results.gamma)}
    for row, is_drawn, surely in zip(rows.to_dict("records"), drawn, beaten, strict=True):
        low, high, p = (float(row[name]) for name in ("low", "high", "p_draws" if is_drawn else "p"))
        name = row["control"]
        numbers[f"control:{name}"] = Number(float(row["difference"]), unit, low, high, p, int(row["n"]))
        if is_drawn:
            ends = (float(row["least_draw"]), float(row["greatest_draw"]))
            numbers[f"draws:{name}"] = Number(int(row["draws"]), "draws", *ends, p=least_pvalue(int(row["draws"])))
        if not surely:
            numbers[f"not-beaten:{name}"] = Number(p)
    return verdict, numbers


def _tell_controls(numbers: Numbers, verdict: Verdict) -> str:
    controls = {name.partition(":")[2]: each for name, each in numbers.items() if name.startswith("control:")}
    listed = []
    for name, each in controls.items():
        draws = numbers.get(f"draws:{name}")
        told = f"{name} {each.text()}"
        if draws is not None and draws.low is not None:
            told += f" ({draws.value:.0f} draws move it by {draws.low:+.2f} to {draws.high:+.2f}; p = {each.p:.2g})"
        listed.append(told)
    missing = [name.partition(":")[2] for name in numbers if name.startswith("not-beaten:")]
    few = [each for name, each in numbers.items() if name.startswith("draws:") and (each.p or 0) >= LEVEL]
    unit = next(iter(controls.values())).unit
    return (
        f"At gamma {numbers['gamma'].value:g} the shift exceeds each control's, paired by what was asked, in {unit}: "
        f"{'; '.join(listed)}."
        + (f" Not beaten at 5 %: {', '.join(missing)}." if missing else "")
        + (f" With {few[0].value:.0f} draws no p-value can be below {few[0].p:.2g}." if few else "")
    )
