"""In shorter number types a baked checkpoint is as near to float32 as the hooked model is, or it is not kept."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

import workbench as wb
from workbench.export import biases
from workbench.export.equality import MOST_ROUNDING, Agreement, Expected, agreement


@pytest.fixture(scope="module")
def edit(effects: wb.Effects, selection: wb.Selection) -> wb.Edit:
    return wb.dpn_edit(effects, selection, gamma=0.5)


@pytest.fixture(scope="module", params=[torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def short(request: pytest.FixtureRequest) -> wb.Model:
    return wb.load_model("testbed", dtype=request.param)


def test_rounding_is_measured_and_kept_to(short: wb.Model, edit: wb.Edit, tmp_path: Path) -> None:
    shown = wb.bake(short, edit, tmp_path / "baked", new_tokens=8)
    assert shown.rounding is not None
    assert shown.error is not None
    assert 0.7 * shown.rounding < shown.error <= MOST_ROUNDING * shown.rounding < 0.02 * shown.logit_spread
    record = json.loads((tmp_path / "baked" / "bake.json").read_text())
    assert record["dtype"] == str(short.dtype).removeprefix("torch.")
    names = ("max_logit_difference", "rounding", "error", "greedy_tokens", "greedy_ties", "logit_spread")
    assert [record[name] for name in names] == [getattr(shown, name) for name in names]
    plain: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "baked")  # as the checkpoint says
    assert plain.dtype == short.dtype
    # Held against the edited model in float32 by another way: the wrapped weights, the edit, no checkpoint.
    full = wb.load_model("testbed")
    ids = torch.tensor(full.tokens(["What do you do at the party?"]))
    with torch.no_grad():
        with wb.edited(full, edit, scope="all"):
            exact = full.hooked(ids)
        assert (plain(ids).logits.float() - exact).square().mean().sqrt() < 0.03 * exact.std()


@pytest.mark.parametrize("factor", [0.0, 0.9, 1.05], ids=["not at all", "nine tenths", "a twentieth more"])
def test_an_edit_baked_in_wrongly_is_seen_through_the_rounding(
    factor: float, edit: wb.Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = biases.BAKERS["llama"]

    def wrong(stock: Any, writes: dict) -> tuple[Any, tuple[str, ...]]:
        return right(stock, {layer: factor * write for layer, write in writes.items()})

    monkeypatch.setitem(biases.BAKERS, "llama", wrong)
    with pytest.raises(ValueError, match="The baked checkpoint is not the edited model"):
        wb.bake(wb.load_model("testbed", dtype=torch.bfloat16), edit, tmp_path / "baked", new_tokens=4)
    assert not list(tmp_path.iterdir())


def case(*, exact: bool) -> tuple[Expected, torch.Tensor]:
    """Logits at six positions of which three are greedy tokens, and those logits again."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 20, generator=generator)
    tokens = torch.cat([torch.zeros(3, dtype=torch.int64), logits[2:5].argmax(-1)])
    noisy = logits + 1e-3 * torch.randn(6, 20, generator=generator)
    return Expected(tokens, 3, noisy if exact else logits, logits if exact else None), logits


def judged(one: Expected, theirs: torch.Tensor) -> Agreement:
    return agreement(lambda ids: theirs[None], [one], dtype=torch.float32 if one.exact is None else torch.bfloat16)


def test_in_float32_every_token_and_every_logit_counts() -> None:
    one, logits = case(exact=False)
    assert judged(one, logits).max_logit_difference == 0
    assert judged(one, logits + 0.5e-4 * logits.std()).greedy_ties == 0
    with pytest.raises(ValueError, match=r"logits differ by up to 0.001, where 0.0001 is allowed in torch.float32"):
        judged(one, logits + 1e-3)
    other = logits.clone()
    first = int(logits[2].argmax())
    other[2, (first + 1) % 20] = other[2, first] + 1e-6  # within every tolerance, but another token
    with pytest.raises(ValueError, match=rf"greedy token 0 of a prompt is {(first + 1) % 20} instead of {first}"):
        judged(one, other)


def test_in_shorter_types_ties_may_fall_either_way_and_nothing_else_may() -> None:
    one, logits = case(exact=True)
    assert one.exact is not None
    noise = 1e-3 * torch.randn(6, 20, generator=torch.Generator().manual_seed(1))
    fine = judged(one, logits + noise)
    assert fine.rounding == pytest.approx(1e-3, rel=0.2)
    assert fine.error == pytest.approx(1e-3, rel=0.2)
    with pytest.raises(ValueError, match=r"are 0.0019 from float32 .* 0.0011 off and 1.5 times that is allowed"):
        judged(one, logits + 2 * noise)
    first = int(one.logits[2].argmax())
    second = (first + 1) % 20
    close = Expected(one.tokens, 3, one.logits.clone(), one.exact.clone())
    assert close.exact is not None
    close.exact[2, second] = close.exact[2, first] - 1e-4  # a tie, as far as the rounding can tell
    close.logits[2, second] = close.exact[2, second]
    theirs = close.exact + noise
    theirs[2, second] = theirs[2, first] + 1e-4
    assert judged(close, theirs).greedy_ties == 1
    far = logits + noise
    far[2, second] = far[2, first] + 0.1
    with pytest.raises(ValueError, match="greedy token 0 of a prompt .* more than rounding in torch.bfloat16"):
        judged(one, far)
