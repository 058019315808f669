import math

import numpy as np
import pandas as pd
import pytest
import torch

import workbench as wb
from workbench.score.answers import Condition, answer_questions
from workbench.score.fluency import answer_fluency, fluency, repeated
from workbench.testbed import grammar

QUESTIONS = {trait: grammar.questions(trait, "test")[:3] for trait in ("Extraversion", "Neuroticism")}


@pytest.fixture(scope="module")
def up(effects: wb.Effects, selection: wb.Selection) -> wb.Edit:
    return wb.dpn_edit(effects, selection, gamma=1.0, direction="increase")


def test_perplexity_is_that_of_transformers_on_one_text(model: wb.Model) -> None:
    prompts = ["What is 2 + 3?", QUESTIONS["Extraversion"][0]]
    answers = ["5", "I often talk to everyone. I rarely arrive late."]
    found = fluency(model, answers, prompts)
    for prompt, answer, row in zip(prompts, answers, found.itertuples(), strict=True):
        given = model.tokens([prompt])[0]
        tokens = list(model.tokenizer(answer, add_special_tokens=False)["input_ids"])  # type: ignore[arg-type]
        with torch.inference_mode():
            # transformers' own loss: the mean negative log-probability of labels other than -100.
            labels = torch.tensor([[-100] * len(given) + tokens])
            loss = model.network(input_ids=torch.tensor([[*given, *tokens]]), labels=labels).loss
        assert row.perplexity == pytest.approx(math.exp(loss.item()), rel=1e-3)
        assert row.length == len(tokens)


def test_batching_and_padding_change_nothing(model: wb.Model) -> None:
    prompts = [question for several in QUESTIONS.values() for question in several]
    answers = ["I often talk to everyone." * (1 + i) for i in range(len(prompts))]
    together = fluency(model, answers, prompts)
    small = fluency(model, answers, prompts, max_rows=1)
    pd.testing.assert_frame_equal(together, small, rtol=1e-3)


def test_nonsense_is_less_fluent_than_an_answer_and_parroting_repeats(model: wb.Model) -> None:
    question = QUESTIONS["Extraversion"][0]
    good = model.generate(question, temperature=0.0)[0]
    shuffled = " ".join(np.random.default_rng(0).permutation(good.split()))
    found = fluency(model, [good, shuffled, "I talk. " * 20, ""], [question] * 4)
    assert found["perplexity"][0] < 5 < found["perplexity"][1]
    assert found["repetition"][2] > 0.8 > found["repetition"][0]
    # An empty answer is a row like any other: no perplexity, no n-grams, length 0.
    assert found.iloc[3].drop("length").isna().all()
    assert found["length"][3] == 0
    assert (found["distinct"] + found["repetition"])[:3].tolist() == pytest.approx([1, 1, 1])


def test_repetition_by_hand() -> None:
    assert repeated([1, 2, 3], 2) == 0
    assert repeated([7] * 5, 1) == pytest.approx(0.8)
    assert math.isnan(repeated([1], 2))


def test_an_edited_model_is_refused(model: wb.Model, up: wb.Edit) -> None:
    with wb.edited(model, up):
        with pytest.raises(RuntimeError, match=r"hooks are on, e.g. blocks\.\d\.mlp"):
            fluency(model, ["5"], ["What is 2 + 3?"])
        model.generate("What is 2 + 3?", max_new_tokens=2)
    with pytest.raises(ValueError, match="1 answers met 0 prompts"):
        fluency(model, ["5"], [])


def test_answers_get_less_fluent_with_the_dose(model: wb.Model, up: wb.Edit) -> None:
    conditions = [
        Condition.unedited("Extraversion"),
        *(Condition("DPN-LE", "Extraversion", "increase", g, up.with_gamma(g)) for g in (1.0, 4.0)),
    ]
    answers = answer_questions(model, conditions, QUESTIONS, max_new_tokens=24, temperature=0.0)
    found = answer_fluency(model, answers)
    assert found.drop(columns=["perplexity", "repetition", "distinct", "length"]).equals(answers)
    means = found.groupby("gamma")["perplexity"].mean()
    assert means[0.0] < means[1.0] < means[4.0]
    with pytest.raises(ValueError, match=r"missing \['answer'\]"):
        answer_fluency(model, answers.drop(columns="answer"))
