"""NPTI's files."""

import json
from pathlib import Path

import pytest

import workbench as wb

NPTI = Path(__file__).parents[3] / "shared" / "data" / "npti_neurons"


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_file_gives_its_neurons(tmp_path: Path) -> None:
    rows = {"3": [[3, 7, 0.5, 0.6, 0.1], [3, 2, 0.4, 0.5, 0.1]], "1": [[1, 9, 0.2, 0.3, 0.1]]}
    path = write(tmp_path / "Openness_reversed_dict.json", rows)
    assert list(wb.read_npti(path)) == [(1, 9), (3, 2), (3, 7)]
    write(tmp_path / "Openness_dict.json", {"0": [[0, 1, 0.2, 0.3, 0.1]]})
    assert set(wb.read_npti_folder(tmp_path)) == {("Openness", "low"), ("Openness", "high")}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"3": [[4, 7, 0.5, 0.6, 0.1]]}, "an entry of layer 4 stands under layer 3"),
        ({"3": [["a", 7]]}, r"an entry is \[layer, neuron, ...\], but \['a', 7\]"),
        ([1, 2], "holds a list, not neurons by layer"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        wb.read_npti(write(tmp_path / "Openness_dict.json", content))


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no file"):
        wb.read_npti(tmp_path / "none.json")
    with pytest.raises(FileNotFoundError, match="holds no NPTI sets"):
        wb.read_npti_folder(tmp_path)
    (tmp_path / "x.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="is no JSON"):
        wb.read_npti(tmp_path / "x.json")


@pytest.mark.skipif(not NPTI.is_dir(), reason="the published NPTI sets are not on this machine")
def test_the_published_sets() -> None:
    found = wb.read_npti(NPTI / "Extraversion_dict.json")
    assert len(found) > 2000
    assert int(found.layer.max()) < 32
    assert int(found.neuron.max()) < 14_336
