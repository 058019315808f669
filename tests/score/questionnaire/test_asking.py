"""Questionnaires, on the embedded model and on tables made up."""

from random import Random

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.model.likelihood import log_likelihoods
from workbench.score.answers import Condition
from workbench.score.questionnaire.asking import (
    ACCURACY_OPTIONS,
    TESTBED_OPTIONS,
    Options,
    Statement,
    ask_questionnaire,
)
from workbench.score.questionnaire.asking import testbed_statements as statements_about
from workbench.testbed import grammar

TRAIT = "Extraversion"
BASE = [Condition.unedited(TRAIT)]


@pytest.fixture(scope="module")
def up(effects: wb.Effects, selection: wb.Selection) -> wb.Edit:
    return wb.dpn_edit(effects, selection, gamma=1.0, direction="increase")


def slow_log_probabilities(model: wb.Model, prompt: list[int], answer: list[int]) -> list[float]:
    """One row through transformers' own forward, no padding, no cache."""
    with torch.inference_mode():
        logits = model.network(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
    return [logits[len(prompt) - 1 + i, token].item() for i, token in enumerate(answer)]


def test_likelihoods_are_those_of_transformers_whatever_the_padding(model: wb.Model) -> None:
    prompts = model.tokens(["What is 2 + 3?", "How do you spend your time at the office party with your friends?"])
    answers = [[[5], [5, 6, 7], [5, 6, 9]], [[100, 200, 300, 400]]]
    found = log_likelihoods(model, prompts, answers)
    for prompt, several, ours in zip(prompts, answers, found, strict=True):
        for answer, logs in zip(several, ours, strict=True):
            assert logs.tolist() == pytest.approx(slow_log_probabilities(model, prompt, answer), abs=2e-4)


@pytest.mark.parametrize("scope", ["all", "generated", "decode"])
def test_an_edit_acts_on_judged_answers_as_in_generation(model: wb.Model, up: wb.Edit, scope: str) -> None:
    prompts = model.tokens(["How do you spend your time at the office party?", "What is 2 + 3?"])
    strong = up.with_gamma(3.0)
    with wb.edited(model, strong, scope=scope, rows=[0, -1]):
        said = model.generate_tokens(
            ["How do you spend your time at the office party?", "What is 2 + 3?"], max_new_tokens=9
        )
    with wb.edited(model, strong, scope=scope, rows=[0, -1]) as run:
        logs = log_likelihoods(model, prompts, [[said[0]], [said[1]]])
        # Greedy tokens are the likeliest: under the edit no other token is likelier at any step.
        for i, token in enumerate(said[0]):
            other = (token + 1) % 1408
            rival = log_likelihoods(model, prompts[:1], [[[*said[0][:i], other]]])[0][0][-1]
            assert rival <= logs[0][0][i] + 1e-4
    assert run.pairs["decode"] > 0
    assert (run.pairs["prompt"] > 0) == (scope != "decode")
    plain = log_likelihoods(model, prompts, [[said[0]], [said[1]]])
    assert torch.allclose(plain[1][0], logs[1][0], atol=1e-5)
    assert not torch.allclose(plain[0][0], logs[0][0], atol=1e-3)
    assert torch.equal(plain[0][0][:1], logs[0][0][:1]) or scope != "decode"


@pytest.mark.parametrize("trait", wb.BIG_FIVE)
def test_personas_move_the_expected_score_of_statements_never_taught(model: wb.Model, trait: str) -> None:
    statements = statements_about(trait)
    assert [statement.keyed for statement in statements] == ["+"] * 3 + ["-"] * 3
    taught = {statement.id for statement in statements_about(trait, "train")}
    assert taught.isdisjoint(statement.id for statement in statements)
    rng = Random(4)
    means = {}
    for pole in ("high", "low"):
        frames = [
            ask_questionnaire(model, [Condition.unedited(trait)], statements, system=grammar.persona(rng, trait, pole))
            for _ in range(3)
        ]
        means[pole] = np.mean([frame["expected"].mean() for frame in frames])
    neutral = ask_questionnaire(model, [Condition.unedited(trait)], statements)
    assert neutral["parsed"].all()
    assert neutral["mass"].between(0.9, 1.0).all()
    assert means["high"] > means["low"] + 1
    assert means["low"] < neutral["expected"].mean() < means["high"]


def test_an_edit_moves_the_score_and_conditions_share_batches(model: wb.Model, up: wb.Edit) -> None:
    statements = statements_about(TRAIT)
    down = up.with_gamma(-1.0)
    conditions = [
        *BASE,
        Condition("DPN-LE", TRAIT, "increase", 1.0, up),
        Condition("DPN-LE", TRAIT, "decrease", 1.0, down),
    ]
    frame = ask_questionnaire(model, conditions, statements)
    assert len(frame) == 3 * len(statements) * len(TESTBED_OPTIONS.wordings)
    means = frame.groupby("direction")["expected"].mean()
    assert means["increase"] > means["none"] > means["decrease"]
    alone = ask_questionnaire(model, conditions[1:2], statements)
    together = frame[frame["direction"] == "increase"]["expected"].to_numpy()
    np.testing.assert_allclose(alone["expected"].to_numpy(), together, atol=1e-4)


def test_expected_and_mass_are_those_of_the_options(model: wb.Model) -> None:
    for statement in (statements_about(TRAIT)[0], statements_about(TRAIT)[-1]):
        row = ask_questionnaire(model, BASE, [statement]).iloc[0]
        prompt = model.tokens([TESTBED_OPTIONS.wordings[0].replace("{statement}", statement.text)])[0]
        tokens = [model.tokenizer(label, add_special_tokens=False)["input_ids"] for label in TESTBED_OPTIONS.labels]
        p = np.exp([sum(slow_log_probabilities(model, prompt, list(answer))) for answer in tokens])  # type: ignore
        expected = float((p * np.arange(1, 6)).sum() / p.sum())
        assert row["mass"] == pytest.approx(p.sum(), abs=1e-3)
        assert row["expected"] == pytest.approx(expected if statement.keyed == "+" else 6 - expected, abs=1e-3)
        assert row["chosen"] == (p.argmax() + 1 if statement.keyed == "+" else 5 - p.argmax())


def test_what_is_no_answer_is_counted_and_never_imputed(model: wb.Model) -> None:
    statements = statements_about(TRAIT)[:2]
    frame = ask_questionnaire(model, BASE, statements, options=ACCURACY_OPTIONS, orders=4)
    assert len(frame) == 8
    assert not frame["parsed"].any()  # the embedded model knows no letters to answer with
    assert frame[["expected", "chosen"]].isna().all(axis=None)
    assert frame["order"].nunique() == 4
    loose = ask_questionnaire(model, BASE, statements, options=ACCURACY_OPTIONS, orders=4, min_mass=0.0)
    assert loose["expected"].between(1, 5).all()
    assert loose["mass"].tolist() == pytest.approx(frame["mass"].tolist())


def test_orders_hold_the_given_one_and_its_reverse_and_marks_follow_the_place() -> None:
    orders = ACCURACY_OPTIONS.orders(5, seed=1)
    assert orders[:2] == [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0)]
    assert len(set(orders)) == 5
    assert orders == ACCURACY_OPTIONS.orders(5, seed=1)
    assert ACCURACY_OPTIONS.answers((4, 3, 2, 1, 0)) == ["E", "D", "C", "B", "A"]
    put = ACCURACY_OPTIONS.put(Statement("Worry.", "N", "+", "1"), ACCURACY_OPTIONS.wordings[0], orders[1])
    assert "Statement: Worry.\n\nA. Very accurate\nB. Moderately accurate" in put


def test_a_liking_for_a_letter_averages_out(model: wb.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that always says A scores the middle once the reverse order is asked too."""

    def always_first(model: wb.Model, prompts: list, alternatives: list) -> list:
        letter = model.tokenizer("A", add_special_tokens=False)["input_ids"]
        return [[torch.tensor([0.0 if a == letter else -40.0]) for a in several] for several in alternatives]

    monkeypatch.setattr("workbench.score.questionnaire.asking.log_likelihoods", always_first)
    frame = ask_questionnaire(model, BASE, statements_about(TRAIT), options=ACCURACY_OPTIONS, orders=2)
    assert set(frame["expected"].round(6)) == {1.0, 5.0}
    assert frame["expected"].mean() == pytest.approx(3.0)


def test_length_normalised_options_are_compared_by_the_token(model: wb.Model) -> None:
    statement = statements_about(TRAIT)[:1]
    total = ask_questionnaire(model, BASE, statement)
    length = ask_questionnaire(model, BASE, statement, normalise="length")
    assert total["mass"].tolist() == pytest.approx(length["mass"].tolist())
    assert total["expected"].tolist() != pytest.approx(length["expected"].tolist(), abs=1e-3)


def test_mistakes_are_named(model: wb.Model, up: wb.Edit) -> None:
    statements = statements_about(TRAIT)[:1]
    with pytest.raises(ValueError, match="is keyed '\\+N1'"):
        Statement("Worry", "Neuroticism", "+N1", "1")
    with pytest.raises(ValueError, match="needs conditions and statements, but 1 and 0 arrived"):
        ask_questionnaire(model, BASE, [])
    with pytest.raises(ValueError, match="'Agree' begins 'Agree.'"):
        ask_questionnaire(model, BASE, statements, options=Options(("Agree", "Agree."), (1, 2), ("{statement}",)))
    with pytest.raises(ValueError, match="1 to 120 orders, but 121"):
        ask_questionnaire(model, BASE, statements, orders=121)
    with pytest.raises(ValueError, match="does not. Add it"):
        Options(("yes", "no"), (1, 2), ("Well?",))
    with pytest.raises(ValueError, match="prompt 0 has one without any"):
        log_likelihoods(model, [[1]], [[[]]])
    letters = Options(("no", "yes"), (1, 2), ("{statement}\n{options}",), ("A", "B"))
    with pytest.raises(RuntimeError, match="never fired"):
        ask_questionnaire(
            model, [Condition("x", TRAIT, "increase", 1.0, up)], statements, options=letters, scope="decode"
        )
