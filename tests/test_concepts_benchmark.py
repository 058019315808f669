"""The page on the four concepts: what it says of numbers that are given to it, failures among them."""

import pandas as pd
import pytest

from benchmarks.concepts import SMALL, WHOLE, config_of, main, page
from workbench.concept.packaged import OTHERS

ARMS = {"description prompt": 0.5, "DPN-LE": 0.3, "residual": 0.4, "random": 0.01}


def tables(**changes: dict[str, float]) -> dict[str, pd.DataFrame]:
    """Tables in which every arm moves both concepts, but for the changes: arm to half-width of its interval on Mood."""
    shifts = [
        {"trait": trait, "arm": arm, "direction": way, "shift": shift, "low": shift - half, "high": shift + half}
        for trait in ("Formality", "Mood")
        for arm, shift in ARMS.items()
        for half in [changes.get(arm.replace("-", "_").replace(" ", "_"), {}).get(trait, 0.1)]
        for way in ("both", "increase", "decrease")
    ]
    beyond = [
        {"control": "random", "trait": trait, "difference": 0.29, "low": 0.29 - half, "high": 0.29 + half, "draws": 20}
        | {"least_draw": -0.02, "greatest_draw": 0.05, "p_draws": 0.0476}
        for trait in ("all", "Formality", "Mood")
        for half in [changes.get("beyond", {}).get(trait, 0.1)]
    ]
    layers = [
        {"trait": trait, "layer": layer, "neurons": 1536, "high": 3, "low": 2}
        for layer in (0, 1)
        for trait in ("Formality", "Mood")
    ]
    return {
        "shifts": pd.DataFrame(shifts),
        "against_controls": pd.DataFrame(beyond),
        "selection": pd.DataFrame(layers),
    }


def told(frames: dict[str, pd.DataFrame]) -> list[str]:
    return page(frames, model="a model", gamma=2.0, concepts=("Formality", "Mood")).splitlines()


def test_the_page_holds_every_number() -> None:
    lines = told(tables())
    assert (
        "| Formality | +0.500 [+0.400, +0.600] | +0.300 [+0.200, +0.400] | 10 | -0.020, +0.050 "
        "| +0.290 [+0.190, +0.390] | 0.05 | +0.400 [+0.300, +0.500] |"
    ) in lines
    assert "- **Mood**: the persona moves its statements, and DPN-LE 60% as far, beyond random neurons." in lines
    assert any("drawn 20 times" in line and "0.05 at the least" in line for line in lines)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"description_prompt": {"Mood": 0.6}}, "fails; the persona does not surely move its statements"),
        ({"DPN_LE": {"Mood": 0.6}}, "the persona moves its statements; DPN-LE does not surely."),
        ({"beyond": {"Mood": 0.6}}, "and DPN-LE 60% as far, but not surely beyond random neurons."),
    ],
)
def test_a_failure_is_said_of_its_concept_alone(changes: dict[str, dict[str, float]], said: str) -> None:
    verdicts = [line for line in told(tables(**changes)) if line.startswith("- **")]
    assert said in verdicts[1]
    assert "60% as far, beyond random neurons" in verdicts[0]


def test_a_concept_without_neurons_has_no_numbers_of_an_edit() -> None:
    frames = tables()
    frames["against_controls"] = frames["against_controls"].query("trait != 'Mood'")
    lines = told(frames)
    assert "- **Mood**: the persona moves its statements; DPN-LE selects no neuron of it." in lines


@pytest.mark.parametrize("sizes", [WHOLE, SMALL])
def test_its_study_can_be_run(sizes: dict) -> None:
    config = config_of("smollm2", OTHERS, **sizes)
    assert config.traits == OTHERS
    assert config.contrast == "builtin"


def test_a_model_that_is_not_here_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--model", "/nowhere/model.gguf"])
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("/nowhere/model.gguf: skipped. ")
