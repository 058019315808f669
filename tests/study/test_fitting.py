"""What is of the embedded model alone is refused for others, and what was published for a model is used."""

from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import workbench as wb
from workbench.model.embedded import is_embedded, words_of
from workbench.score.answers import testbed_scorer as by_grammar
from workbench.select import presets
from workbench.study.fitting import fitted
from workbench.study.plan import Plan
from workbench.testbed.speaking import named_speaks


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer Llama whose tokenizer knows other words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("foreign") / "testbed"  # a name that tells nothing
    words = ["<unk>", "<s>", "</s>", *(f"word{number}" for number in range(61))]
    plain = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(words),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=256,
            bos_token_id=1,
            eos_token_id=2,
        )
    ).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=plain, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def stranger(foreign: Path) -> wb.Model:
    return wb.load_model(foreign)


def test_the_embedded_model_is_known_by_its_vocabulary_not_by_a_name(
    model: wb.Model, stranger: wb.Model, checkpoint: Path, foreign: Path
) -> None:
    assert is_embedded(model)
    assert is_embedded(wb.load_model(checkpoint))
    assert not is_embedded(stranger)
    assert (words_of(model), words_of(stranger)) == ("testbed", "builtin")
    assert named_speaks("testbed")
    assert named_speaks(checkpoint)
    for name in (foreign, "smollm2", "meta-llama/Meta-Llama-3-8B-Instruct", "model.gguf"):
        assert not named_speaks(name)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"outcomes": ("answers",)}, "scorer = 'grammar'."),
        ({"outcomes": ("answers",), "questions": "testbed"}, "scorer = 'grammar', questions = 'testbed'."),
        ({"outcomes": ("statements", "capability")}, "the outcome capability."),
        ({"outcomes": ("statements",), "contrast": "testbed"}, "contrast = 'testbed'."),
        ({"outcomes": ({"statements": "testbed"},)}, "statements = 'testbed'."),
        ({"outcomes": ("questionnaire",)}, "the questionnaire's statements."),
        ({"outcomes": ("answers", "off-target", "fluency"), "traits": ("Openness", "Extraversion")}, "grammar"),
    ],
)
def test_a_study_of_another_model_is_refused_in_one_line_before_anything_runs(
    stranger: wb.Model, foreign: Path, tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    config = wb.StudyConfig(model=str(foreign), **{"traits": ("Openness",), **given})
    with pytest.raises(ValueError, match="Of the embedded model alone") as raised:
        wb.run_study(config, tmp_path / "study", model=stranger)
    told = str(raised.value)
    assert said in told
    assert "statements, minimal-pairs, perplexity" in told
    assert "\n" not in told
    assert not (tmp_path / "study" / "manifest.json").exists()


def test_outcomes_that_fit_any_model_are_taken(stranger: wb.Model, foreign: Path) -> None:
    config = wb.StudyConfig(model=str(foreign), traits=("Openness",), outcomes=("statements", "perplexity", "patching"))
    assert (config.contrast, config.questions) == ("builtin", "builtin")
    plan = Plan.of(config)
    assert fitted(plan, stranger) == (plan, None)
    demo = Plan.of(wb.StudyConfig.for_model(str(foreign)))
    assert fitted(demo, stranger) == (demo, None)


def test_pairs_follow_the_model_where_nobody_says_whose(checkpoint: Path, foreign: Path) -> None:
    assert wb.StudyConfig().contrast == "testbed"
    assert wb.StudyConfig(model=str(checkpoint)).contrast == "testbed"
    assert wb.StudyConfig(model=str(foreign)).contrast == "builtin"
    assert wb.StudyConfig(model=str(foreign), contrast="testbed").contrast == "testbed"


def test_answers_of_another_model_are_not_scored_by_the_grammar(stranger: wb.Model) -> None:
    with pytest.raises(ValueError, match="its grammar"):
        wb.score.answer_questions(stranger, [wb.score.Condition.unedited("Openness")], {"Openness": ["word1?"]})
    with pytest.raises(ValueError, match="its grammar"):
        wb.score.answer_questions(stranger, [], {}, scorer=by_grammar)


def test_calibrating_another_model_needs_everything_of_its_own(stranger: wb.Model, effects: wb.Effects) -> None:
    edit = wb.edit.dpn_edit(effects, wb.select_neurons(effects, quantile=0.99))
    named = replace_name(stranger, "testbed")
    with pytest.raises(ValueError, match="pass questions, items, scorer"):
        wb.score.calibrate(named, edit, target=0.5)


def replace_name(model: wb.Model, name: str) -> wb.Model:
    """The same model under a name that is the embedded one's."""
    import copy

    other = copy.copy(model)
    other.name = name
    return other


def test_a_study_uses_what_was_published_for_its_model_where_its_file_does_not_say(
    model: wb.Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shape = presets.shape_of(model)
    assert shape is not None
    published = presets.Preset("a paper's model", (1, 2), wb.select.RuleSettings(min_d=0.3), (0.8,), "a paper")
    monkeypatch.setitem(presets.PRESETS, shape, published)
    few = {"traits": ("Extraversion",), "outcomes": ("questionnaire",), "arms": ("DPN-LE", "random")}
    silent = Plan.of(wb.StudyConfig(**few))
    plan, used = fitted(silent, model)
    assert used == published
    assert (plan.config.layers, plan.config.min_d) == ((1, 2), 0.3)
    plan, used = fitted(Plan.of(wb.StudyConfig(**few, min_d=0.8)), model)
    assert used == published
    assert (plan.config.layers, plan.config.min_d) == ((1, 2), 0.8)
    assert fitted(Plan.of(wb.StudyConfig(**few, min_d=0.8, layers=None)), model)[1] is None

    small = {"pairs": 20, "quantile": 0.98, "quantiles": (), "gammas": (1.0,), "draws": 1, "permutations": 19}
    config = wb.StudyConfig(**few, **small, resamples=100, search_questions=1, test_questions=2)
    study = wb.run_study(config, tmp_path / "study", model=model)
    assert "a paper's model" in study.preset
    assert study.config.layers == (1, 2)
    assert set(study.tables["selection"]["layer"]) == {1, 2}
    from workbench.report.study_page import study_report

    assert "a paper's model" in study_report(study).lead
