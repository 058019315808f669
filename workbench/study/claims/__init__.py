"""What a study can judge, and its judgement of it: verdicts with numbers, sentences last."""

from dataclasses import replace

from workbench.measure.summarising import ALL
from workbench.outcome.finding import Claim, Finding
from workbench.outcome.results import Results
from workbench.study.claims.costing import cost_claims
from workbench.study.claims.moving import moving_claims
from workbench.study.claims.selecting import selection_claims
from workbench.study.plan import Plan

__all__ = ["claims_of", "judge_claims"]


def claims_of(plan: Plan) -> list[Claim]:
    """Every claim that the study's arms and outcomes can judge, in the order of the method."""
    from_outcomes = [claim for each in (*plan.outcomes, *plan.traced) for claim in each.claims()]
    return [*moving_claims(plan), *cost_claims(plan), *from_outcomes, *selection_claims()]


def judge_claims(plan: Plan, results: Results) -> list[Finding]:
    """Every claim judged: over all traits, then for each."""
    judged = [
        with_cautions(claim, claim.finding(results, trait), plan, results)
        for trait in (ALL, *plan.config.traits)
        for claim in claims_of(plan)
        if trait == ALL or claim.by_trait
    ]
    return [finding for finding in judged if finding is not None]


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
    told = " ".join(dict.fromkeys(each.text for each in here))
    if against and against >= ({*results.traits} if finding.trait == ALL else {finding.trait}):
        return replace(finding, verdict="undecided", sentence=f"Not judged. {told}")
    return replace(finding, sentence=f"{finding.sentence} {told}") if told else finding
