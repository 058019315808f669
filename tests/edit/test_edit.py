from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import workbench as wb


def edit_of(values: dict[int, list[float]], **settings) -> wb.Edit:
    deltas = {layer: torch.tensor(row) for layer, row in values.items()}
    return wb.Edit.of(deltas, trait="t", method="m", direction="increase", site="hook_post", **settings)


rows = st.lists(st.floats(-4, 4, width=32), min_size=3, max_size=3)


@given(rows, rows, st.floats(-2, 2))
def test_deltas_scale_with_gamma_and_add(a: list[float], b: list[float], gamma: float) -> None:
    one, other = edit_of({0: a}), edit_of({0: b, 2: a}, gamma=gamma)
    torch.testing.assert_close(one.with_gamma(gamma).delta(0), gamma * one.delta(0))
    both = one + other
    for layer in range(3):
        torch.testing.assert_close(both.delta(layer), one.delta(layer) + other.delta(layer))


def test_zeros_are_left_out() -> None:
    edit = edit_of({1: [0.0, 2.0, 0.0], 3: [0.0, 0.0, 0.0]})
    assert list(edit.neurons) == [(1, 1)]
    assert edit.layers == (1,)
    assert edit.delta(3).tolist() == [0.0, 0.0, 0.0]


def test_an_edit_is_read_back_as_it_was(tmp_path: Path) -> None:
    edit = edit_of({1: [0.5, 0.0, -1.0]}, gamma=0.75, provenance={"rule": "dual"})
    read = wb.Edit.load(edit.save(tmp_path / "edit.safetensors"))
    assert read == edit
    assert read.provenance == {"rule": "dual"}
    assert read.with_gamma(1.0) != edit


@pytest.mark.parametrize("content", [b"", b"not tensors", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_corrupt_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "edit.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^edit.safetensors is "):
        wb.Edit.load(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = edit_of({0: [1.0, 2.0, 3.0]}).save(tmp_path / "edit.safetensors")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="damaged"):
        wb.Edit.load(path)


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="gamma must be finite, but nan arrived"):
        edit_of({0: [1.0]}, gamma=float("nan"))
    with pytest.raises(ValueError, match="layer 2, unit 1 has inf"):
        edit_of({2: [1.0, float("inf")]})
    with pytest.raises(ValueError, match=r"one common width, but \[1, 2\]"):
        edit_of({0: [1.0], 1: [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"Edits add at one site, but hook_post \(1\) met hook_post \(2\)"):
        _ = edit_of({0: [1.0]}) + edit_of({0: [1.0, 2.0]})
    with pytest.raises(ValueError, match="There is no site 'nowhere'"):
        wb.Edit.of({0: torch.ones(2)}, trait="t", method="m", direction="increase", site="nowhere")
