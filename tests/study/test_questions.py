"""Open questions from the embedded model's grammar or from a PersonalityBench folder, and a study of the latter."""

import json
from pathlib import Path
from random import Random

import pandas as pd
import pytest

import workbench as wb
from workbench.outcome.outcome import Outcome
from workbench.outcome.questions import open_questions
from workbench.study.plan import Plan
from workbench.testbed import grammar

SHARED = Path(__file__).parents[3] / "shared" / "data" / "personalitybench"
TRAIT = "Extraversion"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PersonalityBench's layout with sentences of our own, which the embedded model understands."""
    made, rng = tmp_path_factory.mktemp("bench"), Random(0)
    poles = {TRAIT: "high", f"{TRAIT}_reversed": "low"}
    rows = [{name: grammar.persona(rng, TRAIT, pole) for name, pole in poles.items()} for _ in range(20)]
    files = {"description.json": rows}
    for split in ("search", "test"):
        files[f"{split}/{TRAIT}.json"] = [{"question": text} for text in grammar.questions(TRAIT, split)[:60]]
    for name, lines in files.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text("".join(json.dumps(row) + "\n" for row in lines))
    return made


@pytest.fixture(scope="module")
def config(folder: Path) -> wb.StudyConfig:
    return wb.StudyConfig(
        traits=(TRAIT,),
        contrast=str(folder),
        questions=str(folder),
        pairs=40,
        quantile=0.99,
        gammas=(0.5, 1.0),
        arms=("DPN-LE", "random"),
        search_questions=4,
        test_questions=6,
        items_per_task=2,
        patching_pairs=8,
        permutations=19,
        resamples=100,
        outcomes=("answers", "capability"),
    )


def test_a_study_takes_its_questions_from_a_folder_and_holds_the_test_split_out(
    config: wb.StudyConfig, model: wb.Model, tmp_path: Path
) -> None:
    study = wb.run_study(config, tmp_path, model=model)
    searched = set(grammar.questions(TRAIT, "search")[:60])
    held = set(grammar.questions(TRAIT, "test")[:60])
    assert not searched & held
    [*paths] = (tmp_path / "outcomes" / "search").glob("*.answers.parquet")
    chose = set(pd.concat([pd.read_parquet(path) for path in paths])["question"])
    reported = set(study.tables["answers"]["question"])
    assert len(chose) == 4
    assert chose <= searched
    assert len(reported) == 6
    assert reported <= held
    # Neurons were found on other questions than the dose was chosen on, and patched on others than are reported.
    pairs = wb.Contrast.personalitybench(config.contrast, TRAIT, n=config.pairs, seed=config.seed)
    assert not chose & set(pairs.questions)
    patched = wb.Contrast.personalitybench(config.contrast, TRAIT, n=8, seed=config.seed, split="test")
    assert not reported & set(patched.questions)
    # A folder of two poles gets its third from the questions without a persona.
    assert study.tables["exclusivity"]["high"].sum() > 0
    assert study.config == config


def answers_of(config: wb.StudyConfig) -> Outcome:
    return next(each for each in Plan.of(config).outcomes if each.name == "answers")


def test_the_questions_count_and_not_where_they_come_from(config: wb.StudyConfig, folder: Path, tmp_path: Path) -> None:
    plain = config.model_copy(update={"questions": "testbed"})
    key = answers_of(config).key("test")
    assert answers_of(plain).key("test") != key
    # Elsewhere but the same questions: the same key. One other question: another.
    moved = tmp_path / "elsewhere"
    for split in ("search", "test"):
        (moved / split).mkdir(parents=True)
        path = moved / split / f"{TRAIT}.json"
        path.write_text((folder / split / f"{TRAIT}.json").read_text())
    other = config.model_copy(update={"questions": str(moved)})
    assert answers_of(other).key("test") == key
    path.write_text("".join(json.dumps({"question": f"What of {i}?"}) + "\n" for i in range(9)))
    assert answers_of(other).key("test") != key


def test_what_cannot_be_asked_is_told_before_anything_runs(
    config: wb.StudyConfig, model: wb.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.study.traits.capture_sites", None)
    for update, message in (
        ({"questions": "nowhere"}, "'testbed', 'builtin' or a PersonalityBench folder, but there is no folder nowhere"),
        ({"traits": ("Openness",)}, "There is no file .*Openness.json"),
        ({"test_questions": 61}, "61 test questions about Extraversion were asked for, but .* holds 60. Lower test_q"),
        ({"search_questions": 70}, "70 search questions"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            wb.run_study(config.model_copy(update=update), tmp_path, model=model)
    table = tmp_path / "pairs.csv"
    table.write_text("high,low\na,b\nc,d\ne,f\n")
    of_texts = config.model_copy(update={"contrast": str(table), "patching_pairs": 2})
    with pytest.raises(ValueError, match="rows from pairs.csv have no persona to leave out. Give each row a neutral"):
        wb.run_study(of_texts, tmp_path, model=model)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published PersonalityBench files are not on this machine")
def test_the_published_test_split_is_asked() -> None:
    for trait in wb.BIG_FIVE:
        asked = open_questions(str(SHARED), trait, "test", 40, seed=0)
        assert len(set(asked)) == 40
        assert asked == open_questions(str(SHARED), trait, "test", 40, seed=0)
        # It is published without its search split, so that its test split is divided.
        assert not set(asked) & set(open_questions(str(SHARED), trait, "search", 40, seed=0))
