"""A selection rule and its thresholds, as one value; it needs no torch. The only place where their defaults stand."""

import math
from dataclasses import dataclass

RULES = ("dual", "magnitude-only", "d-only", "write-norm", "top-k", "npti", "fdr", "broad")
"""The rules that choose neurons; `select_neurons` explains them."""


@dataclass(frozen=True, kw_only=True)
class RuleSettings:
    """A rule and its thresholds. The defaults are those that DPN-LE was published with for LLaMA-3-8B-Instruct.

    Attributes:
        rule: one of `RULES`; each uses some of the settings below.
        quantile: q of tau_q, between 0 and 1: |s| must exceed this quantile of |s|.
        min_d: tau_d, in pooled standard deviations: |d| must exceed it.
        within: where thresholds are taken and k is counted, `layer` or `model`.
        by: the measure that top-k ranks by; see `Effects.measure`.
        k: how many neurons top-k takes.
        alpha: the false-discovery rate of fdr.
        method: how fdr adjusts p-values: `bh` (Benjamini and Hochberg) or `by` (Benjamini and Yekutieli).
        min_probability: the least difference, for npti, of the two poles' shares of rows above zero.
        least: the least number of neurons that npti takes for each pole.

    Raises:
        ValueError: for an unknown rule, a setting out of range, or top-k without k.

    Example:
        >>> RuleSettings(rule="top-k", k=50).k
        50
    """

    rule: str = "dual"
    quantile: float = 0.995
    min_d: float = 0.8
    within: str = "layer"
    by: str = "cohens_d"
    k: int | None = None
    alpha: float = 0.05
    method: str = "bh"
    min_probability: float = 0.1
    least: int = 0

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"There is no rule {self.rule!r}. Choose one of {', '.join(RULES)}.")
        if not 0 < self.quantile < 1:
            raise ValueError(f"The quantile lies strictly between 0 and 1, but {self.quantile} arrived.")
        if not (math.isfinite(self.min_d) and self.min_d >= 0):
            raise ValueError(f"min_d is a number from 0 up, but {self.min_d} arrived.")
        if self.within not in ("layer", "model"):
            raise ValueError(f"Thresholds are taken within a layer or the model, but within={self.within!r} arrived.")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha lies strictly between 0 and 1, but {self.alpha} arrived.")
        if self.k is not None and self.k < 1:
            raise ValueError(f"k is a number of neurons from 1 up, but {self.k} arrived.")
        if self.rule == "top-k" and self.k is None:
            raise ValueError("The top-k rule needs k, the number of neurons, but none arrived. Give e.g. k=50.")
        if not 0 <= self.min_probability <= 1 or self.least < 0:
            raise ValueError(
                f"min_probability is a share and least a number from 0 up, but {self.min_probability} and {self.least} "
                "arrived."
            )
