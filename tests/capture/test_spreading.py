import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch

import workbench as wb
from workbench.capture import Activations, plan
from workbench.measure.moments import Moments
from workbench.model.reaching import reach_cluster

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'dpn-workbench[ray]'")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "GROUP_PROMPTS", 10)


def workers() -> list[psutil.Process]:
    """The processes of this cluster that run a capture's worker."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any(part.startswith("ray::Worker") for part in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.filterwarnings("ignore")
def test_two_workers_one_of_them_killed_count_everything_once(checkpoint: Path, tmp_path: Path) -> None:
    model = wb.load_model(checkpoint)
    contrast = wb.Contrast.testbed("Extraversion", n=40, seed=2)
    expected = wb.capture(model, contrast, positive=True, keep=True)
    assert isinstance(expected, Activations)
    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        running = workers()
        if not killed and len(running) == 2:
            os.kill(running[0].pid, signal.SIGKILL)
            killed.append(running[0].pid)

    found = wb.capture(
        model,
        contrast,
        positive=True,
        keep=True,
        engine="ray",
        workers=2,
        folder=tmp_path / "spread",
        progress=kill_one,
    )
    assert killed, "no worker was there to be killed"
    assert isinstance(found, Activations)
    for pole, moments in expected.moments.items():
        assert found.moments[pole].count == moments.count == 40
        # The workers' own float32 rows differ in their last digits; merging them adds nothing to that.
        of_rows = Moments.of(found.activations[pole])
        torch.testing.assert_close(found.moments[pole].mean, of_rows.mean, atol=1e-12, rtol=1e-9)
        torch.testing.assert_close(found.moments[pole].m2, of_rows.m2, atol=1e-12, rtol=1e-9)
        torch.testing.assert_close(found.moments[pole].mean, moments.mean, atol=1e-7, rtol=1e-5)
        assert torch.equal(found.positive[pole], expected.positive[pole])
        torch.testing.assert_close(found.activations[pole], expected.activations[pole], atol=1e-6, rtol=1e-5)


def test_a_model_that_workers_cannot_load_is_refused(checkpoint: Path, contrast: wb.Contrast) -> None:
    loaded = wb.load_model(checkpoint)
    wrapped = wb.wrap_model(loaded.hooked, loaded.tokenizer)
    with pytest.raises(ValueError, match="needs a model that each worker can load again"):
        wb.capture(wrapped, contrast, engine="ray")
    with torch.no_grad():
        loaded.network.model.layers[0].mlp.down_proj.weight[0, 0] += 1
    with pytest.raises(ValueError, match="Every worker needs the same weights, but worker 0 loaded"):
        wb.capture(loaded, contrast, engine="ray", workers=1)


def test_a_running_cluster_is_found_at_its_address() -> None:
    address = ray.get_runtime_context().gcs_address
    assert reach_cluster(address) == address
