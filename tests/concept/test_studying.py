"""Concepts in a study: one of one's own beside a built-in one, from its file to the report."""

import json
import shutil
import tomllib
from pathlib import Path

import pytest

import workbench as wb
from tests.concept.concepts import TEA
from workbench.score.statements.scoring import high_minus_low
from workbench.study.config import StudyConfig

STUDY = """
model = "plain"
traits = ["Agreeableness", "mine/tea.toml"]
contrast = "builtin"
questions = "builtin"
pairs = 24
patching_pairs = 4
quantile = 0.5
quantiles = []
min_d = 0.05
arms = ["DPN-LE", "random", "simple prompt", "description prompt", "neutral prompt"]
gammas = [1.0]
outcomes = [{ statements = "builtin", n = 2 }, { off-target-statements = "builtin", n = 2 }]
scorer = "none"
permutations = 19
resamples = 100
draws = 1
"""


SHOWN = ["answers", {"statements": "builtin"}]


def written(folder: Path, concept: str = TEA, study: str = STUDY) -> Path:
    (folder / "mine").mkdir(exist_ok=True)
    (folder / "mine" / "tea.toml").write_text(concept, encoding="utf-8")
    path = folder / "study.toml"
    path.write_text(study, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory, plain: wb.Model) -> wb.Study:
    """A small study, whose concept's file is gone when it is done."""
    folder = tmp_path_factory.mktemp("studied")
    config = StudyConfig.read(written(folder))
    study = wb.run_study(config, folder / "out", model=plain)
    (folder / "mine" / "tea.toml").unlink()
    return study


def test_a_path_is_from_the_studys_file_and_traits_are_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    monkeypatch.chdir(tmp_path / "mine")
    config = StudyConfig.read(path)
    assert config.traits == ("Agreeableness", "Tea drinking")
    assert config.concepts == (wb.Concept.read(path.parent / "mine" / "tea.toml"),)
    assert config.concept("tea drinking").low == "fond of coffee"
    assert StudyConfig(**config.model_dump()) == config
    assert StudyConfig(**json.loads(config.model_dump_json())) == config
    assert StudyConfig(traits=(config.concepts[0], "agreeableness")).traits == ("Tea drinking", "Agreeableness")  # type: ignore[arg-type]


def test_a_changed_concept_is_another_study(tmp_path: Path) -> None:
    before = StudyConfig.read(written(tmp_path)).entries
    assert StudyConfig.read(written(tmp_path, TEA.replace("I buy tea.", "I brew tea."))).entries != before
    assert StudyConfig.read(written(tmp_path)).entries == before


@pytest.mark.parametrize(
    ("traits", "said"),
    [
        ('["mine/tea.toml", "Charm"]', "traits: Value error, There is no built-in concept 'Charm'"),
        ('["mine/coffee.toml"]', r"traits: Value error, There is no file .*coffee.toml"),
        ('["mine/tea.toml", "mine/other.toml"]', "traits: Value error, two concepts are called 'Tea Drinking', but"),
        ('["mine/bad.toml"]', "traits: Value error, bad.toml, line 43: a text is due, but the number 7 stands here"),
        ("[]", "traits: Value error, a study needs at least one trait"),
        ("[3]", "traits"),
    ],
)
def test_mistakes_in_traits_are_one_line(tmp_path: Path, traits: str, said: str) -> None:
    path = written(tmp_path, study=STUDY.replace('["Agreeableness", "mine/tea.toml"]', traits))
    (tmp_path / "mine" / "bad.toml").write_text(TEA.replace('"I buy coffee."', "7"))
    other = TEA.replace("I buy tea.", "I brew tea.").replace("Tea drinking", "Tea Drinking")
    (tmp_path / "mine" / "other.toml").write_text(other)
    with pytest.raises(ValueError, match=said) as caught:
        StudyConfig.read(path)
    assert "\n" not in str(caught.value)


def test_a_study_keeps_the_concept_and_needs_its_file_no_more(studied: wb.Study) -> None:
    again = wb.load_study(studied.folder)
    assert again.config.traits == ("Agreeableness", "Tea drinking")
    concept = again.config.concept("Tea drinking")
    assert concept.digest == wb.Concept.of(_entries()).digest
    assert again.manifest["concepts"]["Tea drinking"] == concept.record
    assert concept.record["license"] == "MIT"
    assert set(again.manifest["concepts"]) == set(again.config.traits)
    assert set(again.tables["statements"]["trait"]) == {"Agreeableness", "Tea drinking"}
    items = again.tables["statements"].query("trait == 'Tea drinking'")["item"]
    assert set(items) <= {text for each in concept.statements for text in (each.high, each.low)}
    assert set(again.tables["arms"]["arm"]) >= {"simple prompt", "description prompt", "neutral prompt"}
    overlap = again.tables["trait_overlap"]
    assert any("Tea drinking" in str(value) for value in overlap.to_numpy().ravel())
    across = again.tables["statements_specificity"]
    method = across[across["arm"] == "DPN-LE"]
    assert set(zip(method["edited"], method["measured"], strict=True)) == {
        (edited, measured) for edited in again.config.traits for measured in again.config.traits
    }
    (cell,) = method.query("edited == 'Tea drinking' and measured == 'Agreeableness' and direction == 'decrease'")[
        "shift"
    ]
    scores = again.tables["statements_off_target"].query("arm == 'DPN-LE' and edited == 'Tea drinking'")
    after = high_minus_low(scores.query("direction == 'decrease'").drop(columns="edited"))
    before = high_minus_low(again.tables["statements"].query("arm == 'none' and trait == 'Agreeableness'"))
    assert set(after["trait"]) == {"Agreeableness"}
    assert cell == pytest.approx(before["score"].mean() - after["score"].mean())
    page = wb.report.write_study_report(again)
    assert "Tea drinking" in page.read_text(encoding="utf-8")


def _entries() -> dict:
    return tomllib.loads(TEA)


def test_a_run_again_computes_nothing(studied: wb.Study, plain: wb.Model) -> None:
    before = json.loads((studied.folder / "manifest.json").read_text())["steps"]
    wb.run_study(StudyConfig.read(studied.folder / "study.toml"), studied.folder, model=plain)
    assert json.loads((studied.folder / "manifest.json").read_text())["steps"] == before


def test_a_concept_that_was_changed_in_the_folder_is_refused(studied: wb.Study, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(studied.folder, copied)
    file = copied / "concepts" / "Tea drinking.toml"
    file.write_text(file.read_text().replace("I buy tea.", "I brew tea."))
    with pytest.raises(ValueError, match="Tea drinking.toml is not as the study wrote it"):
        wb.load_study(copied)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"contrast": "testbed"}, "no Big Five trait 'Tea drinking', and the embedded model's bank knows no others"),
        (
            {"questions": "testbed", "outcomes": SHOWN},
            "Tea drinking', and the embedded model knows no others",
        ),
        (
            {"outcomes": ["answers"], "scorer": "grammar"},
            "and the grammar that scores answers knows no others",
        ),
        ({"outcomes": ["questionnaire"]}, "'Tea drinking', and the embedded model's questionnaire knows no others"),
        (
            {"style": "behavioural"},
            "of Tea drinking come in the style explicit, but 'behavioural' arrived",
        ),
        ({"style": "terse"}, "style is one of explicit, behavioural, but 'terse' arrived"),
        (
            {"outcomes": SHOWN, "test_questions": 9},
            "9 test questions about Tea drinking were asked for, but its",
        ),
    ],
)
def test_what_knows_the_big_five_alone_says_so(changed: dict, said: str, tea: Path, plain: wb.Model) -> None:
    entries = {"contrast": "builtin", "questions": "builtin", "outcomes": [{"statements": "builtin"}]}
    entries |= {"scorer": "none", "search_questions": 3, "test_questions": 2}
    with pytest.raises(ValueError, match=said):
        wb.run_study(
            StudyConfig(model="plain", traits=(str(tea),), **{**entries, **changed}), tea.parent / "out", model=plain
        )


def test_a_concept_takes_the_place_of_a_trait_everywhere(tea: Path) -> None:
    concept = wb.Concept.read(tea)
    for trait in (concept, tea, str(tea)):
        pairs = wb.Contrast.builtin(trait, n=10)
        assert pairs.trait == "Tea drinking"
        assert pairs.source == "concept, explicit"
        assert len(wb.score.read_statements("builtin", trait)) == 12
        assert wb.score.concept_rubric(trait).name == "Tea drinking"
    assert pairs == wb.Contrast.builtin(concept, n=10)
    bare = wb.Concept.of({**_entries(), "personas": {**_entries()["personas"], "neutral": "builtin"}})
    assert len(bare.neutral) == 53
    for source in (wb.Contrast.testbed, lambda trait: wb.Contrast.personalitybench(tea.parent, trait)):
        with pytest.raises(ValueError, match="no Big Five trait 'Tea drinking', and .* knows no others"):
            source(concept)
