"""Perplexity as an outcome: against plain transformers, its own answers, its splits, its tables."""

from copy import copy, deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

import workbench as wb
from workbench.contrast.prompt import Prompt
from workbench.edit.applying import EditedRun, edited
from workbench.edit.edit import Edit
from workbench.edit.prompting import Instruction
from workbench.outcome.outcome import Asking
from workbench.outcome.perplexity import Perplexity, perplexity_changes
from workbench.outcome.registry import outcome_of
from workbench.score.answers import Condition
from workbench.score.perplexity import scoring
from workbench.score.perplexity.neutral import neutral_passages, neutral_questions
from workbench.score.perplexity.scoring import own_answers, own_likelihoods, text_likelihoods

TRAIT = "Extraversion"
SMALL = Perplexity(passages=3, answers=2, answer_tokens=6)
UNEDITED = Condition.unedited(TRAIT)


@pytest.fixture
def edit(effects: wb.Effects, selection: wb.Selection) -> Edit:
    return wb.dpn_edit(effects, selection, direction="increase", gamma=1.0)


def test_passages_and_questions_are_in_one_split_alone() -> None:
    for bank, n in ((neutral_passages, 20), (neutral_questions, 12)):
        test, search = bank("test", n=n), bank("search", n=n)
        assert len({*test, *search}) == len(test) + len(search) == 2 * n
        with pytest.raises(ValueError, match=f"has 1 to {n} neutral .*, but {n + 1} were asked for"):
            bank("test", n=n + 1)


def test_passages_are_of_a_length() -> None:
    for text in neutral_passages("test") + neutral_passages("search"):
        assert 32 <= len(text.split()) <= 50


def test_likelihoods_are_those_of_plain_transformers_one_text_at_a_time(checkpoint: Path) -> None:
    model, plain = wb.load_model(str(checkpoint)), AutoModelForCausalLM.from_pretrained(checkpoint)

    def mean(prompt: list[int], answer: list[int]) -> float:
        with torch.no_grad():
            logs = plain(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1].double().log_softmax(-1)
        return float(sum(logs[i, token] for i, token in enumerate(answer)) / len(answer))

    texts = neutral_passages("test", n=3)
    tokens = model.tokens(texts, chat=False)
    frame = text_likelihoods(model, texts)
    assert frame["log_likelihood"].tolist() == pytest.approx([mean(ids[:1], ids[1:]) for ids in tokens], abs=1e-4)
    assert frame["tokens"].tolist() == [len(ids) - 1 for ids in tokens]

    questions = neutral_questions("test", n=2)
    prompts, answers = model.tokens(questions), own_answers(model, questions, max_new_tokens=6)
    for prompt, answer in zip(prompts, answers, strict=True):
        greedy = list(prompt)
        for _ in answer:
            with torch.no_grad():
                greedy.append(int(plain(torch.tensor([greedy])).logits[0, -1].argmax()))
        assert answer == greedy[len(prompt) :]
    own = own_likelihoods(model, [Prompt(question) for question in questions], answers)
    expected = [mean(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True) if answer]
    assert own["log_likelihood"].dropna().tolist() == pytest.approx(expected, abs=1e-4)
    assert expected


def test_every_condition_is_asked_about_the_unedited_models_answers(model: wb.Model, edit: Edit) -> None:
    told = Condition(
        "persona", TRAIT, "increase", 0.0, None, Instruction(TRAIT, "increase", "persona", "You are loud.")
    )
    changed = Condition("arm", TRAIT, "increase", 1.0, edit)
    runs: list[EditedRun] = []
    frame = SMALL.ask(model, Asking((UNEDITED, told, changed), "test", "generated", record=runs.append))
    assert len(runs) == 1
    assert runs[0].edited > 0
    wide = frame.pivot(index=["source", "item"], columns="arm", values="log_likelihood")
    text, own = wide.loc["text"], wide.loc["own answer"]
    assert (len(text), len(own)) == (3, 2)
    assert text["persona"].equals(text["none"].rename("persona"))
    assert (own["persona"] != own["none"]).all()
    assert ((text["arm"] != text["none"]).all(), (own["arm"] != own["none"]).all()) == (True, True)
    # What it would answer itself is likelier to it than to the edited model, step by step or not at all different.
    assert own["arm"].mean() < own["none"].mean()
    assert frame["perplexity"].tolist() == pytest.approx(np.exp(-frame["log_likelihood"]).tolist())
    measured = SMALL.measured(frame)
    assert measured["text_likelihood"].notna().tolist() == (frame["source"] == "text").tolist()
    assert (measured["text_likelihood"].notna() ^ measured["own_likelihood"].notna()).all()


def test_own_answers_are_made_once_never_inside_an_edit_and_again_in_another_process(
    model: wb.Model, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = neutral_questions("search", n=3)
    first = own_answers(model, questions, max_new_tokens=5)
    monkeypatch.setattr(scoring, "generate", lambda *args, **settings: pytest.fail("made twice"))
    with edited(model, edit, scope="generated"):
        assert own_answers(model, questions, max_new_tokens=5) == first
    monkeypatch.undo()
    monkeypatch.setattr(scoring, "_kept", {})
    with edited(model, edit, scope="generated"), pytest.raises(RuntimeError, match="Leave `edited` first"):
        own_answers(model, questions, max_new_tokens=5)
    assert own_answers(model, questions, max_new_tokens=5) == first
    assert own_answers(model, questions[:1], max_new_tokens=5) == first[:1]


def test_an_answer_without_tokens_is_missing(model: wb.Model) -> None:
    frame = own_likelihoods(model, [Prompt("a?"), Prompt("b?")], [[], [5, 6]])
    assert frame["log_likelihood"].isna().tolist() == [True, False]
    assert frame["tokens"].tolist() == [0, 2]


def test_texts_that_a_tokenizer_cannot_spell_are_refused_in_a_line(model: wb.Model) -> None:
    SMALL.prepare(model)
    limited = copy(model)
    limited.tokenizer = deepcopy(model.tokenizer)
    limited.tokenizer.unk_token = "Ġthe"
    with pytest.raises(ValueError, match="The outcome perplexity needs text that .* can spell") as error:
        SMALL.prepare(limited)
    assert "\n" not in str(error.value)


def test_the_key_depends_on_what_is_asked() -> None:
    keys = {outcome.key(split) for outcome in (Perplexity(), SMALL) for split in ("test", "search")}
    assert len(keys) == 4
    with pytest.raises(ValueError, match="1 to 20 neutral passages, but 21 were asked for"):
        Perplexity(passages=21).check()
    settings = wb.StudyConfig().settings
    assert outcome_of("perplexity", settings) == Perplexity()
    assert outcome_of({"perplexity": 3, "answers": 2, "answer_tokens": 6}, settings) == SMALL


def test_a_study_with_minimal_pairs_and_perplexity(tmp_path: Path, model: wb.Model) -> None:
    pairs = tmp_path / "pairs.csv"
    rows = [f"You are kind to {n} friends.,You kind are to friends {n}." for n in range(12)]
    pairs.write_text("good,bad\n" + "\n".join(rows) + "\n")
    config = wb.StudyConfig(
        traits=(TRAIT,),
        pairs=40,
        arms=("DPN-LE", "random", "simple prompt"),
        gammas=(0.5, 1.0),
        quantiles=(),
        outcomes=("answers", {"minimal-pairs": str(pairs)}, {"perplexity": 3, "answers": 2, "answer_tokens": 6}),
        search_questions=2,
        test_questions=4,
        permutations=19,
        resamples=100,
    )
    study = wb.run_study(config, tmp_path / "study", model=model)
    rows = study.tables["perplexity"]
    table = study.tables["perplexity_changes"].set_index(["arm", "gamma", "source"])
    assert table["n"].isin([6, 4]).all()  # both directions
    # An independent count of what the table says.
    wide = rows.pivot_table(index=["source", "item"], columns=["arm", "gamma"], values="log_likelihood")
    change = (wide[("DPN-LE", 1.0)] - wide[("none", 0.0)]).groupby("source").mean()
    for source in ("text", "own answer"):
        row = table.loc[("DPN-LE", 1.0, source)]
        assert row["change"] == pytest.approx(change[source])
        assert row["low"] <= row["change"] <= row["high"]
        assert row["ratio"] == pytest.approx(np.exp(-row["change"]))
    assert {"text_likelihood_change", "own_likelihood_change"} <= set(study.tables["equal_shift"].columns)
    kept = study.tables["kept"].set_index("quantity")
    assert kept.loc["text_likelihood", "n"].max() == 6
    claims = {finding.id: finding.claim for finding in study.findings}
    assert claims["keeps:text_likelihood"] == "Log-likelihood of neutral text: kept to within 0.05 nats per token"
    assert "keeps:own_likelihood" in claims
    again = perplexity_changes(rows, resamples=100)
    assert again["change"].tolist() == study.tables["perplexity_changes"]["change"].tolist()
