"""Whether the selected neurons carry the persona's effect."""

from workbench.measure.summarising import ALL
from workbench.outcome.finding import Number, Numbers, Verdict
from workbench.outcome.results import Results


def carries_persona(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
    """Supported where every trait and direction is; refuted by one whose control causes as much."""
    if "patching_verdict" not in results.tables:
        return None
    verdicts, patching = results.of("patching_verdict", trait), results.of("patching", trait)
    counts = verdicts["verdict"].value_counts()
    verdict: Verdict = "undecided"
    if counts.get("causes", 0) == len(verdicts):
        verdict = "supported"
    elif counts.get("does not cause", 0) > 0:
        verdict = "refuted"
    joint = patching[patching["mode"] == "joint"]
    means = joint.groupby("set", sort=False)["effect"].mean()
    numbers = {f"share:{name}": Number(float(value), "share", of=str(name)) for name, value in means.items()}
    numbers["causes"] = Number(int(counts.get("causes", 0)), "traits and directions", n=len(verdicts))
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
    causes = numbers["causes"]
    return (
        "With a set's activations taken from the other pole's prompt, the logits move this share of the way: "
        f"{shares}. "
        + (
            ways
            or f"Selected neurons cause more than their matched controls in {causes.value:.0f} of {causes.n} traits "
            "and directions."
        )
    )
