"""What is said of a method that selects no neuron: that it does not, and that nothing else can be said of it."""

from collections.abc import Mapping, Sequence

from workbench.measure.summarising import ALL
from workbench.outcome.finding import Claim, Finding, Number
from workbench.select.near import EmptySelectionError

SELECTS = "selects-neurons"
"""The id of the claim that is judged where the method selects nothing of some trait."""

EVIDENCE = ("above_tau_q", "threshold-sweep", "selection")


def selects(method: str, traits: Sequence[str], empty: Mapping[str, EmptySelectionError]) -> list[Finding]:
    """That the method selects neurons at these thresholds, over all traits and for each; refuted where it does not."""
    claim = f"At these thresholds {method} selects neurons"
    listed = " ".join(f"{trait}: {_told(error)}" for trait, error in empty.items())
    every = len(empty) == len(traits)
    where = "here, for any trait" if every else f"of {', '.join(empty)}"
    numbers = {"traits": Number(len(traits) - len(empty), "traits", n=len(traits))}
    overall = Finding(
        SELECTS,
        claim,
        "refuted",
        numbers,
        EVIDENCE,
        ALL,
        f"At these thresholds the method selects nothing {where}. {listed}",
    )
    findings = [overall]
    for trait in traits:
        error = empty.get(trait)
        verdict, told = ("supported", "It selects some.") if error is None else ("refuted", _told(error))
        findings.append(Finding(SELECTS, claim, verdict, _numbers(error), EVIDENCE, trait, told))  # type: ignore[arg-type]
    return findings


def undecided(claim: Claim, trait: str, empty: Mapping[str, EmptySelectionError]) -> Finding:
    """A claim about the method where it selects nothing."""
    of = "any trait" if trait == ALL else trait
    sentence = f"Nothing can be said of it: at these thresholds the method selects no neuron of {of}."
    return Finding(claim.id, claim.text, "undecided", {}, claim.evidence, trait, sentence)


def _told(error: EmptySelectionError) -> str:
    if error.above is None:
        return error.why
    told = f"{error.above.distribution} {error.above.reachable}"
    return told if error.moved is None else f"{told} {error.moved}"


def _numbers(error: EmptySelectionError | None) -> dict[str, Number]:
    if error is None or error.above is None or not len(error.above.d):
        return {}
    above = error.above
    largest = above.largest_min_d()
    assert largest is not None
    return {
        "above_tau_q": Number(len(above.d), "neurons"),
        "largest_d": Number(float(above.d[0]), "standard deviations"),
        "largest_min_d": Number(largest, "standard deviations"),
    }
