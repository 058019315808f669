"""Permutation test of two arms on paired rows, or on clusters of rows: does swapping the arms change the mean?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from workbench.measure.bootstrap import BLOCK, cluster_codes
from workbench.measure.paired import paired_difference
from workbench.measure.resolution import least_pvalue

_BLOCK = 65_536  # sign flips that the exact test evaluates at once


@dataclass(frozen=True)
class Permutation:
    """A permutation test of two arms on the same rows.

    Attributes:
        estimate: mean of b - a, in the outcome's unit.
        pvalue: two-sided.
        n: number of rows.
        clusters: number of groups of rows whose signs flip together; equal to `n` if no clusters were given.
        exact: whether all possible flips were evaluated.
        permutations: how many flips were evaluated.
    """

    estimate: float
    pvalue: float
    n: int
    clusters: int
    exact: bool
    permutations: int

    @property
    def least_pvalue(self) -> float:
        """The least p-value that could have come out; where it is above a level, nothing can be shown at that level.

        All flips give each |sum| at least twice, so that with 5 clusters or fewer it is above 0.05.

        Example:
            >>> permutation_test([0, 0, 0, 0, 0], [1, 2, 3, 4, 5]).least_pvalue
            0.0625
        """
        return 2 / self.permutations if self.exact else least_pvalue(self.permutations)


def permutation_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    permutations: int = 10_000,
    seed: int = 0,
) -> Permutation:
    """Two-sided test of whether the mean of b - a over paired rows is 0.

    If the arms do not differ, either could have given either outcome of a pair. So the sign of each difference is
    flipped at random; with `clusters`, the signs of a cluster are flipped together.

    Returns:
        the exact test over all 2^k flips if these are at most `permutations`; otherwise the test over that many random
        flips, with the sample itself counted among them.

    Raises:
        ValueError: if the arms differ in length, `permutations` is below 1, or as `bootstrap_mean`.

    Reference:
        Fisher (1935), section 21; Phipson and Smyth (2010) for counting the sample.

    Example:
        >>> permutation_test([0, 0, 0], [1, 1, 1])
        Permutation(estimate=1.0, pvalue=0.25, n=3, clusters=3, exact=True, permutations=8)
    """
    if permutations < 1:
        raise ValueError(f"At least 1 permutation is needed, but {permutations} arrived. Use e.g. 10000.")
    difference = paired_difference("permutation_test", a, b)
    n = len(difference)
    codes = np.arange(n) if clusters is None else cluster_codes("permutation_test", clusters, n)
    sums = np.bincount(codes, weights=difference)
    k = len(sums)
    observed = abs(sums.sum())
    least = observed - 1e-9 * max(1.0, np.abs(sums).sum())  # so that sums that differ by rounding count as equal
    exact = k < 63 and 2**k <= permutations
    if exact:
        drawn = 2**k
        extreme = sum(
            int((np.abs(_signs_of(np.arange(start, min(start + _BLOCK, drawn)), k) @ sums) >= least).sum())
            for start in range(0, drawn, _BLOCK)
        )
        pvalue = extreme / drawn
    else:
        drawn, generator = permutations, np.random.default_rng(seed)
        block = max(1, BLOCK // k)
        extreme = 0
        for start in range(0, drawn, block):
            signs = 1.0 - 2.0 * generator.integers(2, size=(min(block, drawn - start), k))
            extreme += int((np.abs(signs @ sums) >= least).sum())
        pvalue = (extreme + 1) / (drawn + 1)
    return Permutation(float(sums.sum() / n), pvalue, n=n, clusters=k, exact=exact, permutations=drawn)


def _signs_of(numbers: np.ndarray, k: int) -> np.ndarray:
    """`(numbers, k)`: each number's bits as signs."""
    return 1.0 - 2.0 * ((numbers[:, None] >> np.arange(k)) & 1)
