"""How many neurons a rule takes when the poles' labels are shuffled."""

from jaxtyping import Float, Int64
from torch import Tensor

from workbench.measure.nulls import Null, permuted
from workbench.select.criteria import passes, require_replicable
from workbench.select.settings import RuleSettings


def permutation_null(
    source: object,
    *,
    rule: str = RuleSettings.rule,
    quantile: float = RuleSettings.quantile,
    min_d: float = RuleSettings.min_d,
    unit: str = "pair",
    permutations: int = 1000,
    poles: tuple[str, str] = ("high", "low"),
    seed: int = 0,
) -> Null:
    """Effects and a rule's selection under shuffled labels: p-values, max-T, and how many neurons chance selects.

    Args:
        source: kept activations; for questions and descriptions, a tally that kept these clusters apart will do.
        rule: `dual`, `magnitude-only` or `d-only`. Its thresholds are taken again under every permutation, and the
            neurons that it selects are counted.
        unit: what is shuffled. `pair` swaps the poles of single pairs, `question` those of all pairs of a question
            together, `description` assigns whole descriptions to poles at random. Use the last where descriptions are
            reused.

    Returns:
        see `Null`: `.pvalue`, `.family_wise`, `.false_discovery()`, and `.counts` to compare `.count` with.

    Raises:
        ValueError: for an unknown unit or rule, or a source without the rows or labels that it needs.
    """
    settings = RuleSettings(rule=rule, quantile=quantile, min_d=min_d)
    require_replicable(settings)

    def count(difference: Float[Tensor, "b d_mlp"], d: Float[Tensor, "b d_mlp"]) -> Int64[Tensor, " b"]:
        return passes(settings, difference, d).sum(1)

    least_d = 0.0 if rule == "magnitude-only" else min_d
    return permuted(source, unit=unit, permutations=permutations, poles=poles, count=count, least_d=least_d, seed=seed)
