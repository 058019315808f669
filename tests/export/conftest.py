"""Edits that exports are tested with."""

import pytest
import torch

import workbench as wb


def random_edit(model: wb.Model, layers: tuple[int, ...], *, site: str = "hook_post", gamma: float = 1.5) -> wb.Edit:
    width = model.d_mlp if site == "hook_post" else model.d_model
    generator = torch.Generator().manual_seed(1)
    return wb.Edit.of(
        {layer: torch.randn(width, generator=generator) for layer in layers},
        trait="Openness",
        method="test",
        direction="increase",
        site=site,
        gamma=gamma,
    )


@pytest.fixture(scope="session")
def edit(model: wb.Model) -> wb.Edit:
    """A dense edit of three blocks of the embedded model, none of them block 0."""
    return random_edit(model, (2, 5, 7))


@pytest.fixture(scope="session")
def residual(model: wb.Model) -> wb.Edit:
    return random_edit(model, (1, 6), site="resid_post", gamma=0.5)


@pytest.fixture(scope="session")
def prompt(model: wb.Model) -> torch.Tensor:
    """`(1, pos)` token ids."""
    return torch.tensor(model.tokens(["What do you do at the party?"]))
