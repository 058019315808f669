"""The table of architectures: the commonest of them are right, and what is wrong is found."""

from pathlib import Path

import pytest

from benchmarks.architectures.building import Unbuilt, build
from benchmarks.architectures.cells import COLUMNS
from benchmarks.architectures.page import Row, page
from benchmarks.architectures.running import rows_of
from workbench.model.runner import BridgeRunner

COMMONEST = [
    "LlamaForCausalLM",
    "GPT2LMHeadModel",
    "Gemma2ForCausalLM",
    "Olmo2ForCausalLM",
    "GPTNeoXForCausalLM",
    "MixtralForCausalLM",
    "NemotronHForCausalLM",
]


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    return {row.name: row for row in rows_of([*COMMONEST, "T5ForConditionalGeneration", "ExaoneForCausalLM"])}


@pytest.mark.parametrize("name", COMMONEST)
def test_the_commonest_architectures_are_right_or_refused(name: str, rows: dict[str, Row]) -> None:
    row = rows[name]
    assert not row.bugs
    assert list(row.cells) == list(COLUMNS)
    neurons = name not in ("MixtralForCausalLM", "NemotronHForCausalLM")
    assert [row.cells[column].worst is not None for column in ("capture", "edit", "patch")] == [neurons] * 3
    assert row.cells["residual sites"].worst is not None
    assert row.cells["generate"].worst == 0
    assert bool(row.cells["bake"].refused) is (name in ("Gemma2ForCausalLM", "Olmo2ForCausalLM") or not neurons)
    assert ("resid_mid" in row.cells["residual sites"].refused) is (name in ("GPTNeoXForCausalLM", COMMONEST[-1]))


def test_the_page_shows_every_architecture_once(rows: dict[str, Row]) -> None:
    text = page(list(rows.values()))
    for name in rows:
        assert text.count(f"| {name} |") == 1
    assert "/tmp" not in text
    assert "**bug**" not in text
    assert "it is an encoder-decoder (T5ForConditionalGeneration)" in text
    assert "| ExaoneForCausalLM | transformers has no class of this name" in text


def test_an_edit_that_misses_the_stream_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BridgeRunner, "copies_stream", False)
    (row,) = rows_of(["LlamaForCausalLM"])
    assert [bug.partition(" differs")[0] for bug in row.bugs] == ["LlamaForCausalLM, residual sites: edit at resid_mid"]
    assert "**bug**" in page([row])


def test_a_package_that_is_missing_is_the_reason(tmp_path: Path) -> None:
    with pytest.raises(Unbuilt, match="no class of this name"):
        build("NoSuchForCausalLM", None, tmp_path)
