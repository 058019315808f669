"""Whether the arm under test costs less than rivals at equal shift, moves further at equal loss, and keeps a cost."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from workbench.arm.spec import ArmSpec
from workbench.measure.paired import holm
from workbench.measure.summarising import ALL
from workbench.outcome.finding import Claim, Number, Numbers, Verdict
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.study.plan import Plan

REACHED = 0.9
"""The share of resamples in which an arm must reach a shift or a loss for it to be judged there."""

Judge = Callable[[Results, str], tuple[Verdict, Numbers] | None]


def cost_claims(plan: Plan) -> list[Claim]:
    """At equal shift and at equal loss against each arm that claims name; and that each cost with a margin is kept."""
    subject = plan.method.claimed_as or plan.method.name
    rivals = [arm for arm in plan.arms if arm.claimed_as and arm.role == "rival"] if plan.costs else []
    curves = [f"trait-against-{cost.name}" for cost in plan.costs]
    claims = []
    for arm in rivals:
        text = f"At an equal trait shift, {subject} costs less than {arm.claimed_as}"
        evidence = (*curves, "cost-by-breadth", "equal_shift", "equal_shift_by_dose")
        told = (text, costs_less(arm.name), _tell_costs(arm), evidence)
        claims.append(Claim(f"costs-less:{arm.name}", *told, rests_on=plan.target.name))
    for arm in rivals:
        text = f"At an equal loss, {subject} moves the trait further than {arm.claimed_as}"
        evidence = (*curves, "equal_loss")
        tell = _tell_further(arm)
        told = (text, _moves_further(arm), tell, evidence)
        claims.append(Claim(f"moves-further:{arm.name}", *told, by_trait=False, rests_on=plan.target.name))
    measured = [quantity for outcome in plan.compared for quantity in outcome.quantities]
    return [*claims, *(_keeps(each) for each in measured if each.role == "cost" and each.margin is not None)]


def costs_less(arm: str) -> Judge:
    """Judges whether the method costs less than an arm where both have moved the trait equally far."""

    def judge(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
        """At every dose of the method whose shift the arm reaches, with Holm over doses and costs."""
        table = results.tables["equal_shift_by_dose" if trait == ALL else "equal_shift_by_trait"]
        rows = table[table["arm"] == arm]
        rows = rows if trait == ALL else rows[rows["trait"] == trait]
        if rows.empty:
            return None
        rows = rows[rows["gamma"].notna() & (rows["reached"] >= REACHED) & (rows["shift"] > 0)].sort_values("shift")
        if rows.empty:
            return "undecided", {"doses": Number(0, "doses")}
        names = [cost.name for cost in results.costs]
        kept = rows[[f"{name}_against" for name in names]].to_numpy(float)
        p = rows[[f"{name}_against_p" for name in names]].to_numpy(float)
        adjusted = np.reshape(holm(np.nan_to_num(p, nan=1.0).ravel()), p.shape)
        # A positive difference means that the other arm keeps more, which speaks against the method.
        verdict = _one_sided(((adjusted < 0.05) & (kept < 0)).any(), ((adjusted < 0.05) & (kept > 0)).any())
        clearest = rows.iloc[[int(np.argmin(adjusted.min(axis=1)))]]
        shown = pd.concat([rows[rows["method_gamma"] == results.gamma], clearest]).drop_duplicates("method_gamma")
        numbers = {"doses": Number(len(rows), "doses", p=float(adjusted.min()))}
        for row in shown.to_dict("records"):
            at = f"{row['method_gamma']:g}"
            numbers[f"shift:{at}"] = Number(float(row["shift"]), results.target.unit)
            numbers[f"dose:{at}"] = Number(float(row["gamma"]), of=results.method)
            for cost in results.costs:
                numbers[f"cost:{cost.name}:{at}"] = _number(row, f"{cost.name}_against", cost)
        return verdict, numbers

    return judge


def _tell_costs(arm: ArmSpec) -> Callable[[Numbers, Verdict], str]:
    def tell(numbers: Numbers, verdict: Verdict) -> str:
        doses = numbers["doses"]
        if not doses.value:
            return (
                f"{arm.name} never moves the trait as far as the arm under test at any dose tried, so no equal shift "
                "exists."
            )
        at = []
        for name, shift in numbers.items():
            kind, _, dose = name.partition(":")
            if kind == "shift":
                other = numbers[f"dose:{dose}"]
                costs = ", ".join(
                    f"{each.of} {each.text(1)} {each.unit}"
                    for key, each in numbers.items()
                    if key.startswith("cost:") and key.endswith(f":{dose}")
                )
                at.append(
                    f"at a shift of {shift.value:+.2f} ({other.of} at gamma {dose}, {arm.name} at {other.value:.2f}) "
                    f"{costs}"
                )
        return (
            f"What {arm.name} keeps beyond the arm under test: {'; '.join(at)}. Positive speaks against the arm under "
            f"test; judged at {doses.value:.0f} {'dose' if doses.value == 1 else 'doses'} and every cost, least p "
            f"{doses.p:.2g} after Holm."
        )

    return tell


def _moves_further(arm: ArmSpec) -> Judge:
    def judge(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
        """At every loss of every cost to which both arms come, with Holm over them."""
        losses = results.tables["equal_loss"]
        if arm.name not in set(losses["arm"]):
            return None
        keys = ["cost", "loss"]
        surely = losses[losses["reached"].astype(bool) & (losses["reached_share"] >= REACHED)]
        method = surely.loc[surely["arm"] == results.method, keys]
        both = surely[surely["arm"] == arm.name].merge(method, on=keys)
        if both.empty:
            return "undecided", {"losses": Number(0, "losses")}
        adjusted = holm(both["against_p"].to_numpy(float))
        ahead = both["against"].to_numpy(float)
        verdict = _one_sided(((adjusted < 0.05) & (ahead < 0)).any(), ((adjusted < 0.05) & (ahead > 0)).any())
        row = both.to_dict("records")[int(np.argmin(adjusted))]
        cost = next(each for each in results.costs if each.name == row["cost"])
        low, high = float(row["against_low"]), float(row["against_high"])
        return verdict, {
            "losses": Number(len(both), "losses", p=float(adjusted.min())),
            "loss": Number(cost.scale * float(row["loss"]), cost.change_unit, of=cost.label),
            "gamma": Number(float(row["gamma"])),
            "shift": Number(float(row["shift"]), results.target.unit),
            "against": Number(float(row["against"]), results.target.unit, low, high),
        }

    return judge


def _tell_further(arm: ArmSpec) -> Callable[[Numbers, Verdict], str]:
    def tell(numbers: Numbers, verdict: Verdict) -> str:
        losses = numbers["losses"]
        if not losses.value:
            return f"The arm under test and {arm.name} come to no common loss at the doses tried."
        loss, against = numbers["loss"], numbers["against"]
        return (
            f"Where both have cost {loss.value:g} {loss.unit} of {loss.of}, {arm.name} (gamma "
            f"{numbers['gamma'].value:.2f}) has moved the trait by {numbers['shift'].value:+.2f}, {against.text()} "
            f"{against.unit} further than the arm under test; judged at {losses.value:.0f} losses, least p "
            f"{losses.p:.2g} after Holm."
        )

    return tell


def _keeps(quantity: Quantity) -> Claim:
    """That a cost changes by less than its margin at the chosen dose, by its one-sided bounds."""
    margin = quantity.margin or 0.0
    subject = quantity.label[:1].upper() + quantity.label[1:]
    text = f"{subject}: kept to within {quantity.scale * margin:g} {quantity.change_unit}"

    def judge(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
        rows = results.tables["kept"]
        rows = rows[(rows["quantity"] == quantity.name) & (rows["trait"] == trait)]
        if rows.empty:
            return None
        [row] = rows.to_dict("records")
        verdict: Verdict = "supported" if row["non_inferior"] else "refuted" if row["inferior"] else "undecided"
        change = Number(float(row["change"]), quantity.unit, float(row["lower"]), float(row["upper"]), n=int(row["n"]))
        return verdict, {
            "gamma": Number(results.gamma),
            "change": change.scaled(quantity.scale, quantity.change_unit),
            "clusters": Number(int(row["clusters"])),
        }

    def tell(numbers: Numbers, verdict: Verdict) -> str:
        change, clusters = numbers["change"], numbers["clusters"].value
        told = (
            f"At gamma {numbers['gamma'].value:g} it changes by {change.value:+.2f} {change.unit} over {change.n} rows"
        )
        if change.low is None or math.isnan(change.low):
            return f"{told}, which do not show how much that varies."
        return f"{told} of {clusters} clusters; a loss of more than {max(0.0, -change.low):.2f} is excluded (95 %)."

    return Claim(f"keeps:{quantity.name}", text, judge, tell, (f"dose-{quantity.name}", "kept"))


def _number(row: dict, name: str, cost: Quantity) -> Number:
    """A change of a cost from a table's row, in the unit that a reader sees."""
    value, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return Number(value, cost.unit, low, high, of=cost.label).scaled(cost.scale, cost.change_unit)


def _one_sided(better: np.bool, worse: np.bool) -> Verdict:
    """Supported or refuted where the data point one way alone."""
    if bool(better) == bool(worse):
        return "undecided"
    return "supported" if better else "refuted"
