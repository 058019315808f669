"""The papers' files: whole, checkable, and in accord with what the package knows elsewhere."""

from pathlib import Path

import pytest

from workbench.arm.registry import NAMES
from workbench.replicate.comparing import QUANTITIES
from workbench.replicate.data import KINDS, find_data, missing
from workbench.replicate.protocol import PAPERS, read_protocol
from workbench.select.presets import PRESETS, Shape
from workbench.study.config import StudyConfig


@pytest.mark.parametrize("paper", PAPERS)
def test_every_setting_and_number_says_where_it_stands(paper: str) -> None:
    protocol = read_protocol(paper)
    entries = [*protocol.settings, *protocol.models, *protocol.arms, *protocol.numbers]
    assert all(len(entry.where) > 10 for entry in entries)
    assert {number.quantity for number in protocol.numbers} <= set(QUANTITIES)
    for step in protocol.steps:
        assert all(need in KINDS or need == "judge" or need.startswith("a ") for need in step.needs)


def test_the_published_settings_are_the_presets_of_these_models() -> None:
    for model in read_protocol("dpn-le").models:
        preset = PRESETS[Shape(model.model_type, model.n_layers, model.d_model, model.d_mlp)]
        assert preset.name == model.name
        assert preset.layers == model.every_layer
        assert (preset.rule.quantile, preset.rule.min_d) == (model.quantile, model.min_d)
        assert set(preset.gammas) <= set(read_protocol("dpn-le").values["gammas"])


@pytest.mark.parametrize("paper", ["dpn-le", "npti"])
def test_arms_are_arms_and_the_dose_is_among_the_methods(paper: str) -> None:
    protocol = read_protocol(paper)
    assert {*[arm.name for arm in protocol.arms], *protocol.added} <= set(NAMES)
    own = next(arm for arm in protocol.arms if arm.name == protocol.method)
    assert own.doses is not None
    assert protocol.dose in own.doses
    for small in (False, True):
        doses, _ = protocol.doses(small=small)
        assert protocol.dose in (doses[protocol.method] or ())


def test_a_small_run_says_every_setting_that_it_changes() -> None:
    protocol = read_protocol("dpn-le")
    values, changes = protocol.changed(small=True, given={"pairs": 7})
    assert values["pairs"] == 7
    told = {change.what: str(change) for change in changes}
    assert told["pairs"] == "pairs: 7; in the paper: 1000"
    assert told["test_questions"] == "test_questions: 3; in the paper: all, 89 to 100 a trait"
    assert {s.name for s in protocol.settings if values[s.name] != s.value} == set(told)
    assert protocol.changed(small=False, given={}) == (protocol.values, [])


def test_a_file_of_ones_own_is_refused_by_its_entry(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="one of dpn-le, npti, caa, or a file"):
        read_protocol(tmp_path / "mine.toml")
    path = tmp_path / "mine.toml"
    path.write_text('name = "x"\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.toml, title: Field required"):
        read_protocol(path)
    path.write_text("name = ", encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.toml is no TOML"):
        read_protocol(path)
    source = Path(__file__).parents[2] / "workbench" / "replicate" / "published" / "npti.toml"
    path.write_text(source.read_text(encoding="utf-8").replace('step = "npti sets"', 'step = "sets"'), encoding="utf-8")
    with pytest.raises(ValueError, match="is of the step 'sets', but there is none"):
        read_protocol(path)


def test_data_are_found_by_their_published_names_and_what_lacks_is_said(tmp_path: Path) -> None:
    (tmp_path / "capability").mkdir()
    (tmp_path / "capability" / "gsm8k_test.json").write_text("[]", encoding="utf-8")
    (tmp_path / "personalitybench" / "test").mkdir(parents=True)
    assert set(find_data(tmp_path).paths) == {"gsm8k"}, "a folder without descriptions is no PersonalityBench"
    (tmp_path / "personalitybench" / "description.json").write_text("", encoding="utf-8")
    found = find_data(tmp_path)
    assert set(found.paths) == {"gsm8k", "personalitybench"}
    lacking = missing(read_protocol("dpn-le"), found, judged=False)
    assert lacking["personalitybench"] == "no judge was given"
    assert lacking["triviaqa"].startswith("there is no trivia_qa.jsonl or")
    assert "gsm8k" not in lacking
    assert "personalitybench" not in missing(read_protocol("dpn-le"), found, judged=True)
    with pytest.raises(NotADirectoryError, match="--data is a folder"):
        find_data(tmp_path / "nowhere")


def test_a_study_may_be_given_its_dose() -> None:
    config = StudyConfig(dose=1.0, gammas=(0.5, 2.0))
    from workbench.arm.registry import arm_named

    method = arm_named("DPN-LE")
    assert config.doses(method) == (1.0,), "no other dose is asked about on search questions"
    assert config.doses(method, 1.0) == (0.5, 1.0, 2.0)
    assert StudyConfig(gammas=(0.5, 2.0)).doses(method) == (0.5, 2.0)
    with pytest.raises(ValueError, match="dose"):
        StudyConfig(dose=0.0)
