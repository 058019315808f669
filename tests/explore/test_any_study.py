"""An explorer of any study: of one without open answers, with another scorer, or with another arm under test."""

from dataclasses import replace

import pytest

import workbench as wb
from tests.report.studies import SMALL, Letters, with_tables
from workbench.explore.explorer import Explorer
from workbench.explore.settings import MAX_GAMMA
from workbench.study.study import Study

QUESTION = "How do you spend your time at the office party?"


@pytest.fixture(scope="module")
def letters(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study whose only outcome is not built in, and asks questions of its own."""
    config = wb.StudyConfig(**{**SMALL, "traits": ("Extraversion",), "arms": ("DPN-LE", "random")})
    return wb.run_study(config, tmp_path_factory.mktemp("letters"), outcomes=[Letters()], model=model)


def test_without_open_answers_it_suggests_nothing_and_scores_nothing(letters: Study, model: wb.Model) -> None:
    explorer = Explorer.of_study(letters, model)
    assert explorer.questions("Extraversion") == []
    answers = explorer.answers(explorer.settings(), QUESTION)
    assert [answer.score for answer in (answers.base, *answers.steered)] == [None] * 3
    assert all(answer.text for answer in (answers.base, *answers.steered))
    row = letters.tables["equal_dose"].iloc[0]
    assert explorer.facts["Dose"] == f"gamma {letters.gamma:g} of DPN-LE"
    assert explorer.facts["Shift of length of an answer"].startswith(f"{row['shift']:+.3g} [".replace("-", "−"))
    assert explorer.facts["Shift of length of an answer"].endswith(" letters")


def test_its_page_waits_for_a_question_of_the_readers_own(letters: Study, model: wb.Model) -> None:
    pytest.importorskip("dash", reason="the page needs the extra explore")
    from workbench.explore.callbacks import PageCallbacks
    from workbench.explore.page import explore_page

    explorer = Explorer.of_study(letters, model)
    asks = PageCallbacks(explorer)
    assert asks.restore("")[-1] == ""
    assert asks.suggest("Extraversion", "My own words?")[0] == []
    page = explore_page(explorer, name="letters").server.test_client().get("/_dash-layout").get_data(as_text=True)
    assert f"gamma {letters.gamma:g} of DPN-LE" in page


def test_answers_are_scored_where_the_study_scored_them_so(study: Study, model: wb.Model) -> None:
    scored = Explorer.of_study(study, model)
    assert scored.answers(scored.settings(), QUESTION).base.score is not None
    # A judge, or an outcome that is not built in, gives other scores.
    answers = study.tables["answers"]
    for other in (answers.assign(score=answers["score"] + 0.25), answers.assign(score=float("nan"))):
        unscored = Explorer.of_study(with_tables(study, answers=other), model)
        assert unscored.answers(unscored.settings(), QUESTION).base.score is None
        assert unscored.questions("Openness") == scored.questions("Openness")


def test_its_dose_is_the_studys_and_that_of_the_arm_under_test(study: Study, model: wb.Model) -> None:
    costs = [f"Change of {cost}" for cost in ("well-formed sentences", "answers with a score", "capability")]
    assert list(Explorer.of_study(study, model).facts) == ["Dose", "Shift of trait score of open answers", *costs]
    manifest = {**study.manifest, "method": "random", "gamma": 9.0}
    explorer = Explorer.of_study(replace(study, manifest=manifest), model)
    assert explorer.facts["Dose"] == "gamma 9 of random"
    row = study.tables["equal_dose"].set_index("arm").loc["random"]
    change = f"{100 * row['capability_change']:+.3g} % [".replace("-", "−")
    assert explorer.facts["Change of capability"].startswith(change)
    assert explorer.settings().gamma == MAX_GAMMA
