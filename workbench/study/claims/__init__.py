"""What a study can judge, and its judgement of it: verdicts with numbers, sentences last."""

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
        claim.finding(results, trait)
        for trait in (ALL, *plan.config.traits)
        for claim in claims_of(plan)
        if trait == ALL or claim.by_trait
    ]
    return [finding for finding in judged if finding is not None]
