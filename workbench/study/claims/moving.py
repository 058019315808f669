"""Whether the arm under test moves the trait, and more than its controls do."""

from collections.abc import Callable

from workbench.measure.paired import holm
from workbench.outcome.finding import Claim, Number, Numbers, Verdict
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.study.plan import Plan

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
        numbers = {"gamma": Number(results.gamma), "shift": shift, "unscored": Number(int(row["unscored"]), "rows")}
        return verdict, numbers | _costs_at(results, trait)

    def tell(numbers: Numbers, verdict: Verdict) -> str:
        shift, unscored = numbers["shift"], numbers["unscored"].value
        costs = "; ".join(
            f"{each.of} {each.text(1)} {each.unit}" for name, each in numbers.items() if name.startswith("cost:")
        )
        return (
            f"At gamma {numbers['gamma'].value:g} the {quantity.label} moves {shift.text()} {shift.unit} in the "
            f"intended direction (p = {shift.p:.2g} by sign flips of clusters, n = {shift.n})"
            + (f". Changes of costs: {costs}" if costs else "")
            + (f". {unscored:.0f} rows could not be scored" if unscored else "")
            + "."
        )

    return Claim(f"moves:{quantity.name}", text, judge, tell, evidence)


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
    """Every control must be beaten; one that does better refutes the claim. Holm over the controls."""
    table = results.tables["against_controls"]
    rows = table[(table["trait"] == trait) & table["control"].isin(results.named("control"))]
    if rows.empty:
        return None
    rows = rows.assign(p_all=holm(rows["p_holm"].to_numpy()))
    beaten = (rows["p_all"] < 0.05) & (rows["difference"] > 0)
    lost = (rows["p_all"] < 0.05) & (rows["difference"] < 0)
    verdict: Verdict = "supported" if beaten.all() else "refuted" if lost.any() else "undecided"
    unit = results.target.unit
    numbers = {"gamma": Number(results.gamma)}
    for row in rows.to_dict("records"):
        values = [float(row[name]) for name in ("low", "high", "p_all")]
        numbers[f"control:{row['control']}"] = Number(float(row["difference"]), unit, *values, n=int(row["n"]))
    return verdict, numbers


def _tell_controls(numbers: Numbers, verdict: Verdict) -> str:
    controls = {name.partition(":")[2]: each for name, each in numbers.items() if name.startswith("control:")}
    listed = "; ".join(f"{name} {each.text()}" for name, each in controls.items())
    missing = [name for name, each in controls.items() if not (each.p is not None and each.p < 0.05 and each.value > 0)]
    unit = next(iter(controls.values())).unit
    not_beaten = f" Not beaten at 5 % (Holm): {', '.join(missing)}." if missing else ""
    return (
        f"At gamma {numbers['gamma'].value:g} the shift exceeds each control's, paired by what was asked, in {unit}: "
        f"{listed}.{not_beaten}"
    )
