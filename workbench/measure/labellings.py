"""The ways to deal the poles' labels out to descriptions, questions or pairs: all of them, or some at random."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from workbench.measure.resolution import least_pvalue
from workbench.measure.units import Stack, grouped


def paired_units(high: Stack, low: Stack, unit: str) -> tuple[Stack, Stack]:
    """Both poles' units, ordered so that those with one index are a pair, if the unit needs pairs."""
    if unit == "description":
        return high, low
    if unit == "question":
        order = {name: i for i, name in enumerate(low.labels["question"])}
        missing = [name for name in high.labels["question"] if name not in order]
        if missing or len(high) != len(low):
            raise ValueError(f"Pairs share their question, but {missing[:1] or 'one'} is in one pole only.")
        indices = torch.tensor([order[name] for name in high.labels["question"]])
        low = Stack(
            low.count[indices],
            low.mean[indices],
            None if low.m2 is None else low.m2[indices],
            {"question": tuple(high.labels["question"])},
        )
    elif len(high) == len(low):
        high, low = _without_repeats(high, low)
    if len(high) != len(low) or not torch.equal(high.count, low.count):
        raise ValueError(
            f"The poles of pairs are swapped row by row, but high has {int(high.count.sum())} rows and low "
            f"{int(low.count.sum())}. Shuffle descriptions, or capture one row a prompt."
        )
    return high, low


def _without_repeats(high: Stack, low: Stack) -> tuple[Stack, Stack]:
    """Pairs that share both descriptions and the question are the same prompts, and so one unit."""
    kinds = ("description", "question")
    if any(kind not in stack.labels for stack in (high, low) for kind in kinds):
        return high, low
    keys = tuple(map(repr, zip(*(stack.labels[kind] for stack in (high, low) for kind in kinds), strict=True)))
    if len(set(keys)) == len(keys):
        return high, low
    first, second = (grouped(replace(stack, labels={"pair": keys}), "pair") for stack in (high, low))
    return first, second


def labellings_of(
    high: Stack, low: Stack, unit: str, permutations: int, generator: np.random.Generator
) -> tuple[Tensor, bool, float]:
    """Each unit's pole, or each pair's sign, `(permutations + 1, units)`, the true labelling first.

    All labellings there are, if these are no more than the permutations asked for; whether they are; and the least
    p-value. |t| is the same when all labels are exchanged, so that the least p-value of all labellings is that of two.
    """
    n, m = len(high), len(low)
    if unit == "description":
        ways = math.comb(n + m, n)
        if ways <= permutations + 1:
            every = np.zeros((ways, n + m), dtype=np.int8)
            for row, chosen in zip(every, combinations(range(n + m), n), strict=True):
                row[list(chosen)] = 1  # the first combination is the true labelling
            return torch.from_numpy(every), True, (2 if n == m else 1) / ways
        true = np.concatenate([np.ones(n), np.zeros(m)]).astype(np.int8)
        drawn = np.stack([true, *(generator.permutation(true) for _ in range(permutations))])
    else:
        if n < 63 and 2**n <= permutations + 1:
            signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
            return torch.from_numpy(signs.astype(np.int8)), True, 2 / 2**n
        signs = generator.integers(2, size=(permutations, n), dtype=np.int8) * 2 - 1
        drawn = np.concatenate([np.ones((1, n), dtype=np.int8), signs])
    return torch.from_numpy(drawn), False, least_pvalue(permutations)
