"""Which positions of a pass each scope covers, by hand and as laws."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.model.passing import Pass

PADDED = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]], dtype=torch.bool)
ROWS = torch.arange(2)
# Row 0: a prompt of one token, its answer's first; row 1: a prompt of three, its answer's first.
STEPS = torch.tensor([[-1, -1, 0, 1], [-2, -1, 0, 1]])


@pytest.mark.parametrize(
    ("step", "scope", "expected"),
    [
        (Pass("prompt", PADDED, ROWS), "all", [[0, 0, 1, 1], [1, 1, 1, 1]]),
        (Pass("prompt", PADDED, ROWS), "generated", [[0, 0, 0, 1], [0, 0, 0, 1]]),
        (Pass("prompt", PADDED, ROWS), "decode", [[0, 0, 0, 0], [0, 0, 0, 0]]),
        (Pass("decode", PADDED[:, -1:], ROWS), "all", [[1], [1]]),
        (Pass("decode", PADDED[:, -1:], ROWS), "generated", [[1], [1]]),
        (Pass("decode", PADDED[:, -1:], ROWS), "decode", [[1], [1]]),
        (Pass("prompt", PADDED, ROWS, STEPS), "all", [[0, 0, 1, 1], [1, 1, 1, 1]]),
        (Pass("prompt", PADDED, ROWS, STEPS), "generated", [[0, 0, 1, 1], [0, 0, 1, 1]]),
        (Pass("prompt", PADDED, ROWS, STEPS), "decode", [[0, 0, 0, 1], [0, 0, 0, 1]]),
        # The whole prompt belongs to the answer already: padding is in no scope all the same.
        (Pass("prompt", PADDED, ROWS, STEPS + 5), "decode", [[0, 0, 1, 1], [1, 1, 1, 1]]),
    ],
)
def test_masks_by_hand(step: Pass, scope: str, expected: list[list[int]]) -> None:
    assert step.mask(scope).int().tolist() == expected


@given(st.integers(1, 5), st.integers(1, 6), st.randoms())
def test_each_scope_lies_in_the_wider_one(rows: int, length: int, random) -> None:
    padding = torch.tensor([random.randrange(length) for _ in range(rows)])
    real = torch.arange(length) >= padding[:, None]
    steps = torch.arange(length) - torch.tensor([random.randrange(-2, length + 2) for _ in range(rows)])[:, None]
    for step in (Pass("prompt", real, torch.arange(rows)), Pass("prompt", real, torch.arange(rows), steps)):
        decode, generated, everything = (step.mask(scope) for scope in ("decode", "generated", "all"))
        assert torch.equal(everything, real)
        assert not bool((decode & ~generated).any())
        assert not bool((generated & ~everything).any())
        # What decode leaves out of generated is the prompt's last position, once a row at most.
        last = generated & ~decode
        assert bool((last.sum(1) <= 1).all())
        assert bool((step.steps()[last] == 0).all())
