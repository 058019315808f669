"""A hooked model as a judge: against transformers' own forward, and with a rating that is planted in its weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import workbench as wb
from workbench.score.judge.judging import judge_answers, judgement_counts
from workbench.score.judge.local import LocalJudge
from workbench.score.judge.plan import plan_judging
from workbench.score.judge.protocol import Asked, Judge
from workbench.score.judge.rubric import FLUENCY, concept_rubric

MARKER = " always"
RUBRIC = concept_rubric("Extraversion")


def network(model: wb.Model, seed: int) -> Any:
    """One random block that speaks the embedded model's tokens and reads long prompts."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(model.tokenizer.get_vocab()),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=4096,
    )
    return LlamaForCausalLM(config).eval()


def kept(made: Any, model: wb.Model, folder: Path) -> wb.Model:
    made.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return wb.load_model(str(folder))


@pytest.fixture(scope="module")
def random_model(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Model:
    made = network(model, 0)
    with torch.no_grad():
        made.lm_head.weight.mul_(20)  # so that digits differ in probability
    return kept(made, model, tmp_path_factory.mktemp("random") / "random-judge")


@pytest.fixture(scope="module")
def planted_model(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Model:
    """A model that says 5 the more, and 1 the less, the more often its prompt holds the marker.

    Its attention is uniform and carries the first coordinate alone, where no token but the marker has anything.
    """
    made = network(model, 1)
    marker: Any = model.tokenizer(MARKER, add_special_tokens=False)["input_ids"]
    digits = [model.tokenizer(str(n), add_special_tokens=False)["input_ids"][0] for n in range(1, 6)]  # type: ignore[index]
    assert len(marker) == 1
    with torch.no_grad():
        embedding = made.model.embed_tokens.weight
        embedding.zero_()
        embedding[:, 1] = 1.0
        embedding[marker, 0] = 1.0
        block: Any = made.model.layers[0]
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            getattr(block.self_attn, name).weight.zero_()
        block.self_attn.v_proj.weight[0, 0] = 1.0
        block.self_attn.o_proj.weight[0, 0] = 1.0
        block.mlp.down_proj.weight.zero_()
        made.lm_head.weight.zero_()
        for level, token in enumerate(digits):
            made.lm_head.weight[token, 1] = 3.0
            made.lm_head.weight[token, 0] = 40.0 * (level - 2)
    return kept(made, model, tmp_path_factory.mktemp("planted") / "planted-judge")


def test_ratings_are_what_transformers_expects_of_the_digits(random_model: wb.Model) -> None:
    asked = [Asked("Q?", text, rubric) for text in ("I always talk.", "No. " * 40, "") for rubric in (RUBRIC, FLUENCY)]
    judge = LocalJudge(random_model, min_mass=0.0)
    assert isinstance(judge, Judge)
    found = dict(judge.rate(asked))
    assert sorted(found) == list(range(6))
    tokenizer = random_model.tokenizer
    for place, one in enumerate(asked):
        prompt = random_model.tokens([one.rubric.prompt(one.question, one.answer)])[0]
        shares = []
        for level in range(1, 6):
            total = 0.0
            for text in (str(level), f" {level}"):
                tokens = list(tokenizer(text, add_special_tokens=False)["input_ids"])  # type: ignore[arg-type]
                with torch.inference_mode():
                    logits = random_model.network(input_ids=torch.tensor([[*prompt, *tokens]])).logits[0].double()
                logs = logits.log_softmax(-1)[len(prompt) - 1 : -1]
                total += logs[torch.arange(len(tokens)), tokens].sum().exp().item()
            shares.append(total)
        mass, expected = sum(shares), sum(n * s for n, s in enumerate(shares, start=1)) / sum(shares)
        assert found[place].rating == pytest.approx(expected, abs=1e-4)
        assert found[place].kept["mass"] == pytest.approx(mass, rel=1e-3)
    assert len({round(each.rating or 0, 6) for each in found.values()}) > 3


def test_a_rating_planted_in_the_weights_is_recovered(planted_model: wb.Model, tmp_path: Path) -> None:
    counts = [0, 2, 8, 40, 160]
    answers = [f"I{MARKER * count} talk." for count in counts]
    frame = pd.DataFrame({"arm": "x", "trait": "Extraversion", "question": "Q?", "answer": answers})
    judge = LocalJudge(planted_model)
    rated = judge_answers(frame, judge, folder=tmp_path)
    scores = rated["planted-judge_score"].to_numpy()
    assert (np.diff(scores) > 0).all()
    assert scores[0] < 3.2
    assert scores[-1] > 4.5
    assert ((rated["planted-judge_score_mass"] > 0) & (rated["planted-judge_score_mass"] <= 1)).all()
    # Without the marker's readout nothing is found.
    flat = judge_answers(frame.assign(answer=[f"I{' often' * n} talk." for n in counts]), judge, folder=tmp_path)
    assert np.ptp(flat["planted-judge_score"].to_numpy()) < 1e-4
    again = judge_answers(frame, LocalJudge(planted_model), folder=tmp_path)
    pd.testing.assert_frame_equal(again, rated)


def test_a_digit_behind_a_space_counts(model: wb.Model, tmp_path: Path) -> None:
    """A model that says a space first, and 4 after a space, has rated 4."""
    made = network(model, 2)
    space, four = (model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (" 4", "4"))
    assert [*space[1:]] == [*four]  # type: ignore[index]
    with torch.no_grad():
        for weight in made.parameters():
            weight.zero_()
        made.model.norm.weight.fill_(1.0)
        made.model.embed_tokens.weight[:, 1] = 1.0
        made.model.embed_tokens.weight[space[0]] = torch.eye(16)[2]  # type: ignore[index]
        made.lm_head.weight[space[0], 1] = made.lm_head.weight[four, 2] = 5.0  # type: ignore[index]
    judge = LocalJudge(kept(made, model, tmp_path / "spaced"))
    [(_, judgement)] = judge.rate([Asked("Q?", "A.", FLUENCY)])
    assert judgement.kept["mass"] > 0.99
    assert judgement.rating == pytest.approx(4.0, abs=0.01)


def test_too_little_probability_on_digits_is_no_rating(random_model: wb.Model, tmp_path: Path) -> None:
    frame = pd.DataFrame({"trait": "Openness", "question": ["Q?", "R?"], "answer": ["I talk.", "I do not."]})
    rated = judge_answers(frame, LocalJudge(random_model, "strict", min_mass=0.99), folder=tmp_path)
    assert rated["strict_score"].isna().all()
    assert (rated["strict_score_mass"] < 0.99).all()
    assert judgement_counts(rated)["unparsed"].tolist() == [2, 2]
    lenient = judge_answers(frame, LocalJudge(random_model, "lenient", min_mass=0.0), folder=tmp_path)
    assert lenient["lenient_score"].between(1, 5).all()
    with pytest.raises(ValueError, match="min_mass is a probability, but 2"):
        LocalJudge(random_model, min_mass=2.0)


def test_an_answer_too_long_to_read_is_unparsed_and_a_model_too_small_is_refused(
    model: wb.Model, random_model: wb.Model, tmp_path: Path
) -> None:
    frame = pd.DataFrame({"trait": "Openness", "question": "Q?", "answer": ["I talk.", "I talk. " * 4000]})
    rated = judge_answers(frame, LocalJudge(random_model, "j", min_mass=0.0), folder=tmp_path)
    assert rated["j_score_status"].tolist() == ["rated", "unparsed"]
    assert rated["j_score"].isna().tolist() == [False, True]
    with pytest.raises(ValueError, match=r"testbed reads 256 tokens at most, but the rubric '\w+' alone takes \d+"):
        judge_answers(frame, LocalJudge(model), folder=tmp_path)


def test_an_edited_model_judges_nothing(random_model: wb.Model) -> None:
    point = random_model.hooked.hook_dict["blocks.0.mlp.hook_post"]
    point.add_hook(lambda tensor, hook: tensor)
    try:
        with pytest.raises(RuntimeError, match=r"hooks are on, e.g. blocks\.0\.mlp.*Leave `edited` first"):
            list(LocalJudge(random_model).rate([Asked("Q?", "A.", FLUENCY)]))
    finally:
        random_model.hooked.reset_hooks()


def test_a_plan_counts_with_the_judges_own_tokenizer(random_model: wb.Model) -> None:
    frame = pd.DataFrame({"trait": "Openness", "question": "Q?", "answer": ["I talk.", "I do not."]})
    plan = plan_judging(frame, LocalJudge(random_model, "j"))
    prompts = [r.prompt("Q?", a) for a in frame["answer"] for r in (concept_rubric("Openness"), FLUENCY)]
    assert plan.table["prompt_tokens"].item() == sum(map(len, random_model.tokens(prompts)))
    assert "counted by its tokenizer" in str(plan)
