"""What a model says of itself, for files to be compared with."""

from pathlib import Path

import pytest

import workbench as wb
from workbench.export.fitting import check_same_weights, check_shape, model_type
from workbench.vocabulary import HOOK_POST


def test_the_architecture_has_hugging_faces_name(
    model: wb.Model, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model_type(model) == "llama"
    tiny = wb.load_model(checkpoint)
    monkeypatch.delattr(tiny.network, "config")  # as in a HookedTransformer, which knows the class's name
    monkeypatch.setattr(tiny.hooked.cfg, "original_architecture", "Qwen2ForCausalLM", raising=False)
    assert model_type(tiny) == "qwen2"
    monkeypatch.setattr(tiny.hooked.cfg, "original_architecture", None)
    with pytest.raises(ValueError, match="does not say which architecture it is. Load it with load_model"):
        model_type(tiny)


def test_shapes_and_weights_are_compared_with_both_values(model: wb.Model) -> None:
    check_shape(model, "x", site=HOOK_POST, width=768, layers=[7], n_layers=8)
    for wrong, said in [
        ({"width": 700}, "x is for a hook_post of width 700, but testbed has 768"),
        ({"layers": [3, 8]}, "x reaches layer 8, but testbed has layers 0 to 7"),
        ({"n_layers": 9}, "x is for a model of 9 blocks, but testbed has 8"),
    ]:
        with pytest.raises(ValueError, match=said):
            check_shape(model, "x", site=HOOK_POST, **{"width": 768, **wrong})
    check_same_weights(model, "x", None)
    check_same_weights(model, "x", model.fingerprint)
    check_same_weights(model, "x", "f" * 64, any_weights=True)
    with pytest.raises(ValueError, match=f"made on weights ffffffffffff, but testbed has {model.fingerprint[:12]}"):
        check_same_weights(model, "x", "f" * 64)
