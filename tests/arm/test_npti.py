"""NPTI is built on the tokens of the model's own answers."""

from statistics import mean

import pytest

import workbench as wb
from workbench.capture.answering import capture_gates, with_answers
from workbench.edit.rivals import npti_edit
from workbench.testbed import grammar
from workbench.testbed.scorer import trait_score
from workbench.vocabulary import Pole

TRAIT = "Extraversion"


@pytest.fixture(scope="module")
def pairs() -> wb.Contrast:
    return wb.Contrast.testbed(TRAIT, n=60, seed=3)


@pytest.fixture(scope="module")
def answered(model: wb.Model, pairs: wb.Contrast) -> wb.Contrast:
    return with_answers(model, pairs, pairs=40, max_new_tokens=24)


def test_the_positions_are_the_answers_tokens(model: wb.Model, answered: wb.Contrast) -> None:
    assert len(answered) == 40
    assert answered.neutral is None
    said = model.generate_tokens(answered.low, max_new_tokens=24)
    assert answered.responses[Pole.LOW] == tuple(model.tokenizer.batch_decode(said, skip_special_tokens=True))
    gates = capture_gates(model, answered)
    assert gates.site == "hook_pre"
    assert gates.provenance["position"] == "each token of the response"
    assert gates.moments[Pole.LOW].count == sum(map(len, said))
    assert npti_edit(gates).provenance["position"] == "each token of the response"


def test_responses_that_are_there_are_read(model: wb.Model, pairs: wb.Contrast) -> None:
    few = pairs.rows(range(4))
    assert few.neutral is not None
    own = few.with_responses(high=["I invite people ."] * 4, low=["I stay home ."] * 4, neutral=["I write ."] * 4)
    assert with_answers(model, own).responses[Pole.HIGH] == ("I invite people .",) * 4


def test_a_model_that_says_nothing_is_told(
    model: wb.Model, pairs: wb.Contrast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wb.Model, "generate", lambda self, prompts, **settings: [""] * len(prompts))
    with pytest.raises(ValueError, match="answers 0 of 60 pairs of Extraversion with words"):
        with_answers(model, pairs)


def test_the_shift_is_that_of_answers_not_of_the_prompts_end(model: wb.Model) -> None:
    """At a small dose, where what a prompt's last token tells of an answer's neurons is far too little."""
    trait = "Neuroticism"
    many = wb.Contrast.testbed(trait, n=300, seed=0)
    questions = [wb.Prompt(question) for question in grammar.questions(trait, "search")[:10]]
    tallies = [
        capture_gates(model, many, max_new_tokens=24),
        wb.capture(model, many, site="hook_pre", positive=True, sample=512),
    ]
    activation = model.activation_function(0)
    edits = [
        npti_edit(tally, direction=direction, gamma=0.1, activation=activation)
        for tally in tallies
        for direction in ("increase", "decrease")
    ]
    rows = [number for number in range(len(edits)) for _ in questions]
    with wb.edited(model, edits, rows=rows):
        answers = model.generate(questions * len(edits), max_new_tokens=24)
    scores = [trait_score(answer, trait) or 3.0 for answer in answers]
    up, down, up_before, down_before = (
        mean(scores[number * len(questions) : (number + 1) * len(questions)]) for number in range(len(edits))
    )
    assert up - down > up_before - down_before + 0.6
