import pytest

import workbench as wb
from tests.concept.banks import builtin_descriptions, read_bank
from workbench.contrast.banks import STYLES
from workbench.edit.prompting import Instruction, description_prompt, neutral_prompt, simple_prompt
from workbench.testbed import grammar, lexicon
from workbench.testbed.scorer import trait_score
from workbench.vocabulary import BIG_FIVE, Pole


@pytest.mark.parametrize("trait", BIG_FIVE)
@pytest.mark.parametrize(("direction", "pole"), [("increase", "high"), ("decrease", "low")])
def test_the_embedded_model_is_told_in_its_own_words(model: wb.Model, trait: str, direction: str, pole: str) -> None:
    simple = simple_prompt(trait, direction)
    assert simple.text.removeprefix("You are ").removesuffix(".") in lexicon.TRAITS[trait].pole(pole).taught_adjectives
    described = description_prompt(trait, direction, sentences=3)
    assert described.text.count(".") >= 3
    unknown = model.tokenizer.unk_token_id
    for instruction in (simple, described, neutral_prompt(trait, direction)):
        assert unknown not in model.tokens(instruction.apply(wb.Prompt("What is 21 + 13?")))[0]


def test_an_instruction_stands_before_a_system_prompt() -> None:
    told = simple_prompt("Extraversion", "increase", speaks="builtin")
    assert told == Instruction("Extraversion", "increase", "simple prompt", "You are extraverted.")
    assert told.apply(wb.Prompt("Hi.")) == wb.Prompt("Hi.", "You are extraverted.")
    assert told.apply(wb.Prompt("Hi.", "Be brief.")) == wb.Prompt("Hi.", "You are extraverted. Be brief.")


@pytest.mark.parametrize("speaks", ["testbed", "builtin"])
def test_seeds_decide(speaks: str) -> None:
    for made in (simple_prompt, description_prompt, neutral_prompt):
        assert made("Openness", "decrease", speaks=speaks, seed=3) == made(
            "Openness", "decrease", speaks=speaks, seed=3
        )
    texts = {description_prompt("Openness", "decrease", speaks=speaks, seed=seed).text for seed in range(5)}
    assert len(texts) == 5


def test_built_in_descriptions_are_of_different_facets() -> None:
    for style in STYLES:
        rows = read_bank("Neuroticism", style=style)["descriptions"]["high"]
        facets = {row["text"]: row["facet"] for row in rows}
        text = description_prompt("Neuroticism", "increase", speaks="builtin", style=style, sentences=4).text
        told = [facet for sentence, facet in facets.items() if sentence in text]
        assert len(told) == len(set(told)) == 4


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("direction", "pole"), [("increase", Pole.HIGH), ("decrease", Pole.LOW)])
def test_built_in_prompts_say_nothing_that_a_studys_pairs_say(direction: str, pole: Pole, style: str) -> None:
    for trait in BIG_FIVE:
        pairs = wb.Contrast.builtin(trait, n=400, style=style, held_out=False)
        said = {prompt.system for prompts in pairs.poles.values() for prompt in prompts if prompt.system}
        held = [row["text"] for row in builtin_descriptions(trait, pole, style=style, held_out=True)]
        for seed in range(5):
            text = description_prompt(trait, direction, speaks="builtin", style=style, seed=seed).text
            assert not any(persona in text for persona in said)
            assert sum(persona in text for persona in held) == 3
            assert neutral_prompt(trait, direction, speaks="builtin", seed=seed).text not in said


def test_prompting_moves_the_embedded_model(model: wb.Model) -> None:
    asked = [wb.Prompt(question) for question in grammar.questions("Extraversion", "test")[:20]]
    means = {}
    for direction in ("increase", "decrease"):
        told = description_prompt("Extraversion", direction, seed=1)
        answers = model.generate([told.apply(prompt) for prompt in asked], max_new_tokens=40)
        scores = [score for answer in answers if (score := trait_score(answer, "Extraversion")) is not None]
        means[direction] = sum(scores) / len(scores)
    assert means["increase"] > means["decrease"] + 1.5


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="testbed or builtin, but 'klingon' arrived"):
        simple_prompt("Openness", "increase", speaks="klingon")
    with pytest.raises(ValueError, match="increase or decrease, but 'up' arrived"):
        simple_prompt("Openness", "up")
    with pytest.raises(ValueError, match="no Big Five trait 'Zest'"):
        neutral_prompt("Zest", "increase")
    with pytest.raises(ValueError, match="at least 1 sentence, but 0 arrived"):
        description_prompt("Openness", "increase", sentences=0)
    with pytest.raises(ValueError, match="'Once.' is a raw text"):
        simple_prompt("Openness", "increase").apply(wb.Prompt("Once.", chat=False))
    with pytest.raises(ValueError, match="needs a text, but ' ' arrived"):
        Instruction("Openness", "increase", "m", " ")
