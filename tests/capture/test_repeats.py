"""Prompts that are said several times are no independent ones, and whoever reads them is told how many there are."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import workbench as wb
from workbench.capture import planning
from workbench.capture.planning import plan_capture
from workbench.cli.options import contrast_of
from workbench.contrast.tables import pairs_from_table
from workbench.vocabulary import Pole

ROWS = [(f"I {verb}.", f"I never {verb}.") for verb in ("talk", "sing", "dance")]


def said(times: int) -> wb.Contrast:
    high, low = zip(*ROWS * times, strict=True)
    return wb.Contrast.from_texts("calm", high=high, low=low)


def widths(effects: wb.Effects) -> torch.Tensor:
    low, high = effects.interval()
    return (high - low).nanmedian()


def test_three_pairs_said_forty_times_are_no_surer(model: wb.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    often = wb.effect_sizes(wb.capture(model, said(40)))
    exact = wb.load_model(dtype=torch.float64)  # single precision rounds with the shape of a batch
    means = [wb.effect_sizes(wb.capture(exact, said(times))).mean_difference for times in (1, 40)]
    torch.testing.assert_close(means[1], means[0], atol=1e-6, rtol=1e-5)
    assert often.errors is not None
    assert often.errors.clusters == {"description": 3}
    named = replace(said(1), descriptions=dict.fromkeys((Pole.HIGH, Pole.LOW), ("a", "b", "c")))
    error = wb.effect_sizes(wb.capture(model, named, clusters=["description"])).errors
    assert error is not None
    torch.testing.assert_close(often.errors.mean_difference, error.mean_difference, atol=1e-6, rtol=1e-4)
    naive = wb.effect_sizes(wb.capture(model, said(40), clusters=()))
    assert naive.errors is None
    assert widths(naive) < widths(often) / 4  # what rows taken for independent look like
    monkeypatch.setattr(planning, "MAX_CLUSTER_MEMORY", 1000)
    with pytest.warns(UserWarning, match=r"too narrow \(high: 120 prompts, 3 distinct; .*clusters=\['description'\]"):
        wb.capture(model, said(40))


def test_it_is_said_how_many_prompts_differ(model: wb.Model) -> None:
    assert str(plan_capture(model, said(40))).startswith("240 prompts, 6 distinct, ")
    assert "distinct" not in str(plan_capture(model, said(1)))
    assert said(40).said == "high: 120 prompts, 3 distinct; low: 120 prompts, 3 distinct"
    assert (said(1).said, said(1).repeats, said(2).repeats) == ("", False, True)
    assert wb.capture(model, said(40)).provenance["prompts"] == said(40).said
    assert "prompts" not in wb.capture(model, said(1)).provenance


def test_equal_prompts_share_a_description_whatever_their_ids() -> None:
    prompts = tuple(wb.Prompt(text) for text in ("I talk.", "I sing.", "I talk.", "I dance.", "I hum.", "I hum."))
    other = tuple(wb.Prompt(f"No. {each.user}") for each in prompts[::-1])
    ids = {Pole.HIGH: ("a", "b", "c", "c", "d", "e"), Pole.LOW: ("1", "2", "3", "4", "5", "6")}
    contrast = wb.Contrast("calm", prompts, other, descriptions=ids)
    assert contrast.descriptions[Pole.HIGH] == ("a", "b", "a", "a", "d", "d")
    assert contrast.descriptions[Pole.LOW] == ("1", "1", "3", "4", "5", "4")
    distinct = replace(contrast, high=tuple(wb.Prompt(f"{i}") for i in range(6)), descriptions=ids)
    assert distinct.descriptions[Pole.HIGH] == ids[Pole.HIGH]


def test_a_file_with_repeats_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pairs.jsonl"
    rows = [{"high": high, "low": low, "question": "Who?"} for high, low in ROWS * 40]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    contrast_of(pairs_from_table(path, trait="calm"), read=True)
    assert capsys.readouterr().err == (
        "pairs.jsonl: high: 120 prompts, 3 distinct; low: 120 prompts, 3 distinct; equal prompts are no independent "
        "ones\n"
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:3]), encoding="utf-8")
    contrast_of(pairs_from_table(path, trait="calm"), read=True)
    assert capsys.readouterr().err == ""
