import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import workbench as wb
from workbench.edit.composite import Composite, load_edit


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
    assert Composite.load(path) == both == load_edit(path)
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
    with pytest.raises(ValueError, match="edit.safetensors is no 'workbench composite edit 1'"):
        Composite.load(path)


def test_the_format_before_is_read_as_an_edit_that_adds(tmp_path: Path) -> None:
    edit = edit_of(gamma=0.75)
    names = ("trait", "method", "direction", "site", "width", "gamma", "provenance")
    header = {name: getattr(edit, name) for name in names}
    save_file(
        {"layer": edit.layer, "unit": edit.unit, "value": edit.value},
        tmp_path / "old.safetensors",
        metadata={"format": "workbench edit 1", "header": json.dumps(header)},
    )
    assert wb.Edit.load(tmp_path / "old.safetensors") == edit


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
