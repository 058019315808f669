"""What a study's numbers of draws, permutations, resamples and questions cannot show, said before it runs."""

import logging
from collections.abc import Iterator

from workbench.measure.draws import least_rank_pvalue
from workbench.study.plan import Plan

LEVEL = 0.05
_LOG = logging.getLogger(__name__)


def warn_unattainable(plan: Plan) -> None:
    """Warn of every test whose least p-value is not below the level, whatever the data."""
    for told in _unattainable(plan):
        _LOG.warning(told)


def _unattainable(plan: Plan) -> Iterator[str]:
    config = plan.config
    if any(arm.drawn for arm in plan.arms) and least_rank_pvalue(config.draws) >= LEVEL:
        yield (
            f"With draws = {config.draws} the least p-value of a rank among a random control's draws is "
            f"{least_rank_pvalue(config.draws):.2g}, so no random control can be beaten. Take 20 or more."
        )
    family = len(config.doses(plan.method)) * len(plan.costs)
    least = family * 2 / (config.resamples + 1)
    if least >= LEVEL:
        needed = int(family * 2 / LEVEL)
        yield (
            f"With resamples = {config.resamples} the least p-value over {family} comparisons of doses and costs is "
            f"{least:.2g} after Holm, so no claim about costs can be decided. Take {needed} or more."
        )
    if 1 / (config.permutations + 1) >= LEVEL:
        yield (
            f"With permutations = {config.permutations} the least p-value is {1 / (config.permutations + 1):.2g}, so "
            "no selection can be shown to be more than chance would make. Take 1,000."
        )
    flips = 2.0 ** -(config.test_questions - 1)
    if plan.targeted.cluster == "question" and flips >= LEVEL:
        yield (
            f"With test_questions = {config.test_questions} the least p-value of a trait's shift is {flips:.2g}, as so "
            "few questions have few sign flips. Take 6 or more."
        )
