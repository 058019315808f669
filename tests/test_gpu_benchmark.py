"""Every function of the GPU's benchmark on a tiny model on the CPU; what it divides by what; and that it skips."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import workbench as wb
from benchmarks import gpu

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny() -> Any:
    return gpu.llama(vocab_size=32_000, hidden_size=32, intermediate_size=64, num_hidden_layers=2)


@pytest.fixture(scope="module")
def found(tiny: Any) -> dict[str, Any]:
    return gpu.measure(CPU, torch.bfloat16, tiny, pairs=4, steps=2, batches=(1, 2))


def test_all_is_measured_and_printed(found: dict[str, Any]) -> None:
    assert found["rates"]["matmul"] > 0
    assert found["rates"]["copy"] > 0
    assert found["capture"]["prompts"] == 8
    assert [each["rows"] for each in found["decode"]] == [1, 2]
    assert json.loads(json.dumps(found)) == found
    text = gpu.table({**found, "study": 12.3})
    for words in (
        "of the products' rate (goal: 60%)",
        "of the copies' rate (goal: 60%)",
        "an edit adds",
        "study: 12 s",
    ):
        assert words in text


def test_shares_are_work_over_time_over_rate(found: dict[str, Any], tiny: Any) -> None:
    capture = found["capture"]
    a_block = 2 * 32 * 32 + 2 * 32 * 8 + 3 * 32 * 64  # q, o; k, v of one of 4 heads; gate, up and down
    work = 2 * 2 * a_block * capture["tokens_computed"]
    share = work / capture["seconds"] / found["rates"]["matmul"]
    assert capture["share_of_matmul_rate"] == pytest.approx(share)
    model = gpu.random_model(tiny, CPU, torch.bfloat16)
    read = 2 * (2 * a_block + 32_000 * 32 + 2 * 2 * 8 * 3 * 10)  # weights, unembedding, keys and values of 10 positions
    assert gpu.bytes_of_step(model, rows=3, past=10) == read


def test_a_random_model_is_made_in_its_number_type(tiny: Any) -> None:
    model = gpu.random_model(tiny, CPU, torch.bfloat16)
    assert {p.dtype for p in model.network.parameters()} == {torch.bfloat16}
    assert torch.get_default_dtype() == torch.float32
    assert sum(p.numel() for p in model.network.parameters()) < 3e6
    eight = gpu.llama_3_8b()
    assert (eight.num_attention_heads, eight.num_key_value_heads) == (32, 8)


def test_half_precision_is_near_float64(found: dict[str, Any]) -> None:
    single = gpu.correctness(CPU, torch.float32)
    for name in ("logits", "captured"):
        assert 0 < single[name] < 1e-5
        assert 100 * single[name] < found["correctness"][name] < gpu.TOLERANCE


def test_seconds_are_the_median_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: Iterator[float] = iter([0.0, 9.0, 10.0, 11.0, 20.0, 23.0, 30.0, 32.0])
    monkeypatch.setattr(gpu.time, "perf_counter", lambda: next(ticks))
    assert gpu.seconds_of(lambda: None, CPU, turns=3) == 2.0


def test_a_study_is_timed(monkeypatch: pytest.MonkeyPatch, tiny: Any) -> None:
    ran: list[object] = []
    monkeypatch.setattr(wb, "run_study", lambda config, folder, *, model: ran.append((config, model)))
    model = gpu.random_model(tiny, CPU, torch.bfloat16)
    assert gpu.study_seconds(model, wb.StudyConfig()) >= 0
    assert len(ran) == 1


def test_without_a_gpu_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu", "--out", str(tmp_path / "results.json")])
    assert gpu.main() == 0
    assert "skipped, torch finds no GPU here" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
