"""Whether what the arm under test does holds under other wordings, and when it is made again from other data."""

import math
from collections.abc import Callable
from typing import Any

from workbench.measure.paired import holm
from workbench.measure.summarising import ALL
from workbench.outcome.finding import Claim, Number, Numbers, Verdict
from workbench.outcome.results import Results
from workbench.study.plan import Plan
from workbench.study.stressing.remaking import RANDOM
from workbench.study.stressing.tables import HALF

LEVEL = 0.05

TEXTS = {
    "wording": "{subject} moves the trait under other wordings too, by half as far or more",
    "data": "{subject} moves the trait when made again from other or fewer pairs, by half as far or more",
}
"""What is claimed of each kind of stress."""


def stress_claims(plan: Plan) -> list[Claim]:
    """A claim for each kind of stress that the study puts the arm under test to."""
    name = plan.method.claimed_as or plan.method.name
    subject = name[:1].upper() + name[1:]
    kinds = dict.fromkeys("data" if each.of_data else "wording" for each in plan.stressors)
    return [
        Claim(
            f"holds:{kind}",
            TEXTS[kind].format(subject=subject),
            _holds(kind),
            _tell,
            ("stress-left", "stress", "stress_left_out"),
            rests_on=plan.target.name,
        )
        for kind in kinds
    ]


def _holds(kind: str) -> Callable[[Results, str], tuple[Verdict, Numbers] | None]:
    def judge(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
        """Supported where under every stress surely half is left and the random control is surely beaten, each at the
        level, so that no correction is needed; refuted where under one surely less than half is left (Holm).
        """
        table = results.tables.get("stress")
        if table is None:
            return None
        rows = table[(table["kind"] == kind) & (table["condition"] == ALL) & (table["quantity"] == results.target.name)]
        rows = rows[rows["trait"] == trait]
        own, control = rows[rows["arm"] == results.method], rows[rows["arm"] == RANDOM].set_index("stress")
        if own.empty:
            return None
        plain = float(own["plain"].iloc[0])
        numbers = {"plain": Number(plain, results.target.unit)}
        if own["left"].isna().any() or plain <= 0:
            return "undecided", numbers
        verdict: Verdict = "undecided"
        half = (own["p_half"] < LEVEL).all() and (own["p_beyond"].isna() | (own["p_beyond"] < LEVEL)).all()
        if half:
            verdict = "supported"
        elif (holm(own["p_less"].to_numpy()) < LEVEL).any():
            verdict = "refuted"
        for row in own.to_dict("records"):
            numbers |= _numbers(row, control["wrong_way"].to_dict())
        return verdict, numbers

    return judge


def _numbers(row: dict[Any, Any], wrong_of_control: dict[Any, float]) -> dict[str, Number]:
    """What one stress leaves."""
    stress = str(row["stress"])
    left = Number(100 * row["left"], "%", 100 * row["left_low"], 100 * row["left_high"], float(row["p_half"]), row["n"])
    numbers = {f"left:{stress}": left, f"wrong-way:{stress}": Number(100 * row["wrong_way"], "%")}
    if stress in wrong_of_control:
        numbers[f"wrong-way-of-control:{stress}"] = Number(100 * wrong_of_control[stress], "%")
    if not math.isnan(row["p_beyond"]) and row["p_beyond"] >= LEVEL:
        numbers[f"not-beyond:{stress}"] = Number(float(row["beyond"]), p=float(row["p_beyond"]))
    return numbers


def _tell(numbers: Numbers, verdict: Verdict) -> str:
    plain = numbers["plain"]
    lefts = {name.partition(":")[2]: each for name, each in numbers.items() if name.startswith("left:")}
    if not lefts:
        return (
            f"The shift without stress, {plain.value:+.2f} {plain.unit}, is not surely above 0, so that there is "
            "nothing of which a share could be left."
        )
    listed = []
    for stress, left in lefts.items():
        control = numbers.get(f"wrong-way-of-control:{stress}")
        beside = "" if control is None else f", {control.value:.0f} % with random neurons"
        listed.append(
            f"{stress} {left.value:.0f} % [{left.low:.0f}, {left.high:.0f}] "
            f"({numbers[f'wrong-way:{stress}'].value:.0f} % of items the wrong way{beside})"
        )
    unsure = [stress for stress, left in lefts.items() if (left.p or 0) >= LEVEL]
    beaten = [name.partition(":")[2] for name in numbers if name.startswith("not-beyond:")]
    return (
        f"Of the shift without stress, {plain.value:+.2f} {plain.unit}, there is left: {'; '.join(listed)}."
        + (f" Not surely {HALF:.0%} or more: {', '.join(unsure)}." if unsure else "")
        + (f" Not surely further than random neurons: {', '.join(beaten)}." if beaten else "")
    )
