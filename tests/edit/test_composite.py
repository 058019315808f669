from pathlib import Path

import pytest
import torch

import workbench as wb
from workbench.edit.edit import COMPOSITE_FORMAT, Composite, load_edit
from workbench.tensorfile import read_tensors, write_tensors


def edit_of(site: str = "hook_post", operation: str = "add", *, gamma: float = 1.0, trait: str = "t") -> wb.Edit:
    return wb.Edit.on(
        wb.NeuronSet.of([(0, 1), (2, 0)]), torch.tensor([0.0, -2.0]), operation=operation, width=3, trait=trait,
        method=operation, direction="increase", site=site, gamma=gamma,
    )  # fmt: skip


def test_edits_that_add_at_one_site_stay_an_edit() -> None:
    both = edit_of() + edit_of(gamma=0.5)
    assert isinstance(both, wb.Edit)
    assert both.delta(2).tolist() == [-3.0, 0.0, 0.0]
    for other in (edit_of("resid_post"), edit_of(operation="set"), edit_of() + edit_of("z")):
        assert isinstance(edit_of() + other, Composite)


def test_gamma_scales_every_part() -> None:
    both = edit_of(gamma=0.5) + edit_of("act", "cap", trait="u")
    assert isinstance(both, Composite)
    assert [part.gamma for part in both.with_gamma(2.0).parts] == [1.0, 2.0]
    assert both.with_gamma(2.0).gamma == 2.0
    assert not both.with_gamma(0.0).acts
    assert (both.trait, both.method, both.direction, both.site) == ("t + u", "add + cap", "increase", "hook_post + act")
    assert len(both) == 4
    assert both.layers == (0, 2)
    added = both.with_gamma(2.0) + edit_of("z")
    assert [part.gamma for part in added.parts] == [1.0, 2.0, 1.0]


def test_a_composite_is_read_back_as_it_was(tmp_path: Path) -> None:
    both = (edit_of(gamma=0.5) + edit_of("act", "cap")).with_gamma(1.5)
    assert isinstance(both, Composite)
    path = both.save(tmp_path / "both.safetensors")
    assert load_edit(path) == both
    assert both != both.with_gamma(1.0)
    assert repr(both) == (
        "Composite(add + cap, increase t, gamma 1.5, 2 edits of 4 units at hook_post + act in 2 layers)"
    )
    frame = both.frame()
    assert list(frame) == ["part", "site", "operation", "layer", "unit", "value", "delta"]
    assert frame["delta"].tolist() == [0.0, -1.5, 0.0, -3.0]
    with pytest.raises(ValueError, match="both.safetensors is no 'workbench edit 2'"):
        wb.Edit.load(path)


def test_an_operation_is_read_back_as_it_was(tmp_path: Path) -> None:
    edit = edit_of(operation="set", gamma=0.25)
    path = edit.save(tmp_path / "edit.safetensors")
    assert wb.Edit.load(path) == edit == load_edit(path)
    assert edit != edit_of(gamma=0.25)


@pytest.mark.parametrize("lost", ["0.value", "name", "edits"])
def test_a_composite_that_lacks_a_field_is_refused(tmp_path: Path, lost: str) -> None:
    header, tensors = read_tensors(
        (edit_of() + edit_of("act", "cap")).save(tmp_path / "both.safetensors"), format=COMPOSITE_FORMAT
    )
    for fields in (header, tensors):
        fields.pop(lost, None)
    path = write_tensors(tmp_path / "less.safetensors", format=COMPOSITE_FORMAT, header=header, tensors=tensors)
    with pytest.raises(ValueError, match="less.safetensors is no whole 'workbench (composite )?edit"):
        load_edit(path)


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="at least 1 edit"):
        Composite(())
    both = edit_of() + edit_of("act", "cap")
    with pytest.raises(ValueError, match=r"Only one edit that adds.*Composite\(add \+ cap"):
        both.delta(0)
    with pytest.raises(ValueError, match="gamma is at least 0, but -1.0 arrived"):
        both.with_gamma(-1.0)
    narrow = wb.Edit.of({0: torch.ones(2)}, trait="t", method="m", direction="increase", site="hook_post")
    with pytest.raises(ValueError, match="hook_post are 3 and 2 wide"):
        Composite((edit_of(), narrow))
