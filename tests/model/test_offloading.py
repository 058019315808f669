"""Models spread by a device map, with weights on disk: every number is the plain model's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.export.exporting import export_edit
from workbench.model.lens import top_tokens
from workbench.model.likelihood import log_likelihoods
from workbench.model.offloading import in_memory

pytest.importorskip("accelerate", reason="a device map needs accelerate")

NAMES = ("model.embed_tokens", "model.layers.0", "model.layers.1", "model.norm", "model.rotary_emb", "lm_head")
MAPS: dict[str, Any] = {
    "a layer on disk": {name: "disk" if name == "model.layers.1" else "cpu" for name in NAMES},
    "all on disk": {"": "disk"},
}
TOKENS = torch.tensor([[5, 9, 2, 30, 7, 7, 1, 12]])


@pytest.fixture(scope="module")
def whole(checkpoint: Path) -> wb.Model:
    return wb.load_model(checkpoint)


@pytest.fixture(scope="module", params=MAPS)
def spread(checkpoint: Path, request: pytest.FixtureRequest) -> wb.Model:
    loaded = wb.load_model(checkpoint, device_map=MAPS[request.param])
    assert any(parameter.is_meta for parameter in loaded.network.parameters())
    return loaded


@pytest.fixture(scope="module")
def few(contrast: wb.Contrast) -> wb.Contrast:
    return contrast.rows(range(8))


@pytest.fixture(scope="module")
def found(whole: wb.Model, few: wb.Contrast) -> tuple[wb.Selection, Any]:
    effects = wb.effect_sizes(wb.capture(whole, few, layers=[1]))
    selection = wb.select_neurons(effects, quantile=0.7, min_d=0.1)
    return selection, wb.dpn_edit(effects, selection, gamma=2.0)


@torch.no_grad()
def logits(model: wb.Model) -> torch.Tensor:
    return model.network(input_ids=TOKENS.to(model.device)).logits


def likelihoods(model: wb.Model) -> torch.Tensor:
    prompts = model.tokens(["How are you?", "Where do you go in the evening?"])
    answers = model.tokens([" fine", " to the party"], chat=False)
    return torch.stack([one.sum() for row in log_likelihoods(model, prompts, [answers] * 2) for one in row])


READ: dict[str, Callable[[wb.Model], torch.Tensor]] = {
    "w_out": lambda model: model.w_out(1),
    "w_o": lambda model: model.w_o(1),
    "write norms": lambda model: model.write_norms(),
    "logit lens": lambda model: torch.tensor(top_tokens(model, 1, 3, k=4)["logit"].to_numpy()),
    "likelihoods": likelihoods,
    "logits": logits,
}


@pytest.mark.parametrize("what", READ)
def test_what_is_read_is_the_same(whole: wb.Model, spread: wb.Model, what: str) -> None:
    # Weights are the same to the last bit. Products with them are but for rounding, which depends on where in memory a
    # weight lies.
    bound = 1e-6 if what in ("likelihoods", "logits") else 0.0
    torch.testing.assert_close(READ[what](spread), READ[what](whole), atol=bound, rtol=bound)


def test_a_spread_model_is_the_same_model(whole: wb.Model, spread: wb.Model) -> None:
    assert spread.fingerprint == whole.fingerprint
    assert (repr(spread), spread.d_mlp, spread.device) == (repr(whole), whole.d_mlp, torch.device("cpu"))
    assert spread.generate(["How are you?", "Why?"], max_new_tokens=5) == whole.generate(
        ["How are you?", "Why?"], max_new_tokens=5
    )
    # What was brought for reading is not kept.
    assert any(parameter.is_meta for parameter in spread.network.parameters())


def test_what_is_computed_is_the_same(whole: wb.Model, spread: wb.Model, few: wb.Contrast, found: Any) -> None:
    selection, edit = found
    ours, theirs = (wb.effect_sizes(wb.capture(model, few)) for model in (spread, whole))
    torch.testing.assert_close(ours.mean_difference, theirs.mean_difference, atol=0, rtol=0)
    changed = []
    for model in (spread, whole):
        with wb.edited(model, edit, scope="all"):
            changed.append(logits(model))
    torch.testing.assert_close(*changed, atol=0, rtol=0)
    assert (changed[0] - logits(whole)).abs().max() > 1e-4
    for direct in (False, True):
        patched = [wb.edit.patch(model, few, selection.high, direct=direct).rows() for model in (spread, whole)]
        assert patched[0].equals(patched[1])
    steered = []
    for model in (spread, whole):
        residual = wb.effect_sizes(wb.capture(model, few, site="resid_post"))
        vector = wb.edit.residual_edit(residual, edit, writing=wb.edit.Writing.of(model))
        with wb.edited(model, vector, scope="all"):
            steered.append(logits(model))
    torch.testing.assert_close(*steered, atol=0, rtol=0)
    attributed = [wb.edit.attribution(model, few, layers=[1]) for model in (spread, whole)]
    assert torch.equal(*(next(v for v in vars(one).values() if isinstance(v, torch.Tensor)) for one in attributed))


def test_exports_are_the_same(whole: wb.Model, spread: wb.Model, found: Any, tmp_path: Path) -> None:
    _, edit = found
    for model, name in ((spread, "spread"), (whole, "whole")):
        export_edit(model, edit, tmp_path / f"{name}.gguf", to="gguf")
        wb.export.bake(model, edit, tmp_path / name)
    assert (tmp_path / "spread.gguf").read_bytes() == (tmp_path / "whole.gguf").read_bytes()
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("spread", "whole")]
    assert weights[0] == weights[1]


def test_a_hooks_weights_are_as_they_were_after_an_error(spread: wb.Model) -> None:
    mlp = spread.hooked.blocks[1].mlp
    with pytest.raises(KeyError):
        with in_memory(mlp):
            assert not any(parameter.is_meta for parameter in mlp.parameters())
            raise KeyError
    assert all(parameter.is_meta for parameter in mlp.parameters())


def test_weights_without_values_are_refused() -> None:
    with pytest.raises(ValueError, match="A Linear has weights on the meta device, which hold no values"):
        with in_memory(nn.Linear(2, 2, device="meta")):
            pass


def test_the_embedded_model_takes_a_map() -> None:
    spread = wb.load_model("testbed", device_map={"": "disk"})
    assert any(parameter.is_meta for parameter in spread.network.parameters())
    assert spread.generate("What is 21 + 13?", max_new_tokens=8) == ["34"]
