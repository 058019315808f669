"""How likely a statement is as a model's own answer: against plain transformers, one prompt at a time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM

import workbench as wb
from workbench.edit.edit import Edit
from workbench.score import read_statements, statement_scores
from workbench.score.statements.reading import TraitStatement
from workbench.score.statements.scoring import QUESTIONS, high_minus_low
from workbench.vocabulary import Pole

TRAIT = "Extraversion"


@torch.no_grad()
def alone(network: torch.nn.Module, model: wb.Model, prompt: wb.Prompt, text: str) -> float:
    """One statement after one prompt, by the whole network: mean log-probability per token."""
    [ids] = model.tokens([prompt])
    answer: list[int] = model.tokenizer(text, add_special_tokens=False)["input_ids"]  # type: ignore[assignment]
    logits = network(torch.tensor([[*ids, *answer]])).logits[0].double()
    logs = logits[len(ids) - 1 : -1].log_softmax(-1)
    return float(logs[torch.arange(len(answer)), torch.tensor(answer)].mean())


@pytest.mark.parametrize("system", [None, "You are talkative."])
def test_scores_are_those_of_plain_transformers(model: wb.Model, system: str | None) -> None:
    statements = read_statements("testbed", TRAIT)[:10]
    found = statement_scores(model, statements, questions_each=2, system=system)
    assert len(found) == 20
    for row in found.to_dict("records"):
        told = alone(model.network, model, wb.Prompt(row["question"], system), row["item"])
        assert row["logprob"] == pytest.approx(told, abs=1e-4)


def test_a_statement_with_a_question_answers_that_one(model: wb.Model) -> None:
    every = read_statements("testbed", TRAIT)
    high, low = (next(each for each in every if each.pole == pole) for pole in (Pole.HIGH, Pole.LOW))
    own = [replace(each, question="What do you do at the office party?") for each in (high, low)]
    found = statement_scores(model, [*own, high, low], questions_each=2)
    asked = found.groupby("item")["question"].agg(list)
    for text in (high.text, low.text):
        assert sorted(asked[text]) == sorted([own[0].question, *QUESTIONS[:2]])
    for row in found[found["question"] == own[0].question].to_dict("records"):
        told = alone(model.network, model, wb.Prompt(own[0].question), row["item"])
        assert row["logprob"] == pytest.approx(told, abs=1e-4)
    alone_asked = statement_scores(model, [high, low], questions_each=2)
    pd.testing.assert_frame_equal(
        found[found["question"] != own[0].question].drop(columns="pair").reset_index(drop=True),
        alone_asked.drop(columns="pair"),
    )


def test_scores_of_a_random_llama_are_those_of_plain_transformers(checkpoint: Path) -> None:
    loaded, network = wb.load_model(str(checkpoint)), AutoModelForCausalLM.from_pretrained(checkpoint).eval()
    found = statement_scores(loaded, read_statements("builtin", "Openness")[:6])
    for row in found.to_dict("records"):
        assert row["logprob"] == pytest.approx(
            alone(network, loaded, wb.Prompt(row["question"]), row["item"]), abs=1e-4
        )


def test_an_edit_acts_on_the_prompts_last_position_and_on_the_answer(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection
) -> None:
    edit = wb.dpn_edit(effects, selection, direction="increase", gamma=1.0)
    statements = read_statements("testbed", TRAIT)
    base = statement_scores(model, statements)
    with wb.edited(model, edit, scope="generated"):
        edited = statement_scores(model, statements)
    assert list(edited["item"]) == list(base["item"])
    shift = high_minus_low(edited)["score"] - high_minus_low(base)["score"]
    assert shift.mean() > 0.1
    # The oracle: one statement at a time, the deltas added by plain hooks from the prompt's last position on.
    row = base.iloc[0]
    [ids] = model.tokens([wb.Prompt(row["question"])])
    with wb.edited(model, edit, scope="generated"):
        one = statement_scores(model, [each for each in statements if each.text == row["item"]])
    told = _hooked(model, edit, ids, row["item"])
    assert one["logprob"].iloc[0] == pytest.approx(told, abs=1e-4)
    assert edited["logprob"].iloc[0] == pytest.approx(told, abs=1e-4)


def _hooked(model: wb.Model, edit: Edit, ids: list[int], text: str) -> float:
    """A statement's mean log-probability with the edit's values added by hooks of TransformerLens."""
    answer: list[int] = model.tokenizer(text, add_special_tokens=False)["input_ids"]  # type: ignore[assignment]

    def adding(layer: int) -> Any:
        delta = torch.zeros(edit.width)
        here = edit.layer == layer
        delta[edit.unit[here].long()] = edit.gamma * edit.value[here]

        def add(activation: torch.Tensor, hook: object) -> torch.Tensor:
            changed = activation.clone()
            changed[:, len(ids) - 1 :] += delta
            return changed

        return add

    hooks = [(f"blocks.{layer}.mlp.hook_post", adding(layer)) for layer in range(model.n_layers)]
    with torch.no_grad():
        logits = model.hooked.run_with_hooks(torch.tensor([[*ids, *answer]]), fwd_hooks=hooks)
    logs = logits[0, len(ids) - 1 : -1].double().log_softmax(-1)
    return float(logs[torch.arange(len(answer)), torch.tensor(answer)].mean())


def test_every_condition_deals_the_same_questions_and_all_are_used_alike(model: wb.Model) -> None:
    statements = read_statements("testbed", TRAIT)
    one, four = statement_scores(model, statements), statement_scores(model, statements, questions_each=4)
    assert len(one) == len(statements)
    assert set(one["question"]) == set(QUESTIONS)
    assert one.groupby("item")["question"].nunique().eq(1).all()
    assert four.groupby("item")["question"].nunique().eq(4).all()
    counts = one.groupby(["question", "pole"]).size()
    assert counts.xs("high", level="pole").equals(counts.xs("low", level="pole"))
    persona = statement_scores(model, statements, system="You are shy.")
    assert persona[["item", "question", "pair"]].equals(one[["item", "question", "pair"]])
    for wrong in (0, 5):
        with pytest.raises(ValueError, match=f"1 to 4 questions, but {wrong} arrived"):
            statement_scores(model, statements, questions_each=wrong)
    with pytest.raises(ValueError, match="Statements are scored, but none arrived"):
        statement_scores(model, [])


@pytest.mark.parametrize(("high", "low"), [(6, 6), (9, 4), (4, 9), (5, 7)])
def test_the_mean_over_pairs_is_high_minus_low_also_where_poles_differ_in_number(
    model: wb.Model, high: int, low: int
) -> None:
    every = read_statements("builtin", "Openness")
    poles = [[each for each in every if each.pole == pole] for pole in (Pole.HIGH, Pole.LOW)]
    scores = statement_scores(model, [*poles[0][:high], *poles[1][:low]], questions_each=2)
    pairs = high_minus_low(scores)
    assert len(pairs) == min(high, low)
    means = scores.groupby("pole")["logprob"].mean()
    assert pairs["score"].mean() == pytest.approx(means["high"] - means["low"], abs=1e-12)


def test_a_change_that_all_statements_share_cancels_in_every_pair() -> None:
    statements = [TraitStatement(f"{pole} {i}", pole, TRAIT) for i in range(5) for pole in (Pole.HIGH, Pole.LOW)]
    rows = [
        {"trait": each.trait, "facet": "", "pole": str(each.pole), "pair": each.text[-1], "item": each.text}
        | {"question": "?", "tokens": 3, "logprob": -float(i)}
        for i, each in enumerate(statements)
    ]
    scores = pd.DataFrame(rows)
    worse = scores.assign(logprob=scores["logprob"] - 7.0)
    assert (high_minus_low(worse)["score"] - high_minus_low(scores)["score"]).abs().max() < 1e-12


def test_a_statement_without_a_score_leaves_its_pair_without_one(model: wb.Model) -> None:
    scores = statement_scores(model, read_statements("testbed", TRAIT))
    broken = scores.assign(logprob=scores["logprob"].where(scores.index != 1))
    lost = high_minus_low(broken)["score"].isna()
    assert lost.sum() == 1
    assert high_minus_low(broken).loc[lost, "pair"].tolist() == [scores["pair"][1]]
