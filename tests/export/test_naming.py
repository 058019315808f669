"""Names in file names."""

from pathlib import Path

import pytest
import torch

import workbench as wb
from workbench.export.dpn_le import write_dpn_le_edit
from workbench.export.naming import MOST_BYTES, file_part
from workbench.export.npti import write_npti_edit

LEADING_OUT = ["../x", "a/b", "..", ".hidden", "", "x" * 121, "é" * 61, "nul\0", "a\\b", "C:x", "line\n", " x", "a|b"]


@pytest.mark.parametrize("name", LEADING_OUT)
def test_a_name_that_is_more_than_a_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="in a file name") as raised:
        file_part(name, what="trait")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["Openness", "self control", "Offenheit für Neues", "a + b", "x" * MOST_BYTES])
def test_any_other_name_stays(name: str) -> None:
    assert file_part(name, what="trait") == name


@pytest.mark.parametrize("trait", ["../x", "a/b", "", "x" * 200, "nul\0"])
def test_no_writer_follows_a_traits_name(model: wb.Model, trait: str, tmp_path: Path) -> None:
    edit = wb.Edit.of({1: torch.ones(768)}, trait=trait, method="m", direction="increase", site="hook_post")
    folder = tmp_path / "within" / "folder"
    with pytest.raises(ValueError, match="A trait in a file name"):
        write_dpn_le_edit(model, edit, folder)
    empty = wb.Tally(trait, "hook_pre", (1,), {})
    with pytest.raises(ValueError, match="A trait in a file name"):
        write_npti_edit(model, edit, folder, tally=empty)
    assert not list(tmp_path.iterdir())
