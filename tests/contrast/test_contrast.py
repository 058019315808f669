import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from tests.concept.banks import read_bank
from workbench.contrast import banks
from workbench.contrast.banks import STYLES
from workbench.testbed import grammar
from workbench.vocabulary import Pole, neutral_kind


@pytest.mark.parametrize("source", [wb.Contrast.testbed, wb.Contrast.builtin])
@pytest.mark.parametrize("trait", wb.BIG_FIVE)
def test_poles_share_their_questions_and_differ_in_their_personas(source, trait: str) -> None:
    contrast = source(trait, n=60, seed=1)
    assert len(contrast) == 60
    assert set(contrast.poles) == {"high", "low", "neutral"}
    for prompts in contrast.poles.values():
        assert tuple(prompt.user for prompt in prompts) == contrast.questions
    assert not {prompt.system for prompt in contrast.high} & {prompt.system for prompt in contrast.low}


def test_equal_seeds_give_equal_prompts() -> None:
    one, same, other = (wb.Contrast.testbed("Openness", n=20, seed=seed) for seed in (0, 0, 1))
    assert one.digest == same.digest != other.digest
    assert one == same


def test_held_out_personas_share_no_question_with_training() -> None:
    train = wb.Contrast.testbed("Neuroticism", n=200)
    test = wb.Contrast.testbed("Neuroticism", n=200, held_out=True)
    assert not set(train.questions) & set(test.questions)
    assert set(test.questions) <= set(grammar.questions("Neuroticism", "test"))
    assert not {p.system for p in train.high} & {p.system for p in test.high}


def test_builtin_uses_each_question_before_any_twice() -> None:
    asked = len({question["text"] for question in read_bank("Openness")["questions"]})
    contrast = wb.Contrast.builtin("Openness", n=asked + 10)
    assert len(set(contrast.questions[:asked])) == asked


def shared(one: wb.Contrast, other: wb.Contrast) -> set[str]:
    """The kinds of label that two contrasts have in common."""
    poles = {pole for pole in (Pole.HIGH, Pole.LOW) if set(one.descriptions[pole]) & set(other.descriptions[pole])}
    return {str(pole) for pole in poles} | ({"question"} if set(one.questions) & set(other.questions) else set())


@settings(deadline=None)
@given(st.integers(0, 100), st.sampled_from([0.1, 0.3, 0.5]))
def test_a_split_shares_neither_question_nor_description(seed: int, holdout: float) -> None:
    crossed = wb.Contrast.builtin("Openness", n=3000, seed=seed, style="behavioural")
    kept, held = crossed.split(holdout=holdout, seed=seed)
    assert not shared(kept, held)
    assert len(held) / 3000 == pytest.approx(holdout**2, rel=1)
    assert len(kept) / 3000 == pytest.approx((1 - holdout) ** 2, rel=0.3)
    questions_alone = crossed.split(holdout=holdout, seed=seed, by="question")
    assert sum(map(len, questions_alone)) == 3000
    assert shared(*questions_alone) == {"high", "low"}


def test_groups_that_share_nothing_are_held_out_whole_and_no_pair_is_lost() -> None:
    rows = range(40)
    contrast = wb.Contrast(
        "mood",
        tuple(wb.Prompt(f"q{i % 20}", f"h{i // 2 % 10}") for i in rows),
        tuple(wb.Prompt(f"q{i % 20}", f"l{i // 2 % 10}") for i in rows),
        questions=tuple(f"q{i % 20}" for i in rows),
        descriptions={
            Pole.HIGH: tuple(f"h{i // 2 % 10}" for i in rows),
            Pole.LOW: tuple(f"l{i // 2 % 10}" for i in rows),
        },
    )
    kept, held = contrast.split(holdout=0.2, seed=1)
    assert (len(kept), len(held)) == (32, 8)
    assert not shared(kept, held)
    texts = wb.Contrast.from_texts("mood", high=["a", "a", "b", "b"], low=["c", "d", "e", "f"])
    kept, held = texts.split(holdout=0.5)  # without ids equal texts are one description
    assert not set(kept.high) & set(held.high)
    assert len(kept) == len(held) == 2


def test_pairs_that_cannot_be_split_are_refused() -> None:
    one = wb.Contrast.from_texts("mood", high=["a"] * 6, low=[*"bcdefg"])
    with pytest.raises(ValueError, match="6 questions and 1 high and 6 low descriptions, which leave 0 pairs and 1 "):
        one.split()
    kept, held = one.split(holdout=0.4, by="question")
    assert (len(kept), len(held)) == (4, 2)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("trait", wb.BIG_FIVE)
def test_the_built_in_bank_holds_out_questions_and_descriptions_of_every_facet(trait: str, style: str) -> None:
    found, held = (wb.Contrast.builtin(trait, n=300, style=style, held_out=held_out) for held_out in (False, True))
    assert not shared(found, held)
    bank = read_bank(trait, style=style)
    facet = {entry["text"]: entry["facet"] for pole in ("high", "low") for entry in bank["descriptions"][pole]}
    for contrast in (found, held):
        assert {facet[text] for text in contrast.descriptions[Pole.HIGH]} == set(bank["facets"])
    every = wb.Contrast.builtin(trait, n=300, style=style)
    assert shared(every, held) == {"high", "low", "question"}
    assert held.source == f"builtin, {style}, held-out part"


def test_explicit_poles_are_drawn_independently_each_persona_once_before_any_twice() -> None:
    contrast = wb.Contrast.builtin("Extraversion", n=120)
    assert contrast == wb.Contrast.builtin("Extraversion", n=120, style="explicit")
    for pole in (Pole.HIGH, Pole.LOW):
        ids = contrast.descriptions[pole]
        assert len(set(ids[:60])) == len(set(ids[60:])) == 60
    beside = set(zip(contrast.descriptions[Pole.HIGH], contrast.descriptions[Pole.LOW], strict=True))
    assert len(beside) > 100
    assert not contrast.matched_descriptions
    with pytest.raises(ValueError, match="styles explicit and behavioural, but 'terse' arrived"):
        wb.Contrast.builtin("Extraversion", style="terse")


@pytest.mark.parametrize("trait", wb.BIG_FIVE)
def test_the_embedded_bank_holds_out_personas_and_questions_whatever_the_seed(trait: str) -> None:
    found = wb.Contrast.testbed(trait, n=5000, seed=3)
    held = wb.Contrast.testbed(trait, n=5000, seed=4, held_out=True)
    assert not shared(found, held)


def test_the_training_pairs_of_a_seed_stay_as_they_are() -> None:
    contrast = wb.Contrast.testbed("Openness", n=50, seed=0)
    poles = [contrast.questions, contrast.descriptions[Pole.HIGH], contrast.descriptions[Pole.LOW]]
    assert hashlib.sha256(repr(poles).encode()).hexdigest().startswith("bfbbfb72bee3236b")


def test_texts_are_raw() -> None:
    contrast = wb.Contrast.from_texts("mood", high=["a", "b"], low=["c", "d"])
    assert not any(prompt.chat or prompt.system for prompt in contrast.high + contrast.low)
    assert contrast.neutral is None
    assert len(contrast.frame()) == 4


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="There is no Big Five trait 'Charm'"):
        wb.Contrast.testbed("Charm")
    with pytest.raises(ValueError, match="at least 2 pairs, but 1 arrived"):
        wb.Contrast.from_texts("mood", high=["a"], low=["b"])
    with pytest.raises(ValueError, match="need equal lengths, but high has 2, low 3, neutral none"):
        wb.Contrast.from_texts("mood", high=["a", "b"], low=["c", "d", "e"])
    with pytest.raises(ValueError, match="holdout is a share between 0 and 1, but 1.5"):
        wb.Contrast.from_texts("mood", high=["a", "b"], low=["c", "d"]).split(holdout=1.5)


def test_a_neutral_arm_is_the_question_without_its_persona() -> None:
    pairs = wb.Contrast.testbed("Openness", n=6)
    assert pairs.with_neutral() is pairs
    ids = {Pole.HIGH: tuple("abcdef")}
    two = wb.Contrast(pairs.trait, pairs.high, pairs.low, None, pairs.questions, ids)
    three = two.with_neutral()
    assert three.neutral == tuple(wb.Prompt(prompt.user) for prompt in pairs.high)
    assert three.descriptions[Pole.NEUTRAL] == tuple(f"none: {question}" for question in pairs.questions)
    assert (three.high, three.low, three.questions) == (two.high, two.low, two.questions)
    with pytest.raises(ValueError, match="have no persona to leave out. Give each row a neutral text"):
        wb.Contrast.from_texts("Openness", high=["a", "b"], low=["c", "d"]).with_neutral()
    with pytest.raises(ValueError, match="but the rows from texts have responses"):
        two.with_responses(high=["x"] * 6, low=["y"] * 6).with_neutral()


@pytest.mark.parametrize("make", [wb.Contrast.testbed, wb.Contrast.builtin])
def test_neutral_arms_hold_many_personas_and_prompts_without_one(make: Any) -> None:
    contrast = make("Openness", n=400, seed=3)
    ids = contrast.descriptions[Pole.NEUTRAL]
    kinds = [neutral_kind(name) for name in ids]
    assert kinds.count("none") == 100
    assert kinds.count("persona") == 300
    assert len({name for name in ids if neutral_kind(name) == "persona"}) >= 40
    for prompt, name, question in zip(contrast.neutral, ids, contrast.questions, strict=True):
        assert name == (f"none: {question}" if prompt.system is None else f"persona: {prompt.system}")


@pytest.mark.parametrize(
    "make", [wb.Contrast.builtin, lambda *args, **given: wb.Contrast.builtin(*args, style="behavioural", **given)]
)
def test_a_seeds_poles_do_not_depend_on_its_neutral_arm(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = make("Openness", n=30, seed=3)
    monkeypatch.setattr(banks, "NO_PERSONA_EVERY", 2)
    after = make("Openness", n=30, seed=3)
    assert (before.high, before.low) == (after.high, after.low)
    assert before.neutral != after.neutral


def test_the_embedded_banks_poles_stay_as_they_are() -> None:
    contrast = wb.Contrast.testbed("Openness", n=30, seed=3)
    poles = json.dumps([[prompt.system, prompt.user] for prompt in (*contrast.high, *contrast.low)])
    assert hashlib.sha256(poles.encode()).hexdigest()[:16] == "f8d9f7ac107510eb"


def test_equal_prompts_are_one_description_and_equal_pairs_one_question() -> None:
    texts = wb.Contrast.from_texts("any", high=["a", "b", "a", "a"], low=["c", "d", "c", "d"])
    assert texts.descriptions == {Pole.HIGH: ("a", "b", "a", "a"), Pole.LOW: ("c", "d", "c", "d")}
    assert texts.questions == ("0", "1", "0", "3")
    assert texts.distinct == {Pole.HIGH: 2, Pole.LOW: 2}
    assert "distinct prompts: 2 high, 2 low" in repr(texts)
    once = wb.Contrast.from_texts("any", high=["a", "b"], low=["c", "d"])
    assert once.descriptions == {}
    assert "distinct" not in repr(once)
