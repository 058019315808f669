"""What a study's numbers of draws, permutations, resamples and questions cannot show, said before it runs."""

import logging
from collections.abc import Iterator

from workbench.measure.resolution import LEVEL, draws_needed, least_pvalue
from workbench.study.plan import Plan

_LOG = logging.getLogger(__name__)


def warn_unattainable(plan: Plan) -> None:
    """Warn of every test whose least p-value is above the level, whatever the data."""
    for told in _unattainable(plan):
        _LOG.warning(told)


def _unattainable(plan: Plan) -> Iterator[str]:
    config = plan.config
    least = least_pvalue(config.draws)
    if any(arm.drawn for arm in plan.arms) and least >= LEVEL:
        yield (
            f"With draws = {config.draws} the least p-value of a rank among a random control's draws is {least:.2g}, "
            "so no random control can be beaten. Take 20 or more."
        )
    family = max(1, len(config.doses(plan.method, config.dose)) * len(plan.costs))
    least = least_pvalue(config.resamples, two_sided=True, tests=family)
    if plan.costs and least >= LEVEL:
        yield (
            f"With resamples = {config.resamples} the least p-value over {family} comparisons of doses and costs is "
            f"{least:.2g} after Holm, so no claim about costs can be decided. Take "
            f"{draws_needed(LEVEL, two_sided=True, tests=family) + 1} or more."
        )
    least = least_pvalue(config.permutations)
    if least > LEVEL:
        yield (
            f"With permutations = {config.permutations} the least p-value is {least:.2g}, so no selection can be shown "
            "to be more than chance would make. Take 1,000."
        )
    least = 2.0 ** (1 - config.test_questions)
    if plan.targeted.cluster == "question" and least >= LEVEL:
        yield (
            f"With test_questions = {config.test_questions} the least p-value of a trait's shift is {least:.2g}, as so "
            "few questions have few sign flips. Take 6 or more."
        )
