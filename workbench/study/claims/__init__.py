"""What a study can judge, and its judgement of it: verdicts with numbers, sentences last."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from workbench.measure.summarising import ALL
from workbench.outcome.finding import Claim, Finding
from workbench.outcome.results import Results
from workbench.select.near import EmptySelectionError
from workbench.study.claims.costing import cost_claims
from workbench.study.claims.empty import selects, undecided
from workbench.study.claims.moving import moving_claims
from workbench.study.claims.selecting import selection_claims
from workbench.study.claims.stressing import stress_claims
from workbench.study.frames import of_traits
from workbench.study.plan import Plan

__all__ = ["claims_of", "judge_claims"]


def claims_of(plan: Plan) -> list[Claim]:
    """Every claim that the study's arms and outcomes can judge, in the order of the method."""
    from_outcomes = [claim for each in (*plan.outcomes, *plan.traced) for claim in each.claims()]
    return [
        *moving_claims(plan),
        *stress_claims(plan),
        *cost_claims(plan),
        *from_outcomes,
        *selection_claims(),
    ]


def judge_claims(plan: Plan, results: Results, empty: Mapping[str, EmptySelectionError] | None = None) -> list[Finding]:
    """Every claim judged: over all traits, then for each.

    Args:
        plan: as it was asked for, before anything stood for its method.
        empty: the traits of which the method selects nothing. Claims about it are undecided there, and over all traits
            they are judged on the others, which their sentence says.
    """
    empty = empty or {}
    traits = plan.config.traits
    with_neurons = [trait for trait in traits if trait not in empty]
    of_method = results if not empty else _only(results, with_neurons)
    judged: list[Finding | None] = list(selects(plan.method.name, traits, empty)) if empty else []
    for trait in (ALL, *traits):
        for claim in claims_of(plan):
            if trait != ALL and not claim.by_trait:
                continue
            if not claim.of_method:
                judged.append(with_cautions(claim, claim.finding(results, trait), plan, results))
            elif trait in empty or not with_neurons:
                judged.append(undecided(claim, trait, empty))
            else:
                found = with_cautions(claim, claim.finding(of_method, trait), plan, of_method)
                judged.append(_without(found, empty if trait == ALL else {}))
    found = [finding for finding in judged if finding is not None]
    return sorted(found, key=lambda finding: (ALL, *traits).index(finding.trait))


def _only(results: Results, traits: Sequence[str]) -> Results:
    """The results on some of the traits."""
    frames = {name: of_traits(frame, traits) for name, frame in results.frames.items()}
    tables = {name: of_traits(table, traits) for name, table in results.tables.items()}
    return replace(results, frames=frames, tables=tables, traits=tuple(traits))


def _without(finding: Finding | None, empty: Mapping[str, EmptySelectionError]) -> Finding | None:
    """A finding over all traits, which says which were left out."""
    if finding is None or not empty:
        return finding
    left = f"Left out, as the method selects nothing there: {', '.join(empty)}."
    return replace(finding, sentence=f"{finding.sentence} {left}")


def with_cautions(claim: Claim, finding: Finding | None, plan: Plan, results: Results) -> Finding | None:
    """The finding with what the outcome that it rests on says against judging a trait by it.

    A trait that the outcome cannot judge is undecided, and so are all traits together where it can judge none of them;
    where it can judge some, the sentence names the others.
    """
    if finding is None or not claim.rests_on:
        return finding
    cautions = plan.holder(claim.rests_on).cautions(results)
    here = [each for each in cautions if finding.trait in (ALL, each.trait)]
    against = {each.trait for each in here if not each.judged}
    told = " ".join(dict.fromkeys(each.text for each in here if finding.trait != ALL or not each.judged))
    partly = list(dict.fromkeys(each.trait for each in here if each.judged))
    if finding.trait == ALL and partly:
        told = f"{told} Judged with a reservation, which each trait's own finding tells: {', '.join(partly)}.".strip()
    if against and against >= ({*results.traits} if finding.trait == ALL else {finding.trait}):
        return replace(finding, verdict="undecided", sentence=f"Not judged. {told}")
    return replace(finding, sentence=f"{finding.sentence} {told}") if told else finding
