"""An outcome and an arm of one's own in a study: asked, kept, compared, judged, and let choose the dose."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import workbench as wb
from workbench.arm.context import ArmContext
from workbench.arm.registry import arm_named
from workbench.arm.spec import ArmSpec
from workbench.contrast.prompt import Prompt
from workbench.edit.edit import Edit
from workbench.outcome.outcome import Asking, Outcome
from workbench.outcome.quantity import Quantity
from workbench.study import asking as asking_cells
from workbench.study import cells

CONFIG = wb.StudyConfig(
    traits=("Extraversion",),
    pairs=20,
    quantile=0.99,
    quantiles=(),
    arms=("DPN-LE", "residual", "random", "shuffled", "flipped"),
    gammas=(0.5, 1.0),
    search_questions=2,
    draws=2,
    test_questions=4,
    items_per_task=1,
    patching_pairs=4,
    permutations=19,
    resamples=100,
    temperature=1.0,
)
ASKED = {"search": ("How do you spend a free day?",), "test": ("Who are you with at noon?", "What do you do at night?")}


@dataclass(frozen=True)
class Gladness(Outcome):
    """How often an answer speaks of parties and people, a word in ten being 1."""

    words: tuple[str, ...] = ("party", "people", "friends", "crowd", "talk")

    name = "gladness"
    quantities = (Quantity("gladness", "trait", "words of company", "words"),)

    def ask(self, model: wb.Model, asking: Asking) -> pd.DataFrame:
        prompts = [Prompt(question) for question in ASKED[asking.split]]
        given = asking.answers(model, [prompts] * len(asking.conditions), max_new_tokens=16)
        rows = [
            {**condition.labels, "question": prompt.user, "answer": answer}
            | {"gladness": float(sum(answer.casefold().count(word) for word in self.words))}
            for condition, answers in zip(asking.conditions, given, strict=True)
            for prompt, answer in zip(prompts, answers, strict=True)
        ]
        return pd.DataFrame(rows)


@dataclass(frozen=True)
class Brevity(Outcome):
    """How many words an answer of the study has."""

    name = "brevity"
    needs = ("answers",)
    quantities = (Quantity("brevity", "cost", "words of an answer", "words", losses=(0.5,), margin=2.0),)

    def ask(self, model: wb.Model, asking: Asking) -> pd.DataFrame:
        frame = asking.frames["answers"]
        labels = frame[["arm", "trait", "direction", "gamma", "question"]]
        return labels.assign(brevity=[float(len(answer.split())) for answer in frame["answer"]])


@pytest.fixture(scope="module")
def study(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Study:
    folder = tmp_path_factory.mktemp("own")
    return wb.run_study(CONFIG, folder, outcomes=[Gladness()], model=model)


@pytest.fixture
def located(study: wb.Study, tmp_path: Path) -> Path:
    """A folder in which the trait has been located and nothing asked."""
    folder = tmp_path / "located"
    shutil.copytree(study.folder, folder, ignore=shutil.ignore_patterns("outcomes"))
    return folder


@pytest.fixture
def with_cost(model: wb.Model, located: Path) -> wb.Study:
    return wb.run_study(CONFIG, located, outcomes=["answers", Brevity()], model=model)


def test_alone_it_chooses_the_dose_and_is_judged(study: wb.Study) -> None:
    assert study.target == "gladness"
    search = study.tables["search"]
    assert set(search["gamma"]) == set(CONFIG.gammas)
    assert study.gamma == max(search.to_dict("records"), key=lambda row: row["shift"])["gamma"]
    found = {finding.id: finding for finding in study.findings}
    assert found["moves:gladness"].claim == "Editing a few selected neurons moves the trait"
    assert "the words of company moves" in found["moves:gladness"].sentence
    assert "beats-controls" in found
    assert not any(name.startswith(("costs-less", "keeps")) for name in found)
    assert {"gladness", "dose", "tradeoff", "equal_dose", "shifts", "against_controls"} <= set(study.tables)
    assert not {"answers", "capability", "fluency"} & set(study.tables)
    assert set(study.tables["dose"]["quantity"]) == {"gladness"}


def test_a_cost_gets_columns_a_comparison_and_a_verdict(with_cost: wb.Study) -> None:
    traded = with_cost.tables["tradeoff"]
    assert {"brevity", "brevity_low", "brevity_change", "brevity_change_high"} <= set(traded)
    assert {"brevity_change", "brevity_against", "brevity_against_p"} <= set(with_cost.tables["equal_shift"])
    assert set(with_cost.tables["equal_loss"]["cost"]) == {"brevity", "coverage", "wellformed"}
    answers = with_cost.tables["answers"]
    edited = answers[(answers["arm"] == "DPN-LE") & (answers["gamma"] == with_cost.gamma)]
    words = {
        row["question"]: len(row["answer"].split()) for row in answers[answers["arm"] == "none"].to_dict("records")
    }
    changes = [len(row["answer"].split()) - words[row["question"]] for row in edited.to_dict("records")]
    change = sum(changes) / len(changes)
    [row] = traded.query("arm == 'DPN-LE' and gamma == @with_cost.gamma and trait == 'all'").to_dict("records")
    assert row["brevity_change"] == pytest.approx(change)
    found = {finding.id: finding for finding in with_cost.findings}
    assert found["keeps:brevity"].claim == "Words of an answer: kept to within 2 words"
    assert found["keeps:brevity"].numbers["change"].value == pytest.approx(change)


def test_it_is_resumed_and_asked_again_where_it_changed(
    study: wb.Study, model: wb.Model, monkeypatch: pytest.MonkeyPatch, located: Path
) -> None:
    asked: list[str] = []

    def counted(model: wb.Model, of: Sequence[cells.Cell], outcome: Outcome, known: Sequence[Mapping]) -> Any:
        asked.extend(cell.name for cell in of)
        return cells.ask_cells(model, of, outcome, known)

    def stop(label: str, share: float) -> None:
        if label.startswith("random"):
            raise KeyboardInterrupt

    monkeypatch.setattr(asking_cells, "ask_cells", counted)
    with pytest.raises(KeyboardInterrupt):
        wb.run_study(CONFIG, located, outcomes=[Gladness()], model=model, progress=stop)
    before = set(asked)
    asked.clear()
    finished = wb.run_study(CONFIG, located, outcomes=[Gladness()], model=model)
    assert before
    assert asked
    assert not before & set(asked)
    for name, table in study.tables.items():
        pd.testing.assert_frame_equal(finished.tables[name], table)
    asked.clear()
    wb.run_study(CONFIG, located, outcomes=[Gladness()], model=model)
    assert not asked
    # Another setting of it, or another method of it, is another outcome.
    wb.run_study(CONFIG, located, outcomes=[Gladness(words=("party",))], model=model)
    assert len(set(asked)) == len(asked) > 5
    original = Gladness.measured
    monkeypatch.setattr(Gladness, "measured", lambda self, frame: original(self, frame).assign(gladness=0.0))
    asked.clear()
    flat = wb.run_study(CONFIG, located, outcomes=[Gladness(words=("party",))], model=model)
    assert asked
    assert (flat.tables["tradeoff"]["shift"] == 0).all()


def halved(context: ArmContext) -> Edit:
    """The edit under test at half its strength."""
    edit = context.single_reference()
    return replace(edit, value=edit.value / 2)


def test_another_arm_is_put_under_test_with_controls_of_its_own(model: wb.Model, located: Path) -> None:
    config = CONFIG.model_copy(update={"method": "residual"})
    arms = [*CONFIG.arms, ArmSpec("half", "control", "graded", halved)]
    study = wb.run_study(config, located, outcomes=["answers"], arms=arms, model=model)
    assert study.method == "residual"
    assert study.roles == {"DPN-LE": "rival", "residual": "method"} | dict.fromkeys(
        ("random", "shuffled", "flipped", "half"), "control"
    )
    sites = study.tables["neurons_edited"].groupby("arm")["site"].agg(set).to_dict()
    assert sites["half"] == sites["random"] == {"resid_post"}
    assert set(study.tables["against_controls"]["control"]) == {"random", "shuffled", "flipped", "half"}
    assert study.edit("Extraversion", "increase").site == "resid_post"
    found = {finding.id: finding for finding in study.findings}
    assert found["moves:trait_score"].claim == "A residual-stream shift moves the trait"
    assert "costs-less:DPN-LE" in found
    [row] = study.tables["equal_shift"].query("arm == 'residual'").to_dict("records")
    assert row["gamma"] == study.gamma


def test_an_outcome_that_cannot_be_compared_is_refused(model: wb.Model, located: Path) -> None:
    @dataclass(frozen=True)
    class Lost(Gladness):
        def ask(self, model: wb.Model, asking: Asking) -> pd.DataFrame:
            return super().ask(model, asking).drop(columns="question")

    with pytest.raises(ValueError, match=r"'gladness' gives the columns .*, but lacks \['question'\]"):
        wb.run_study(CONFIG, located, outcomes=[Lost()], model=model)


def test_an_arm_that_cannot_be_built_is_left_out_with_its_reason(model: wb.Model, located: Path) -> None:
    arms = ["DPN-LE", replace(arm_named("other trait"), name="next")]
    study = wb.run_study(CONFIG, located, outcomes=[Gladness()], arms=arms, model=model)
    assert study.left_out == {"next": "Another trait's edit needs a second trait, but Extraversion is the only one."}
    assert list(study.roles) == ["DPN-LE"]
