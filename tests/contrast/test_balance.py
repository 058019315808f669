"""Confounds: what is planted in prompts is measured, and matched away."""

import pytest
import torch

import workbench as wb
from workbench.capture import Activations
from workbench.contrast.balance import MEASURES, lexical_overlap
from workbench.vocabulary import Pole


class Bags:
    """An embedder of our own: letters counted."""

    def encode(self, texts: list[str]) -> torch.Tensor:
        return torch.tensor([[float(text.casefold().count(chr(97 + i))) for i in range(26)] for text in texts])


def pairs(high: str, low: str, rows: int = 40) -> wb.Contrast:
    questions = [f"What about topic {i % 20}?" for i in range(rows)]
    return wb.Contrast(
        "any",
        tuple(wb.Prompt(question, f"Person {i % 20}. {high}") for i, question in enumerate(questions)),
        tuple(wb.Prompt(question, f"Person {i % 20}. {low}") for i, question in enumerate(questions)),
        questions=tuple(questions),
        descriptions={pole: tuple(f"{pole} {i % 20}" for i in range(rows)) for pole in (Pole.HIGH, Pole.LOW)},
    )


def test_a_longer_pole_is_seen(model: wb.Model) -> None:
    found = pairs("You like the party and the club and the beach.", "You do not like it.").balance(model)
    rows: dict = found.table.set_index("measure").to_dict("index")
    assert set(rows) == set(MEASURES)
    assert rows["text tokens"]["high"] > rows["text tokens"]["low"]
    assert rows["negations"]["low"] > 0
    assert rows["negations"]["high"] == 0
    assert found.auc == 1.0
    assert "poles told apart at AUC 1.00" in repr(found)


def test_poles_that_differ_in_one_word_are_balanced(model: wb.Model) -> None:
    found = pairs("You like the cold.", "You like the warm.").balance(model, embedder=Bags())
    rows: dict = found.table.set_index("measure").to_dict("index")
    assert rows["system prompt"]["difference"] == 0
    assert rows["negations"]["difference"] == 0
    assert rows["text tokens"]["high"] == rows["text tokens"]["low"]
    likeness: dict = found.pairs.set_index("measure")["estimate"].to_dict()
    assert likeness["lexical overlap (Jaccard of words)"] > 0.6
    assert 0.8 < likeness["embedding cosine"] < 1


def test_the_embedded_bank_tells_what_it_is(model: wb.Model, contrast: wb.Contrast) -> None:
    found = contrast.balance(model)
    assert (found.table["difference_low"] <= found.table["difference_high"]).all()
    assert 0 <= found.auc <= 1


def test_matching_keeps_what_is_alike_and_says_what_it_dropped(model: wb.Model) -> None:
    texts = wb.Contrast.from_texts(
        "any", high=["a cat sat", "a dog ran far away", "a hen"], low=["a bat sat", "no", "a den"]
    )
    kept = texts.matched(model, max_length_ratio=1.2, min_cosine=0.6, embedder=Bags())
    assert isinstance(kept, wb.Contrast)
    assert [prompt.user for prompt in kept.high] == ["a cat sat", "a hen"]
    assert kept.dropped["row"].tolist() == [1]
    assert "length ratio" in kept.dropped["why"].item()
    assert "cosine" in kept.dropped["why"].item()
    assert "1 pairs dropped" in repr(kept)
    assert len(texts.matched(model, max_length_ratio=100.0, min_cosine=None)) == 3
    with pytest.raises(ValueError, match="Of 3 pairs 0 keep within"):
        texts.matched(model, min_cosine=1.0, max_length_ratio=1.0, embedder=Bags())
    with pytest.raises(ValueError, match="1 or more, but 0.5"):
        texts.matched(model, max_length_ratio=0.5)
    with pytest.raises(ValueError, match="lies in -1 to 1"):
        texts.matched(model, min_cosine=2.0)


def test_the_packaged_embedder_tells_meaning(model: wb.Model) -> None:
    pytest.importorskip("sentence_transformers", reason="the embedding extra is not installed")
    embedder = wb.contrast.SentenceEmbedder()
    texts = ["I love big parties.", "I enjoy large celebrations.", "The train leaves at nine."]
    vectors = embedder.encode(texts)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    alike = wb.Contrast.from_texts("any", high=[texts[0], texts[0], texts[1]], low=[texts[1], texts[2], texts[0]])
    assert len(alike.matched(model, max_length_ratio=5.0, min_cosine=0.5)) == 2
    with pytest.raises(ValueError, match="no sentence-transformers model"):
        wb.contrast.SentenceEmbedder("no/such-model")


def test_covariates_regress_out(model: wb.Model, contrast: wb.Contrast) -> None:
    lengths = contrast.covariates(model)
    assert lengths[Pole.HIGH].shape == (40, 1)
    acts = wb.capture(model, contrast, keep=True, layers=[3])
    assert isinstance(acts, Activations)
    left = wb.measure.partial_d(
        acts.activations[Pole.HIGH],
        acts.activations[Pole.LOW],
        high_covariates=lengths[Pole.HIGH],
        low_covariates=lengths[Pole.LOW],
    )
    assert left.shape == (1, model.d_mlp)
    with pytest.raises(ValueError, match="no confound 'mood'"):
        contrast.covariates(model, ["mood"])


def test_lexical_overlap() -> None:
    assert lexical_overlap("", "") == 1.0
    assert lexical_overlap("one two", "two three") == 1 / 3
