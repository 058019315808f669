"""The prompts that move a neuron most, against a sorted list of all of them."""

import pytest

import workbench as wb
from workbench.capture import Activations
from workbench.capture.top_prompts import top_prompts
from workbench.vocabulary import Pole


@pytest.fixture(scope="module")
def kept(model: wb.Model, contrast: wb.Contrast) -> Activations:
    kept = wb.capture(model, contrast, keep=True, layers=[2, 5])
    assert isinstance(kept, Activations)
    return kept


def test_ends_are_those_of_all_rows_sorted(kept: Activations, contrast: wb.Contrast) -> None:
    found = top_prompts(kept, contrast, 5, 17, k=4)
    every = sorted(
        (float(value), str(pole), row)
        for pole, rows in kept.activations.items()
        for row, value in enumerate(rows[:, 1, 17])
    )
    most, least = found[found["end"] == "most"], found[found["end"] == "least"]
    assert most["activation"].tolist() == pytest.approx([value for value, _, _ in every[:-5:-1]])
    assert least["activation"].tolist() == pytest.approx([value for value, _, _ in every[:4]])
    assert found["rank"].tolist() == [1, 2, 3, 4] * 2
    for top in found.itertuples():
        prompt = contrast.poles[Pole(str(top.pole))][top.row]  # type: ignore[index]
        assert (top.question, top.description) == (prompt.user, prompt.system or "")
        assert float(kept.at(5, str(top.pole))[top.row, 17]) == top.activation  # type: ignore[index]


def test_one_pole_alone(kept: Activations, contrast: wb.Contrast) -> None:
    found = top_prompts(kept, contrast, 2, 0, k=3, pole="low")
    assert set(found["pole"]) == {"low"}
    assert found["activation"].iloc[0] == float(kept.at(2, "low")[:, 0].max())


def test_more_rows_than_there_are_gives_all(kept: Activations, contrast: wb.Contrast) -> None:
    assert len(top_prompts(kept, contrast, 2, 0, k=1000, pole="high")) == 2 * len(contrast)


def test_rows_of_several_positions_name_their_prompt(model: wb.Model, contrast: wb.Contrast) -> None:
    few = contrast.rows(range(3))
    kept = wb.capture(model, few, keep=True, layers=[1], position="all")
    assert isinstance(kept, Activations)
    top = top_prompts(kept, few, 1, 3, k=1).iloc[0]
    values = kept.activations[Pole(top["pole"])][:, 0, 3]
    assert top["activation"] == float(values.max())
    strongest = int(values.argmax())
    pole = Pole(top["pole"])
    assert (top["row"], top["position"]) == (int(kept.prompts[pole][strongest]), int(kept.positions[pole][strongest]))


def test_mistakes_are_named(kept: Activations, contrast: wb.Contrast) -> None:
    other = wb.Contrast.testbed("Openness", n=40, seed=3)
    with pytest.raises(ValueError, match=r"of other prompts than Contrast\('Openness', 40 rows"):
        top_prompts(kept, other, 2, 0)
    with pytest.raises(ValueError, match="places 0 to 767, but 768 arrived"):
        top_prompts(kept, contrast, 2, 768)
    with pytest.raises(ValueError, match="Layer 3 was not captured"):
        top_prompts(kept, contrast, 3, 0)
    with pytest.raises(ValueError, match="from 1 up, but 0 arrived"):
        top_prompts(kept, contrast, 2, 0, k=0)
    with pytest.raises(ValueError, match="high, low, neutral, but 'middle' arrived"):
        top_prompts(kept, contrast, 2, 0, pole="middle")
