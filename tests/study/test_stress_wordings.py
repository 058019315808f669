"""Other ways to put a question: what each stressor makes of a prompt, and what a study's file may say of stress."""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import workbench as wb
from workbench.contrast.prompt import Prompt
from workbench.model.likelihood import log_likelihoods
from workbench.outcome.outcome import Asking, Outcome
from workbench.outcome.quantity import Quantity
from workbench.score.answers import Condition
from workbench.score.perplexity.neutral import neutral_questions
from workbench.score.statements.scoring import QUESTIONS
from workbench.study.plan import Plan
from workbench.study.stressing import registry
from workbench.study.stressing.conversation import Conversation
from workbench.study.stressing.halves import Halves
from workbench.study.stressing.language import Language
from workbench.study.stressing.mistyping import Typing, mistyped
from workbench.study.stressing.pairs import Pairs
from workbench.study.stressing.paraphrase import Paraphrase
from workbench.study.stressing.stressed import Stressed, UntouchedError
from workbench.study.stressing.stressor import StressError, Wording
from workbench.study.stressing.system import Role, System
from workbench.study.stressing.template import PlainText, Template
from workbench.study.stressing.texts import texts


def config_of(stress: object, **entries: Any) -> wb.StudyConfig:
    """A study's file with these stresses."""
    return wb.StudyConfig.model_validate({"stress": stress, **entries})


ASKED = [*QUESTIONS, *neutral_questions("search"), *neutral_questions("test")]
PROMPT = Prompt("Tell me about yourself.", system="You are shy.")


@pytest.mark.parametrize("stressor", [Paraphrase(), Language()], ids=["paraphrase", "language"])
def test_every_neutral_question_has_other_words_and_an_instruction_stays(stressor: Paraphrase | Language) -> None:
    for wording in stressor.wordings("builtin"):
        put = [wording.put(Prompt(question, system="You are shy.")) for question in ASKED]
        assert len({prompt.user for prompt in put}) == len(ASKED)
        assert not {prompt.user for prompt in put} & set(ASKED)
        assert all((prompt.system or "").startswith("You are shy.") for prompt in put)
        with pytest.raises(StressError, match="no other words for 'Who won"):
            wording.put(Prompt("Who won?"))


def test_two_paraphrases_differ_and_so_do_two_languages() -> None:
    for stressor in (Paraphrase(), Language()):
        first, second = stressor.wordings("builtin")
        assert all(first.put(Prompt(q)).user != second.put(Prompt(q)).user for q in ASKED)
    assert [wording.name for wording in Language().wordings("builtin")] == ["French", "Spanish"]


def test_paraphrases_of_ones_own_stand_beside_the_built_in_ones(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [{"question": "Who won?", "paraphrase": "Which side won?"}, {"question": "Who won?", "paraphrase": "Won?"}]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    first, second = Paraphrase(str(path)).wordings("builtin")
    assert [each.put(Prompt("Who won?")).user for each in (first, second)] == ["Which side won?", "Won?"]
    assert first.put(Prompt(QUESTIONS[0])).user != QUESTIONS[0]
    path.write_text(json.dumps({"question": "Who won?", "paraphrase": " "}), encoding="utf-8")
    with pytest.raises(ValueError, match="mine.jsonl, row 1: question and paraphrase are texts, but one is empty"):
        Paraphrase(str(path)).wordings("builtin")
    with pytest.raises(ValueError, match="mine.jsonl needs columns question and translation, but has no 'translation'"):
        Language(str(path)).wordings("builtin")


def test_slips_are_the_same_for_a_seed_and_others_for_another() -> None:
    text = "What should people know about the way you are?"
    assert mistyped(text, rate=0.1, seed=0) == mistyped(text, rate=0.1, seed=0) != text
    assert len({mistyped(text, rate=0.1, seed=seed) for seed in range(20)}) > 15
    assert mistyped("123 ?!", rate=1.0, seed=0) == "123 ?!"


@pytest.mark.parametrize("seed", range(30))
def test_one_slip_is_one_key(seed: int) -> None:
    """A key beside the right one, two letters swapped, one left out or one doubled; never more at the lowest rate."""
    row = {letter: keys for keys in ("qwertyuiop", "asdfghjkl", "zxcvbnm") for letter in keys}
    text = "Tell me"
    made = mistyped(text, rate=0.01, seed=seed)
    if len(made) != len(text):
        short, long = sorted((made, text), key=len)
        assert len(long) == len(short) + 1
        assert any(long[:place] + long[place + 1 :] == short for place in range(len(long)))
        return
    changed = [place for place, (a, b) in enumerate(zip(text, made, strict=True)) if a != b]
    if len(changed) == 2:
        a, b = changed
        assert (b, made[a], made[b]) == (a + 1, text[b], text[a])
    else:
        [place] = changed
        keys = row[text[place].lower()]
        assert abs(keys.index(text[place].lower()) - keys.index(made[place].lower())) == 1
        assert made[place].isupper() == text[place].isupper()


def test_the_rate_tells_how_many_letters_slip() -> None:
    text = " ".join(["somewhere"] * 100)
    for rate in (0.05, 0.3):
        made = mistyped(text, rate=rate, seed=1)
        words = sum(a != b for a, b in zip(made.split(), text.split(), strict=True))
        assert words == pytest.approx(100 * (1 - (1 - rate) ** 9), abs=12)


def test_a_role_a_template_and_earlier_turns_keep_the_question() -> None:
    [guide] = System(("You are a guide.",)).wordings("builtin")
    assert guide.put(PROMPT).system == "You are shy. You are a guide."
    assert guide.put(Prompt("Hello.")).system == "You are a guide."
    plain, _ = Template().wordings("builtin")
    assert plain.put(PROMPT) == Prompt("You are shy.\n\nQuestion: Tell me about yourself.\nAnswer:\n", chat=False)
    short, long = Conversation((2, 50)).wordings("builtin")
    turns = [tuple(turn) for turn in texts("builtin")["conversation"]]
    assert list(long.put(PROMPT).earlier) == turns
    assert list(short.put(PROMPT).earlier) == turns[:2]
    assert (short.put(PROMPT).user, short.put(PROMPT).system) == (PROMPT.user, PROMPT.system)


def test_the_embedded_model_is_asked_in_its_own_words_or_not_at_all(model: wb.Model) -> None:
    for stressor in (Paraphrase(), System(), Conversation()):
        for wording in stressor.wordings("testbed"):
            for question in QUESTIONS:
                put = wording.put(Prompt(question))
                said = [put.user, put.system or "", *(text for turn in put.earlier for text in turn)]
                words = [word for text in said for word in text.replace("?", "").replace(".", "").split()]
                tokens = [max(map(len, model.answer_tokens([f" {word}"]))) for word in words]
                assert max(tokens) <= 2, (wording, words)
    for stressor in (Template(), Typing(), Language()):
        with pytest.raises(StressError, match="knows the words of its own corpus alone"):
            stressor.wordings("testbed")


@dataclass(frozen=True)
class Likely(Outcome):
    """How likely the model finds an answer, in a chat or after raw text."""

    chat: bool = True

    name = "likely"
    quantities = (Quantity("likely", "trait", "likelihood", "nats"),)

    def ask(self, model: wb.Model, asking: Asking) -> pd.DataFrame:
        prompts = [Prompt(question, chat=self.chat) for question in QUESTIONS[:2]]
        answers = model.answer_tokens(["I am quiet."])
        logs = log_likelihoods(model, model.tokens(prompts), [answers] * 2)
        rows = [{"question": p.user, "likely": float(log.sum())} for p, [log] in zip(prompts, logs, strict=True)]
        return pd.concat([pd.DataFrame(rows).assign(**each.labels) for each in asking.conditions])


def asked(model: wb.Model, wording: Wording, outcome: Outcome) -> pd.DataFrame:
    asking = Asking((Condition.unedited("Extraversion"),), "test", "generated")
    return Stressed(outcome, "any", wording).ask(model, asking)


def likelihoods(model: wb.Model, prompts: Sequence[Prompt]) -> list[float]:
    answers = model.answer_tokens(["I am quiet."])
    return [float(log.sum()) for [log] in log_likelihoods(model, model.tokens(prompts), [answers] * len(prompts))]


def test_an_outcome_is_asked_as_the_wording_puts_it_and_names_questions_as_before(model: wb.Model) -> None:
    rows = asked(model, Role("teacher", "You are a teacher."), Likely())
    assert rows["question"].tolist() == list(QUESTIONS[:2])
    expected = likelihoods(model, [Prompt(question, system="You are a teacher.") for question in QUESTIONS[:2]])
    assert rows["likely"].tolist() == pytest.approx(expected)
    assert rows["likely"].tolist() != pytest.approx(likelihoods(model, [Prompt(q) for q in QUESTIONS[:2]]))
    plain = asked(model, PlainText("qa", "{user}\n"), Likely())
    assert plain["likely"].tolist() == pytest.approx(
        likelihoods(model, [Prompt(f"{question}\n", chat=False) for question in QUESTIONS[:2]])
    )


def test_an_outcome_of_raw_text_is_told_to_be_untouched(model: wb.Model) -> None:
    with pytest.raises(UntouchedError, match="likely puts no question to the model in a chat"):
        asked(model, Role("teacher", "You are a teacher."), Likely(chat=False))


def test_a_template_that_refuses_earlier_turns_is_a_reason(model: wb.Model) -> None:
    template = model.tokenizer.chat_template
    refusing = "{% if messages | length > 1 %}{{ raise_exception('one turn only') }}{% endif %}" + str(template)
    model.tokenizer.chat_template = refusing
    try:
        [wording] = Conversation((1,)).wordings("testbed")
        with pytest.raises(StressError, match="one turn only"):
            asked(model, wording, Likely())
    finally:
        model.tokenizer.chat_template = template


def test_what_is_kept_depends_on_the_wording(model: wb.Model) -> None:
    one, same, other = (Stressed(Likely(), "system", Role("a", text)) for text in ("You.", "You.", "Me."))
    assert one.key("test") == same.key("test") != other.key("test")
    assert one.key("test") != Likely().key("test")


def test_a_studys_file_names_stressors_alone_or_with_settings() -> None:
    assert wb.StudyConfig().stress == ()
    assert config_of("all").stress == tuple(registry.BUILT_IN)
    config = config_of(["halves", {"pairs": [10, 30]}, "system"], seed=7)
    assert config.stress == ("system", {"pairs": [10, 30]}, "halves")
    system, pairs, halves = Plan.of(config).stressors
    assert (system, pairs, halves) == (System(), Pairs((10, 30)), Halves(seed=7))
    assert config_of(["all", {"pairs": [10]}]).stress[6] == {"pairs": [10]}
    again = wb.StudyConfig.model_validate(tomllib.loads(config.toml()))
    assert again == config


def test_a_stress_changes_no_entry_that_other_tables_depend_on() -> None:
    assert config_of("all").entries == wb.StudyConfig().entries


@pytest.mark.parametrize(
    ("stress", "said"),
    [
        (["fatigue"], "stress is 'all' or any of paraphrase, .*, halves, but 'fatigue' arrived"),
        (["pairs", {"pairs": [10]}], "stress names a stressor once, but pairs is there as pairs and as"),
    ],
)
def test_a_file_that_names_no_stressor_is_refused(stress: list[object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        config_of(stress)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"pairs": [1]}, "An edit is made from 2 pairs or more, but"),
        ({"pairs": [10], "rate": 2}, "The stressor pairs has entries counts, but .'rate'. arrived"),
        ({"seeds": 0}, "Pairs are drawn anew once or more, but 0"),
        ({"typing": [0.0]}, "Rates of slips are shares above 0"),
        ({"template": ["Question:"]}, "holds {user}, but 'Question:' does not"),
        ({"conversation": [0]}, "1 turn or more before the question"),
    ],
)
def test_impossible_settings_are_refused_before_anything_runs(entry: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Plan.of(config_of([entry]))
