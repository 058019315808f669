import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import workbench as wb

REPORT = Path(__file__).with_name("generation_report.py")
THREE = Path(os.environ.get("TRANSFORMER_LENS_3", Path(__file__).parents[2] / ".venv" / "transformer-lens-3"))


def reported(kind: str, out: Path, *, older: bool) -> tuple[str, dict[str, torch.Tensor]]:
    environment = os.environ | ({"PYTHONPATH": str(THREE)} if older else {})
    done = subprocess.run(
        [sys.executable, str(REPORT), kind, str(out)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with safe_open(out, framework="pt") as file:
        version = file.metadata()["transformer_lens"]
    return version, load_file(out)


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    version, found = reported("bridge", tmp_path_factory.mktemp("current") / "four.safetensors", older=False)
    assert int(version.split(".")[0]) >= 4
    return found


@pytest.mark.skipif(
    not THREE.is_dir(), reason="TransformerLens 3 is not beside the current one: make check puts it there"
)
@pytest.mark.parametrize("kind", ["bridge", "hooked"])
def test_transformer_lens_3_gives_the_same_effects_and_tokens(
    kind: str, current: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    version, found = reported(kind, tmp_path / "three.safetensors", older=True)
    assert version == "3.9.0"
    assert found.keys() == current.keys()
    assert bool(found["shares"]), "beginnings must be shared there too"
    for name, expected in current.items():
        if expected.is_floating_point():
            torch.testing.assert_close(found[name], expected, atol=1e-4, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")
        else:
            assert torch.equal(found[name], expected), name


def test_folded_norms_give_the_same_neurons(model: wb.Model, contrast: wb.Contrast) -> None:
    folded = wb.load_model("testbed")
    folded.hooked.enable_compatibility_mode()
    assert not torch.equal(folded.hooked.blocks[0].mlp.W_in, model.hooked.blocks[0].mlp.W_in)
    plain, of_folded = (wb.capture(each, contrast) for each in (model, folded))
    for pole, moments in plain.moments.items():
        torch.testing.assert_close(of_folded.moments[pole].mean, moments.mean, atol=5e-5, rtol=1e-4)
    assert folded.generate("What is 21 + 13?", max_new_tokens=4) == ["34"]
