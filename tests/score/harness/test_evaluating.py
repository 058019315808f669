"""lm-evaluation-harness: its own `hf` model says the same of the same weights, and every sample pairs up."""

import copy
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import workbench as wb
from workbench.edit.prompting import Instruction
from workbench.measure.comparing import compare_arms
from workbench.measure.paired import mcnemar
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.score.answers import Condition
from workbench.score.harness import evaluating as harness
from workbench.score.harness.evaluating import HarnessOutcomes, evaluate_harness
from workbench.score.harness.model import harness_model
from workbench.score.harness.quiet import seeded
from workbench.score.harness.requests import wishes_of
from workbench.score.harness.tasks import local_task
from workbench.testbed import tasks

pytest.importorskip("lm_eval")
from lm_eval.api.instance import Instance
from lm_eval.evaluator import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

GSM8K = Path(__file__).parents[4] / "shared" / "data" / "capability" / "gsm8k_test.json"
WEIGHTS = files("workbench.testbed") / "weights"

CONFIGS = {
    "sums": """
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["."], do_sample: false, max_gen_toks: 12}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
""",
    "choices": """
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{options}}"
doc_to_target: "{{options.index(answer)}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
""",
    "last_words": """
output_type: loglikelihood
doc_to_text: "{{question}}"
doc_to_target: " {{answer}}"
metric_list:
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
  - {metric: acc, aggregation: mean, higher_is_better: true}
""",
    "texts": """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}} {{answer}}"
metric_list:
  - {metric: word_perplexity, aggregation: weighted_perplexity, higher_is_better: false}
  - {metric: bits_per_byte, aggregation: bits_per_byte, higher_is_better: false}
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tasks of the embedded model's own items, one of each kind that the harness knows."""
    place = tmp_path_factory.mktemp("tasks")
    rows = []
    for task in tasks.TASKS:
        items = tasks.items(task, "test", n=4)
        for i, item in enumerate(items):
            options = [item.answer, items[i - 1].answer + " 0"]
            rows.append({"question": item.question, "answer": item.answer, "options": sorted(options)})
    data = place / "items.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name, config in CONFIGS.items():
        source = (
            f"task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}}}}}\ntest_split: test\n"
        )
        (place / f"{name}.yaml").write_text(source + "metadata: {version: 2.0}\n" + config, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def edit(effects: wb.Effects, selection: wb.Selection) -> wb.Edit:
    return wb.dpn_edit(effects, selection, gamma=1.5, direction="increase")


@pytest.fixture(scope="module")
def conditions(edit: wb.Edit) -> list[Condition]:
    return [
        Condition.unedited("Extraversion"),
        Condition("DPN-LE", "Extraversion", "increase", 1.5, edit),
    ]


def paths(folder: Path, *names: str) -> list[Path]:
    return [folder / f"{name}.yaml" for name in names or CONFIGS]


@pytest.fixture(scope="module")
def outcomes(
    model: wb.Model, conditions: list[Condition], folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> HarnessOutcomes:
    kept = tmp_path_factory.mktemp("kept")
    return evaluate_harness(model, conditions, paths(folder), chat=True, folder=kept)


# The harness's own model


PAIRS = [
    ("What is 21 + 12?", " It is 33"),
    ("I like to spend the evening ", "with friends"),
    ("<|begin|><|user|>What is 4 + 4?<|end|><|assistant|>", "8"),
    ("", "I am very calm."),
    ("Repeat these numbers: 7 9 8 0 " * 20, "7 9"),
    ("What is 21 + 12?", " It"),
]
STOPS = [
    ("<|begin|><|user|>How do you spend your evening?<|end|><|assistant|>", {"until": ["."], "max_gen_toks": 20}),
    ("<|begin|><|user|>What do you do at a party?<|end|><|assistant|>", {"until": [" always", "!"]}),
    ("<|begin|><|user|>What is 4 + 4?<|end|><|assistant|>", {"until": [], "max_gen_toks": 20}),
    ("What is 21 + 12? " * 20, {"until": ["\n"], "max_gen_toks": 20}),
]


def requests(kind: Any, arguments: Sequence[tuple[Any, ...]]) -> list[Instance]:
    return [Instance(kind, {}, one, 0, metadata=("task", place, 1)) for place, one in enumerate(arguments)]


def theirs(weights: Any, **settings: Any) -> Any:
    common: dict[str, Any] = {"device": "cpu", "dtype": "float32", "batch_size": 3, "tokenizer": str(WEIGHTS)}
    make: Any = HFLM
    return make(pretrained=str(weights), **common | settings)


def same(ours: Any, hf: Any, bare: Any) -> None:
    """Whether two models of the harness say the same; `bare` is theirs, made to add no first token of its own."""
    judged = requests("loglikelihood", PAIRS)
    found, expected = ours.loglikelihood(judged), hf.loglikelihood(judged, disable_tqdm=True)
    np.testing.assert_allclose([log for log, _ in found], [log for log, _ in expected], atol=1e-4)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    texts = requests("loglikelihood_rolling", [("I am very calm. I like it.",), ("I often rest at home. " * 80,)])
    found, expected = ours.loglikelihood_rolling(texts), bare.loglikelihood_rolling(texts, disable_tqdm=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    said = requests("generate_until", [(text, {"max_gen_toks": 30} | wish) for text, wish in STOPS])
    assert ours.generate_until(said) == hf.generate_until(said, disable_tqdm=True)


def test_the_base_model_is_the_harness_own(model: wb.Model) -> None:
    hf = theirs(WEIGHTS)
    same(harness_model(model), hf, hf)


def test_a_first_token_that_the_tokenizer_adds_is_never_doubled(model: wb.Model) -> None:
    # TransformerLens' tokenizer begins every raw text; a wrapped model keeps a tokenizer that it is given.
    wrapped = harness_model(wb.wrap_model(model.hooked, model.hooked.tokenizer))
    begin: Any = model.tokenizer.bos_token_id
    assert wrapped.encode("What?")[0] == begin
    assert wrapped.encode("<|begin|>What?") == wrapped.encode("What?")
    assert begin not in harness_model(model).encode("What?")  # as the checkpoint has it
    hf = theirs(WEIGHTS, add_bos_token=True)
    same(wrapped, hf, theirs(WEIGHTS, add_bos_token=False))
    asked = requests("loglikelihood_rolling", [("I am very calm.",)])
    doubled, once = hf.loglikelihood_rolling(asked)[0], wrapped.loglikelihood_rolling(asked)[0]
    assert doubled < once - 1  # it judges the first token too, after itself


def test_an_edit_at_every_position_is_the_baked_checkpoint(model: wb.Model, edit: wb.Edit, tmp_path: Path) -> None:
    wb.bake(model, edit, tmp_path / "baked")
    hf = theirs(tmp_path / "baked")
    with wb.edited(model, edit, scope="all") as run:
        same(harness_model(model, run=run), hf, hf)
    loaded = wb.load_model(tmp_path / "baked")
    same(
        harness_model(loaded),
        theirs(tmp_path / "baked", tokenizer=None),
        theirs(tmp_path / "baked", add_bos_token=False),
    )
    plain = harness_model(model).loglikelihood(requests("loglikelihood", PAIRS))
    moved = hf.loglikelihood(requests("loglikelihood", PAIRS), disable_tqdm=True)
    assert max(abs(a - b) for (a, _), (b, _) in zip(plain, moved, strict=True)) > 0.5  # the edit does something


def test_whole_tasks_agree_with_the_harness_own_model(model: wb.Model, outcomes: HarnessOutcomes, folder: Path) -> None:
    manager = TaskManager(include_path=folder, include_defaults=False)
    found: Any = simple_evaluate(
        theirs(WEIGHTS),
        tasks=["sums", "choices", "last_words"],
        task_manager=manager,
        apply_chat_template=True,
        bootstrap_iters=0,
    )
    base = outcomes.aggregate[outcomes.aggregate["arm"] == "none"].set_index(["task", "metric"])["value"]
    for task, metric in [("sums", "exact_match"), ("choices", "acc"), ("choices", "acc_norm"), ("last_words", "acc")]:
        assert base[task, metric] == pytest.approx(found["results"][task][f"{metric},none"]), (task, metric)
    assert base["last_words", "perplexity"] == pytest.approx(
        found["results"]["last_words"]["perplexity,none"], rel=1e-3
    )
    assert base["sums", "exact_match"] > 0.8  # it can do them
    ours = outcomes.samples[(outcomes.samples["arm"] == "none") & (outcomes.samples["task"] == "sums")]
    assert list(ours["response"]) == [sample["resps"][0][0] for sample in found["samples"]["sums"]]
    assert [item.split()[1] for item in ours["item"]] == [s["doc_hash"][:12] for s in found["samples"]["sums"]]


# Edits and where they act


def spoken(model: Model, prompt: list[int], answer: list[int]) -> float:
    """Log-probability of an answer as it is when the model says it itself, a decode step a token."""
    cache, total = model.runner.generation_cache(batch=1), 0.0
    tokens, real = torch.tensor([prompt]), torch.ones(1, len(prompt), dtype=torch.bool)
    with torch.no_grad():
        for step, token in enumerate(answer):
            fresh = torch.ones_like(tokens, dtype=torch.bool)
            with model.passing(Pass("prompt" if step == 0 else "decode", fresh, torch.tensor([0]))):
                logits = model.runner.run(tokens, real, cache, logits=True)
            assert logits is not None
            total += float(logits[0].log_softmax(-1)[token])
            tokens, real = torch.tensor([[token]]), torch.ones(1, real.shape[1] + 1, dtype=torch.bool)
    return total


@pytest.mark.parametrize("scope", ["all", "generated", "decode"])
def test_an_answer_is_judged_as_it_would_be_said(model: wb.Model, edit: wb.Edit, scope: str) -> None:
    context, continuation = "What do you do at a party?", " I like to rest."
    prompt = harness_model(model).encode(context)
    answer = model.tokenizer(continuation, add_special_tokens=False)["input_ids"]
    with wb.edited(model, edit, scope=scope) as run:
        expected = spoken(model, prompt, answer)
    with wb.edited(model, edit, scope=scope) as run:
        judge = harness_model(model, run=run)
        # A second continuation of the same context shares its computation.
        found = judge.loglikelihood(requests("loglikelihood", [(context, continuation), (context, " No.")]))
    assert found[0][0] == pytest.approx(expected, abs=1e-4)
    # The last token of an answer is judged, never fed; " No." begins otherwise, so its tokens are fed beside, after the
    # context, which is fed once.
    other = len(model.tokenizer(" No.", add_special_tokens=False)["input_ids"])
    decoded = (len(answer) - 1) + (other - 1)
    positions = {"all": len(prompt) + decoded, "generated": 1 + decoded, "decode": decoded}[scope]
    assert judge.ledger.edited["task"].total() == positions * len(edit.layers)


def test_a_context_that_ends_in_space_is_edited_from_its_own_end(model: wb.Model, edit: wb.Edit) -> None:
    tokenizer: Any = copy.deepcopy(model.tokenizer)
    tokenizer.chat_template = tokenizer.chat_template.replace("'<|assistant|>'", "'<|assistant|>\n\n'")
    spaced = Model(model.hooked, tokenizer, name="spaced")
    context = harness_model(spaced, chat=True).apply_chat_template([{"role": "user", "content": "What is 4 + 4?"}])
    assert context.endswith("\n\n")
    prompt = spaced.tokens(["What is 4 + 4?"])[0]
    breaks = len(prompt) - prompt.index(tokenizer.convert_tokens_to_ids("<|assistant|>")) - 1
    answer = tokenizer("8 I am calm.", add_special_tokens=False)["input_ids"]
    with wb.edited(spaced, edit):
        expected = spoken(spaced, prompt, answer)
        found, _ = harness_model(spaced, chat=True).loglikelihood(
            requests("loglikelihood", [(context, "8 I am calm.")])
        )[0]
    # The harness judges the line breaks too, but they are the prompt's, so no edit has reached them yet.
    expected += spoken(spaced, prompt[:-breaks], prompt[-breaks:])
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_context_of_spaces_is_none(model: wb.Model) -> None:
    asked = requests("loglikelihood", [("  ", "I am"), ("", "  I am"), ("", "<|begin|>  I am")])
    spaces, none, begun = harness_model(model).loglikelihood(asked)
    assert spaces == none == begun


def test_a_whole_text_is_edited_throughout(model: wb.Model, edit: wb.Edit) -> None:
    text = "I often rest at home. " * 60  # longer than the model's 256 positions
    asked = requests("loglikelihood_rolling", [(text,)])
    found = {}
    for scope in ("all", "generated"):
        with wb.edited(model, edit, scope=scope) as run:
            found[scope] = harness_model(model, run=run).loglikelihood_rolling(asked)[0]
    assert found["generated"] == pytest.approx(found["all"], rel=1e-6)
    assert found["all"] != pytest.approx(harness_model(model).loglikelihood_rolling(asked)[0], rel=1e-3)


def test_an_edit_that_never_fires_on_one_of_the_tasks_is_refused(
    model: wb.Model, conditions: list[Condition], folder: Path, tmp_path: Path
) -> None:
    source = (folder / "choices.yaml").read_text(encoding="utf-8")
    letters = source.replace("task: choices", "task: letters").replace('"{{options}}"', '["5", "7"]')
    (tmp_path / "letters.yaml").write_text(letters.replace('"{{options.index(answer)}}"', "0"), encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"never fired on letters: no position .* scope 'decode'. Answers of one"):
        evaluate_harness(model, conditions, [tmp_path / "letters.yaml"], chat=True, scope="decode", limit=2)
    assert not any(point.fwd_hooks for point in model.hooked.hook_dict.values())


# Prompts


def test_conversations_are_rendered_as_everywhere_else(model: wb.Model) -> None:
    asked = harness_model(model, chat=True)
    history = [{"role": "system", "content": "You are calm."}, {"role": "user", "content": "What is 4 + 4?"}]
    expected = model.tokens([wb.Prompt("What is 4 + 4?", system="You are calm.")])[0]
    assert asked.encode(asked.apply_chat_template(history)) == expected
    begin: Any = model.tokenizer.bos_token_id
    assert expected.count(begin) == 1
    begun = asked.apply_chat_template([*history, {"role": "assistant", "content": "It is"}], False)
    assert asked.encode(begun) == [*expected, *model.tokenizer("It is", add_special_tokens=False)["input_ids"]]
    # A template that writes no first token gets none from a tokenizer that would add it to a raw text.
    tokenizer: Any = copy.deepcopy(model.tokenizer)
    tokenizer.chat_template = tokenizer.chat_template.replace("{{ bos_token }}", "")
    bare = wb.wrap_model(model.hooked, tokenizer)
    asked = harness_model(bare, chat=True)
    assert asked.encode(asked.apply_chat_template(history)) == expected[1:]
    assert bare.tokens([wb.Prompt("What is 4 + 4?", system="You are calm.")])[0] == expected[1:]


def test_a_system_prompt_is_kept_where_the_template_takes_none(model: wb.Model) -> None:
    tokenizer: Any = copy.deepcopy(model.tokenizer)
    only = "{% for m in messages %}{% if m['role'] != 'system' %}{{ m['content'] }};{% endif %}{% endfor %}"
    tokenizer.chat_template = only
    asked = harness_model(Model(model.hooked, tokenizer, name="m"), chat=True)
    history = [{"role": "system", "content": "Rest."}, {"role": "user", "content": "Hi"}]
    assert asked.apply_chat_template(history) == "Rest.\n\nHi;"
    tokenizer.chat_template = None
    with pytest.raises(ValueError, match="needs a chat template, but m has none. Use chat=False."):
        harness_model(Model(model.hooked, tokenizer, name="m"), chat=True)
    with pytest.raises(ValueError, match="got chat=False. Use chat=True."):
        harness_model(model).apply_chat_template(history)


def test_an_instruction_is_a_system_prompt(model: wb.Model, folder: Path) -> None:
    told = Condition("told", "Extraversion", "increase", 1.0, None, Instruction("T", "increase", "told", "Rest."))
    both = [Condition.unedited("Extraversion"), told]
    found = evaluate_harness(model, both, paths(folder, "sums"), chat=True, limit=2).samples
    assert found["prompt"].nunique() == 4  # two questions, each with and without it
    with pytest.raises(ValueError, match=r"needs a chat prompt, but told came with chat=False"):
        evaluate_harness(model, both, paths(folder, "sums"))
    with pytest.raises(ValueError, match="needs a prompt, but texts scores whole texts. Leave out the task or told"):
        evaluate_harness(model, both, paths(folder, "texts"), chat=True)


def test_sampled_answers_have_the_same_draws_under_every_condition(model: wb.Model) -> None:
    wish = {"do_sample": True, "temperature": 1.0, "until": [], "max_gen_toks": 12}
    asked = requests("generate_until", [("How do you spend your evening?", wish)] * 6)
    first, again = (harness_model(model, seed=3).generate_until(asked) for _ in range(2))
    assert first == again
    assert len(set(first)) > 1
    assert first != harness_model(model, seed=4).generate_until(asked)


def test_wishes_that_cannot_be_met_are_refused(model: wb.Model) -> None:
    with pytest.raises(ValueError, match=r"but the task also sets repetition_penalty, top_p\."):
        wishes_of({"do_sample": True, "temperature": 1.0, "top_p": 0.9, "repetition_penalty": 2, "until": []})
    assert wishes_of({"do_sample": False, "top_p": 0.9, "until": "x", "max_new_tokens": 3}).max_new_tokens == 3
    with pytest.raises(ValueError, match=r"task asks for up to 256 new tokens, but testbed has 256 positions"):
        harness_model(model).generate_until(requests("generate_until", [("Hi", {"until": []})]))
    with pytest.raises(ValueError, match=r"the model's 256 positions, but one has 300 tokens"):
        harness_model(model).loglikelihood(requests("loglikelihood", [("Hi", " 5" * 150)]))
    with pytest.raises(ValueError, match="'' has none"):
        harness_model(model).loglikelihood(requests("loglikelihood", [("Hi", "")]))


# Tables


def test_a_row_for_every_condition_task_and_sample(outcomes: HarnessOutcomes, conditions: list[Condition]) -> None:
    samples = outcomes.samples
    documents = 4 * len(tasks.TASKS)
    assert len(samples) == len(conditions) * len(CONFIGS) * documents
    assert not samples.duplicated(["arm", "trait", "direction", "gamma", "task", "item"]).any()
    per_item = samples.groupby(["task", "item"])["prompt"].nunique()
    assert (per_item == 1).all()  # every condition saw the same prompt
    main = samples.groupby("task")[["metric", "filter"]].first().to_dict("index")
    assert {task: row["metric"] for task, row in main.items()} == {
        "sums": "exact_match",
        "choices": "acc",
        "last_words": "acc",
        "texts": "word_perplexity",
    }
    assert set(outcomes.graded["task"]) == {"sums", "choices", "last_words"}
    assert set(outcomes.graded["correct"]) <= {0.0, 1.0}


def test_the_harness_own_numbers_are_those_of_the_samples(outcomes: HarnessOutcomes) -> None:
    graded: Any = outcomes.graded.groupby(["arm", "task"])["correct"].mean()
    numbers: Any = outcomes.aggregate.set_index(["arm", "task", "metric"])
    for (arm, task), share in graded.items():
        metric = "exact_match" if task == "sums" else "acc"
        row = numbers.loc[(arm, task, metric)]
        assert row["value"] == pytest.approx(share)
        assert row["stderr"] == pytest.approx(np.sqrt(share * (1 - share) / (row["n"] - 1)))
    assert set(numbers["version"]) == {"2.0"}
    assert set(numbers["fewshot"]) == {0}
    assert set(numbers.index[~numbers["chat"]].get_level_values("task")) == {"texts"}
    edited = numbers.loc["DPN-LE"]
    assert (edited["edited_prompt"] > 0).all()
    assert (numbers.loc["none", ["edited_prompt", "edited_decode"]] == 0).all(axis=None)
    texts = outcomes.samples[(outcomes.samples["task"] == "texts") & (outcomes.samples["arm"] == "none")]
    logs = [json.loads(response)[0][0] for response in texts["response"]]
    bits = texts["bits_per_byte,none"].to_numpy()
    assert (bits > 0).all()
    assert numbers.loc[("none", "texts", "bits_per_byte"), "value"] == pytest.approx(
        -sum(logs) / (sum(-np.array(logs) / bits / np.log(2))) / np.log(2)
    )


def test_paired_tests_take_the_samples_as_they_are(outcomes: HarnessOutcomes) -> None:
    table: Any = compare_arms(outcomes.graded, resamples=200, permutations=500).set_index("task")
    wide = outcomes.graded.pivot_table(index=["task", "item"], columns="arm", values="correct")
    for task, pairs in wide.groupby("task"):
        found = mcnemar(pairs["none"], pairs["DPN-LE"])
        assert (table.loc[task, "lost"], table.loc[task, "gained"]) == (found.b, found.c)
        assert table.loc[task, "n"] == len(pairs)
    assert table.loc["sums", "lost"] > 0  # this much of an edit costs sums


def test_a_main_metric_may_be_chosen(model: wb.Model, conditions: list[Condition], folder: Path) -> None:
    asked = {"limit": 2, "chat": True}
    found = evaluate_harness(model, conditions[:1], paths(folder, "choices"), metrics={"choices": "acc_norm"}, **asked)
    assert set(found.samples["metric"]) == {"acc_norm"}
    with pytest.raises(ValueError, match=r"choices has no metric 'f1'\. Choose among acc,none, acc_norm,none"):
        evaluate_harness(model, conditions[:1], paths(folder, "choices"), metrics={"choices": "f1"}, **asked)


def test_an_unknown_task_is_said(model: wb.Model, conditions: list[Condition]) -> None:
    with pytest.raises(ValueError, match=r"The harness has no task 'gsm9k' .* `lm-eval ls tasks` lists them"):
        evaluate_harness(model, conditions, ["gsm9k"])


def test_a_task_that_cannot_be_read_is_said(model: wb.Model, conditions: list[Condition], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("task: [open\n")
    with pytest.raises(ValueError, match=r"The task 'mine' cannot be loaded \(ParserError: .*line 1.*Check it"):
        evaluate_harness(model, conditions, [tmp_path / "mine.yaml"])


def test_what_cannot_be_evaluated_is_said(model: wb.Model, conditions: list[Condition], folder: Path) -> None:
    with pytest.raises(ValueError, match="needs conditions and tasks, but 0 and 1 arrived"):
        evaluate_harness(model, [], ["gsm8k"])
    with pytest.raises(ValueError, match="one of all, generated, decode, but 'none' arrived"):
        evaluate_harness(model, conditions, ["gsm8k"], scope="none")
    with pytest.raises(ValueError, match="Each task is evaluated once, but sums came several times"):
        evaluate_harness(model, conditions, paths(folder, "sums", "sums"))
    with pytest.raises(ValueError, match="metrics names tasks among sums, but 'sum' arrived"):
        evaluate_harness(model, conditions, paths(folder, "sums"), metrics={"sum": "acc"})
    with pytest.raises(FileNotFoundError, match="There is no folder .* of tasks"):
        evaluate_harness(model, conditions, paths(folder, "sums"), include_path=folder / "nowhere")


def test_groups_and_conditions_that_do_the_same(
    model: wb.Model, conditions: list[Condition], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []
    run = harness._run

    def counted(*arguments: Any) -> Any:
        runs.append(arguments[1].arm)
        return run(*arguments)

    monkeypatch.setattr(harness, "_run", counted)
    edit = conditions[1].edit
    assert edit is not None
    still = Condition("still", "Neuroticism", "increase", 0.0, edit.with_gamma(0.0))
    common = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "items.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "question",
        "doc_to_target": "answer",
        "generation_kwargs": {"until": ["."], "max_gen_toks": 8},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(json.dumps({"task": name, **common}), encoding="utf-8")
    mean = [{"metric": "exact_match", "aggregation": "mean", "weight_by_size": True}]
    group = {"group": "both", "task": ["one", "two"], "aggregate_metric_list": mean}
    (tmp_path / "both.yaml").write_text(json.dumps(group), encoding="utf-8")
    asked = [conditions[0], still, conditions[1]]
    found = evaluate_harness(model, asked, ["both"], chat=True, limit=3, include_path=tmp_path)
    assert runs == ["none", "DPN-LE"]
    same = found.samples.groupby("arm")["response"].apply(list)
    assert same["none"] == same["still"]
    assert set(found.samples.loc[found.samples["arm"] == "still", "trait"]) == {"Neuroticism"}
    both = found.aggregate[found.aggregate["group"]]
    assert set(both["task"]) == {"both"}
    members = found.aggregate[~found.aggregate["group"]].groupby("arm")
    for arm, row in both.set_index("arm").iterrows():
        own = members.get_group(arm)
        assert row["value"] == pytest.approx(own["value"].mean())
        assert row["edited_prompt"] == own["edited_prompt"].sum()
        assert row["n"] == 6


# On disk


def test_what_is_done_is_not_done_again(
    model: wb.Model, conditions: list[Condition], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[tuple[str, float]] = []
    run = harness._run

    def counted(*arguments: Any) -> Any:
        runs.append((arguments[1].arm, arguments[1].gamma))
        return run(*arguments)

    monkeypatch.setattr(harness, "_run", counted)
    told: list[tuple[str, float]] = []
    asked: dict[str, Any] = {"chat": True, "limit": 3, "folder": tmp_path, "max_new_tokens": 8}
    first = evaluate_harness(model, conditions, paths(folder, "sums", "choices"), **asked)
    assert len(runs) == 4
    again = evaluate_harness(
        model,
        conditions,
        paths(folder, "sums", "choices"),
        progress=lambda what, share: told.append((what, share)),
        metrics={"choices": "acc_norm"},  # read from what is kept
        **asked,
    )
    assert len(runs) == 4
    assert [share for _, share in told] == [0.25, 0.5, 0.75, 1.0]
    assert told[0][0] == "sums: none"
    kept = ["metric", "score", "correct"]
    pd.testing.assert_frame_equal(first.samples.drop(columns=kept), again.samples.drop(columns=kept))
    pd.testing.assert_frame_equal(first.aggregate, again.aggregate)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "samples.parquet"), again.samples)
    edit = conditions[1].edit
    assert edit is not None
    weaker = Condition("DPN-LE", "Extraversion", "increase", 0.5, edit.with_gamma(0.5))
    evaluate_harness(model, [*conditions, weaker], paths(folder, "sums"), **asked)
    assert runs[4:] == [("DPN-LE", 0.5)]
    evaluate_harness(model, conditions, paths(folder, "sums"), scope="all", **asked)
    assert runs[5:] == [("DPN-LE", 1.5)]  # the unedited model has no scope
    damaged = next(tmp_path.glob("choices.*.samples.parquet"))
    content = bytearray(damaged.read_bytes())
    content[20] ^= 0xFF
    damaged.write_bytes(content)
    with pytest.raises(ValueError, match=r"choices\..*samples.parquet is damaged .* Remove it to compute it again"):
        evaluate_harness(model, conditions, paths(folder, "choices"), **asked)
    damaged.unlink()
    evaluate_harness(model, conditions, paths(folder, "choices"), **asked)
    assert len(runs) == 7


def test_data_sets_leave_no_trace_but_where_they_are_wanted(
    model: wb.Model, conditions: list[Condition], folder: Path, tmp_path: Path
) -> None:
    from datasets import config

    before = config.HF_DATASETS_CACHE
    evaluate_harness(model, conditions[:1], paths(folder, "sums"), chat=True, limit=1, cache=tmp_path / "here")
    assert list((tmp_path / "here").rglob("*.arrow"))
    assert before == config.HF_DATASETS_CACHE
    evaluate_harness(model, conditions[:1], paths(folder, "sums"), chat=True, limit=1)
    assert not list(Path(tempfile.gettempdir()).glob("workbench-harness-*"))
    assert not list(Path(before).rglob("*items*"))


def test_shared_generators_are_seeded_and_put_back() -> None:
    random.seed(5)
    expected = random.random()
    random.seed(5)
    drawn = []
    for _ in range(2):
        with seeded(3):
            drawn.append((random.random(), np.random.rand()))  # noqa: NPY002
    assert drawn[0] == drawn[1]
    assert random.random() == expected


def test_changed_data_are_put_again(model: wb.Model, conditions: list[Condition], folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "items.jsonl"
    data.write_bytes((folder / "items.jsonl").read_bytes())
    source = (folder / "sums.yaml").read_text(encoding="utf-8").replace(str(folder / "items.jsonl"), str(data))
    (tmp_path / "sums.yaml").write_text(source, encoding="utf-8")
    asked: dict[str, Any] = {"chat": True, "limit": 2, "folder": tmp_path / "kept"}
    first = evaluate_harness(model, conditions[:1], [tmp_path / "sums.yaml"], **asked).samples
    data.write_text("".join(data.read_text(encoding="utf-8").splitlines(True)[2:]), encoding="utf-8")
    again = evaluate_harness(model, conditions[:1], [tmp_path / "sums.yaml"], **asked).samples
    assert set(first["item"]).isdisjoint(again["item"])


# Shipped tasks on local files


ROWS: dict[str, list[dict[str, Any]]] = {
    "mmlu_anatomy": [
        {"question": f"Which number comes after {n}?", "choices": [str(n + i) for i in range(4)], "answer": 1}
        for n in range(3)
    ],
    "triviaqa": [{"question": "What is 4 + 4", "answer": {"aliases": ["8", "eight"]}}] * 3,
    "longbench_hotpotqa": [{"context": "Ann is older than Bob.", "question": "Who is older?", "answers": ["Ann"]}] * 3,
}


@pytest.mark.parametrize("name", ROWS)
def test_shipped_tasks_run_on_local_files(
    name: str, model: wb.Model, conditions: list[Condition], tmp_path: Path
) -> None:
    if name.startswith("longbench"):
        pytest.importorskip("jieba", reason="this task's own scorer is not installed")
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS[name]), encoding="utf-8")
    found = evaluate_harness(model, conditions, [local_task(name, data)], max_new_tokens=8, fewshot=0)
    assert len(found.samples) == 6
    assert set(found.samples["task"]) == {name}
    assert found.graded["task"].eq(name).all()
    assert found.aggregate["version"].iloc[0] not in ("None", "Yaml")  # as shipped


@pytest.mark.skipif(not GSM8K.is_file(), reason="gsm8k_test.json is not on this machine")
def test_gsm8k_on_its_own_file(model: wb.Model, conditions: list[Condition]) -> None:
    spec = local_task("gsm8k", GSM8K)
    found = evaluate_harness(model, conditions, [spec], limit=5, fewshot=1, max_new_tokens=32)
    assert len(found.samples) == 10
    assert {"exact_match,strict-match", "exact_match,flexible-extract"} <= set(found.samples.columns)
    assert set(found.aggregate["of"]) == {1319}
    assert set(found.aggregate["fewshot"]) == {1}
    # One example and the question exceed the model's positions, and the table reports what was cut.
    assert (found.samples["dropped"] > 0).any()
    assert found.aggregate["cut"].iloc[0] == (found.samples["dropped"].iloc[:5] > 0).sum()


def test_few_shot_examples_are_never_the_item_itself(tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text('{"question": "a", "answer": "b"}\n', encoding="utf-8")
    member = local_task("gsm8k", data)["task"][0]
    assert (member["test_split"], member["fewshot_split"], member["training_split"]) == ("test", "test", None)
    both = local_task("gsm8k", {"test": data, "train": data}, num_fewshot=2)["task"][0]
    assert (both["fewshot_split"], both["training_split"], both["num_fewshot"]) == ("train", "train", 2)
    assert local_task("gsm8k_cot", data)["task"][0]["fewshot_split"] is None  # it brings its own


def test_local_files_that_will_not_do(tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text("{}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="a single task that is scored on a split, but 'mmlu' arrived"):
        local_task("mmlu", data)
    with pytest.raises(ValueError, match=r"gsm8k is scored on split 'test', but files of \['train'\] arrived"):
        local_task("gsm8k", {"train": data})
    with pytest.raises(FileNotFoundError, match="There is no file"):
        local_task("gsm8k", tmp_path / "none.json")
    (tmp_path / "rows.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ValueError, match=r"of one kind, .*, but \.txt arrived"):
        local_task("gsm8k", tmp_path / "rows.txt")


@pytest.mark.parametrize("name", sorted(path.name for path in Path(harness.__file__).parent.glob("harness*.py")))
def test_without_the_extra_the_rest_imports(name: str, model: wb.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [one for one in sys.modules if one.partition(".")[0] in ("lm_eval", "datasets")]:
        monkeypatch.setitem(sys.modules, module, None)
    run_path(str(files("workbench.score") / name))
    with pytest.raises(ImportError, match=r"pip install 'dpn-workbench\[harness\]'"):
        harness_model(model)
