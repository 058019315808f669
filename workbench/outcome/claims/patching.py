"""Whether the selected neurons carry the persona's effect."""

import numpy as np

from workbench.measure.paired import holm
from workbench.measure.summarising import ALL
from workbench.outcome.finding import Number, Numbers, Verdict
from workbench.outcome.results import Results

LEVEL = 0.05
"""The chance of a false verdict over all traits and directions together."""


def carries_persona(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
    """Supported where it surely holds in every direction; refuted where it surely does not in one.

    Both are corrected by Holm over the study's traits, and the latter over directions too. That the selected neurons
    cause as much as their control, or that nothing is sure, refutes nothing.
    """
    if "patching_verdict" not in results.tables:
        return None
    every = results.tables["patching_verdict"].reset_index(drop=True)
    here = np.full(len(every), True) if trait == ALL else (every["trait"] == trait).to_numpy()
    verdicts, patching = every[here], results.of("patching", trait)
    # Without a p-value there is no evidence.
    against = holm(every["p_against"].fillna(1.0))[here]
    causes = every["p_causes"].fillna(1.0).groupby(every["trait"]).max()
    causes[:] = causes if trait == ALL else holm(causes)
    unsure = causes.max() if trait == ALL else causes[trait]
    refuting = (verdicts["verdict"] == "does not cause") & (against < LEVEL)
    counts = verdicts["verdict"].value_counts()
    verdict: Verdict = "undecided"
    if refuting.any():
        verdict = "refuted"
    elif counts.get("causes", 0) == len(verdicts) and unsure < LEVEL:
        verdict = "supported"
    joint = patching[patching["mode"] == "joint"]
    means = joint.groupby("set", sort=False)["effect"].mean()
    numbers = {f"share:{name}": Number(float(value), "share", of=str(name)) for name, value in means.items()}
    numbers["causes"] = Number(int(counts.get("causes", 0)), "traits and directions", p=float(unsure), n=len(verdicts))
    numbers["against"] = Number(int(refuting.sum()), "traits and directions", p=float(against.min()), n=len(verdicts))
    if trait != ALL:
        for row in verdicts.to_dict("records"):
            numbers[f"direction:{row['direction']}"] = Number(float(row["verdict"] == "causes"), of=row["text"])
    return verdict, numbers


def tell_persona(numbers: Numbers, verdict: Verdict) -> str:
    """The share of the way that each set of neurons moves the logits."""
    shares = ", ".join(f"{each.of} {each.value:.0%}" for name, each in numbers.items() if name.startswith("share:"))
    ways = "; ".join(
        f"{name.partition(':')[2]}: {each.of}" for name, each in numbers.items() if name.startswith("direction:")
    )
    causes, against = numbers["causes"], numbers["against"]
    return (
        "With a set's activations taken from the other pole's prompt, the logits move this share of the way: "
        f"{shares}. "
        + (
            ways
            or f"Selected neurons cause more than their matched controls in {causes.value:.0f} of {causes.n} traits "
            f"and directions, and surely do not in {against.value:.0f} (Holm, 5 %)."
        )
    )
