"""How many neurons a rule takes when the poles' labels mean nothing."""

from workbench.measure.nulls import Null, permuted
from workbench.select.criteria import passes


def permutation_null(
    source: object,
    *,
    rule: str = "dual",
    quantile: float = 0.995,
    min_d: float = 0.8,
    unit: str = "pair",
    permutations: int = 1000,
    poles: tuple[str, str] = ("high", "low"),
    seed: int = 0,
) -> Null:
    """Effects and a rule's selection under shuffled labels: p-values, max-T, and the count that chance selects.

    Args:
        source: kept activations; or, for questions and descriptions, a tally that kept those clusters apart.
        rule: `dual`, `magnitude-only` or `d-only`, counted under every permutation with thresholds taken anew.
        unit: what is shuffled: `pair` flips pairs, `question` all pairs of a question together, `description` deals
            whole descriptions out to the poles. The last is the one to believe where descriptions are reused.

    Returns:
        see `Null`: `.pvalue`, `.family_wise`, `.false_discovery()`, `.counts` beside `.count`.

    Raises:
        ValueError: for an unknown unit or rule, or a source without the rows or labels it needs.
    """

    def count(place: int, difference, d):  # type: ignore[no-untyped-def]
        return passes(rule, difference, d, quantile=quantile, min_d=min_d).sum(1)

    return permuted(source, unit=unit, permutations=permutations, poles=poles, count=count, seed=seed)
