"""What draws can show: the least p-value, the draws for a level, and when a false-discovery rule takes any."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from workbench.measure.resolution import discoveries_needed, draws_needed, least_pvalue


def test_the_draws_needed_are_the_fewest_that_reach_the_level() -> None:
    for tests in (1, 5, 40):
        for two_sided in (False, True):
            draws = draws_needed(0.05, two_sided=two_sided, tests=tests)
            assert least_pvalue(draws, two_sided=two_sided, tests=tests) <= 0.05
            assert least_pvalue(draws - 1, two_sided=two_sided, tests=tests) > 0.05
    assert least_pvalue(100, two_sided=True, tests=5) > 0.05  # 100 resamples cannot decide five corrected tests
    assert least_pvalue(3, tests=99) == 1.0


@pytest.mark.parametrize("method", ["bh", "by"])
def test_discoveries_needed_are_where_the_false_discovery_rule_starts_to_take(method: str) -> None:
    least, tests = 1 / 400, 200
    needed = discoveries_needed(least, tests, method=method)
    for k, taken in ((needed - 1, 0), (needed, needed)):
        p = np.where(np.arange(tests) < k, least, 1.0)
        assert int((false_discovery_control(p, method=method) <= 0.05 + 1e-12).sum()) == taken  # type: ignore[arg-type]


def test_what_is_no_number_of_draws_or_level_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 draw and 1 test, but 0 and 1"):
        least_pvalue(0)
    with pytest.raises(ValueError, match="between 0 and 1, but it is 5.0"):
        draws_needed(5.0)
