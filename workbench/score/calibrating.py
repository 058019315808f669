"""Calibration: the least dose at which an edit reaches a given shift without losing too much capability."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from workbench.edit.edit import AnyEdit
from workbench.measure.paired import bootstrap_difference, bootstrap_mean, paired_change
from workbench.model.embedded import is_embedded
from workbench.model.model import Model
from workbench.score.answers import Condition, Scorer, answer_questions, testbed_scorer
from workbench.score.capability import Item, answer_items
from workbench.testbed import grammar, tasks
from workbench.vocabulary import SIGN, Scope

DOSES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
_ITEMS = 40  # a task, on the embedded model


@dataclass(frozen=True, eq=False)
class Calibration:
    """The result of a calibration: a dose, or the reason why there is none.

    Attributes:
        gamma: the least dose found to reach the target within the budget; None if there is none.
        reason: what the dose does, or why there is none, in a sentence.
        edit: the edit at that dose; None if there is none.
        target: the shift asked for, in points of the trait scale in the edit's direction.
        max_loss: the share of capability items that may be lost.
        table: a row for each dose tried, ascending: gamma, shift, capability_change and wellformed_change (edited minus
            unedited; each with `_low` and `_high`, 95 %), wellformed, coverage (share of answers with a score), and
            the numbers of questions and items.
    """

    gamma: float | None
    reason: str
    edit: AnyEdit | None
    target: float
    max_loss: float
    table: pd.DataFrame


def calibrate(
    model: Model,
    edit: AnyEdit,
    *,
    target: float,
    max_loss: float = 0.02,
    gammas: Sequence[float] = DOSES,
    tolerance: float = 0.05,
    questions: Sequence[str] | None = None,
    items: Sequence[Item] | None = None,
    scorer: Scorer | None = None,
    min_coverage: float = 0.5,
    scope: Scope = "generated",
    max_new_tokens: int = 56,
    temperature: float = 1.0,
    resamples: int = 1000,
    seed: int = 0,
) -> Calibration:
    """The least dose at which an edit shifts its trait by `target`, if it costs no more than `max_loss`.

    Doses are tried in ascending order until one reaches the target; the interval below that dose is then halved until
    it is narrower than `tolerance`. All doses answer the same questions and items under the same random draws. Where
    the shift does not rise steadily with the dose, the result is the first dose that reaches the target among those
    tried; a peak narrower than a step is missed. The same answers choose the dose and describe it, so report the
    effect on other questions.

    Args:
        target: points of the trait scale in the edit's direction, above 0.
        max_loss: the share of capability items that may be lost; the estimate is compared with it, not its interval.
        gammas: the doses of the first sweep.
        tolerance: the dose is found to within this.
        questions, items, scorer: what is asked and how answers are scored. By default the embedded model's search
            questions, its training items and its grammar; any other model needs all three.
        min_coverage: the least share of answers that must have a score for a dose to count as reaching.

    Raises:
        ValueError: if the target, the doses or the tolerance are not above 0, the edit has no direction, or the model
            is not the embedded one and questions, items or scorer are missing.
    """
    doses = sorted(float(gamma) for gamma in set(gammas))
    if not (target > 0 and tolerance > 0 and max_loss >= 0 and doses and doses[0] > 0):
        raise ValueError(
            "A calibration needs a target, doses and a tolerance above 0 and a loss of 0 or more, but "
            f"target={target}, gammas={doses}, tolerance={tolerance}, max_loss={max_loss} arrived."
        )
    if edit.direction not in SIGN:
        raise ValueError(f"An edit to calibrate has direction {' or '.join(SIGN)}, but {edit.direction!r} arrived.")
    questions, items, scorer = _asked(model, edit.trait, questions, items, scorer, seed)

    def outcomes(condition: Condition) -> tuple[pd.DataFrame, pd.DataFrame]:
        answers = answer_questions(
            model, [condition], {condition.trait: questions}, scorer=scorer, scope=scope,
            max_new_tokens=max_new_tokens, temperature=temperature, seed=seed,
        )  # fmt: skip
        return answers, answer_items(model, [condition], [items], scope=scope)

    base = outcomes(Condition.unedited(edit.trait))
    tried: dict[float, dict[str, float]] = {}

    def reaches(gamma: float) -> bool:
        condition = Condition(edit.method, edit.trait, edit.direction, gamma, edit.with_gamma(gamma))
        row = _row(base, outcomes(condition), SIGN[edit.direction], resamples, seed)
        tried[gamma] = {"gamma": gamma} | row
        return row["shift"] >= target and row["coverage"] >= min_coverage

    below, reaching = 0.0, None
    for gamma in doses:
        if reaches(gamma):
            reaching = gamma
            break
        below = gamma
    while reaching is not None and reaching - below > tolerance:
        middle = (below + reaching) / 2
        if reaches(middle):
            reaching = middle
        else:
            below = middle
    table = pd.DataFrame([tried[gamma] for gamma in sorted(tried)])
    if reaching is None:
        return Calibration(None, _why_none(table, target, min_coverage), None, target, max_loss, table)
    row = tried[reaching]
    effect = (
        f"gamma {reaching:g} shifts {edit.trait} by {row['shift']:.2f} points ({row['shift_low']:.2f} to "
        f"{row['shift_high']:.2f}) and changes capability by {row['capability_change']:+.1%} "
        f"({row['capability_change_low']:+.1%} to {row['capability_change_high']:+.1%})"
    )
    if -row["capability_change"] > max_loss + 1e-9:  # a share of items is no exact float
        reason = f"The target of {target:g} is reached, but at too high a cost: {effect}; {max_loss:.1%} is allowed."
        return Calibration(None, reason, None, target, max_loss, table)
    return Calibration(reaching, f"{effect}.", edit.with_gamma(reaching), target, max_loss, table)


def _asked(
    model: Model,
    trait: str,
    questions: Sequence[str] | None,
    items: Sequence[Item] | None,
    scorer: Scorer | None,
    seed: int,
) -> tuple[Sequence[str], Sequence[Item], Scorer]:
    arguments = {"questions": questions, "items": items, "scorer": scorer}
    lacking = [name for name, value in arguments.items() if value is None]
    if lacking and not is_embedded(model):
        raise ValueError(
            f"Only the embedded model has questions, items and a scorer of its own; for {model.name} pass "
            f"{', '.join(lacking)}."
        )
    if questions is None:
        questions = grammar.questions(trait, "search")
    if items is None:
        items = [item for task in tasks.TASKS for item in tasks.items(task, "train", n=_ITEMS, seed=seed)]
    if not questions or not items:
        raise ValueError(f"A calibration needs questions and items, but {len(questions)} and {len(items)} arrived.")
    return questions, items, scorer or testbed_scorer


def _row(
    base: tuple[pd.DataFrame, pd.DataFrame],
    edited: tuple[pd.DataFrame, pd.DataFrame],
    sign: float,
    resamples: int,
    seed: int,
) -> dict[str, float]:
    """The changes at one dose against the unedited model, paired by question and by item."""
    questions, items = edited
    # An answer without a score has not moved the trait.
    shift = sign * (questions["score"] - base[0]["score"]).fillna(0.0).to_numpy()
    by_question = {"clusters": questions["question"].to_numpy(), "resamples": resamples, "seed": seed}
    by_item = {"clusters": (items["task"] + "|" + items["item"]).to_numpy(), "resamples": resamples, "seed": seed}
    intervals = {
        "shift": bootstrap_mean(shift, **by_question),
        "capability_change": paired_change(base[1]["correct"].astype(float), items["correct"].astype(float), **by_item),
        "wellformed_change": bootstrap_difference(base[0]["wellformed"], questions["wellformed"], **by_question),
    }
    row: dict[str, float] = {}
    for name, interval in intervals.items():
        row |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
    row |= {"wellformed": float(questions["wellformed"].mean()), "coverage": float(questions["score"].notna().mean())}
    return row | {"questions": len(questions), "items": len(items)}


def _why_none(table: pd.DataFrame, target: float, min_coverage: float) -> str:
    covered = table[table["coverage"] >= min_coverage]
    most = table["gamma"].max()
    if covered.empty:
        return f"No dose up to {most:g} leaves {min_coverage:.0%} of the answers with a score."
    best = covered.nlargest(1, "shift").iloc[0]
    reason = (
        f"No dose up to {most:g} shifts by {target:g} points: the most is {best['shift']:.2f} "
        f"({best['shift_low']:.2f} to {best['shift_high']:.2f}) at gamma {best['gamma']:g}"
    )
    dropped = len(table) - len(covered)
    return (
        f"{reason}; at {dropped} doses fewer than {min_coverage:.0%} of the answers have a score."
        if dropped
        else f"{reason}."
    )
