"""The model's own answers under each pole's prompts, along which methods that read answers are built."""

from dataclasses import replace

from workbench.capture.capturing import capture
from workbench.capture.tally import Tally
from workbench.contrast.contrast import Contrast
from workbench.model.model import Model
from workbench.vocabulary import HOOK_PRE, Pole

ANSWERED = 100
"""Pairs whose answers are read, unless more or fewer are asked for."""
MAX_NEW_TOKENS = 56
SAMPLE = 1024
"""Rows of each pole from which quantiles are read."""


def with_answers(
    model: Model, contrast: Contrast, *, pairs: int = ANSWERED, max_new_tokens: int = MAX_NEW_TOKENS
) -> Contrast:
    """Pairs of a contrast, without its neutral arm, with what the model answers to each prompt, greedily.

    A contrast that has responses already keeps them. Pairs of which a prompt is answered with nothing are left out.

    Args:
        pairs: at most so many, spread evenly over the contrast.

    Raises:
        ValueError: if fewer than 2 pairs are answered.
    """
    two = replace(
        contrast,
        neutral=None,
        descriptions={pole: ids for pole, ids in contrast.descriptions.items() if pole is not Pole.NEUTRAL},
        responses={pole: answers for pole, answers in contrast.responses.items() if pole is not Pole.NEUTRAL},
    )
    if len(two) > pairs:
        two = two.rows([number * len(two) // pairs for number in range(pairs)])
    if two.responses:
        return two
    answers = model.generate([*two.high, *two.low], max_new_tokens=max_new_tokens)
    high, low = answers[: len(two)], answers[len(two) :]
    said = [row for row in range(len(two)) if high[row].strip() and low[row].strip()]
    if len(said) < 2:
        raise ValueError(
            f"{model.name} answers {len(said)} of {len(two)} pairs of {contrast.trait} with words under both poles, "
            "but at least 2 are needed. Give pairs that it answers, or responses with contrast.with_responses."
        )
    return two.rows(said).with_responses(high=[high[row] for row in said], low=[low[row] for row in said])


def capture_gates(
    model: Model, contrast: Contrast, *, pairs: int = ANSWERED, max_new_tokens: int = MAX_NEW_TOKENS
) -> Tally:
    """What NPTI reads: `hook_pre` at every token of the model's own answers, with signs and a sample of rows.

    All layers that have neurons are read.

    Args:
        contrast: the poles under which the model answers; with responses, those are read instead.
        pairs: at most so many are answered.

    Raises:
        ValueError: as `with_answers`.
    """
    answered = with_answers(model, contrast, pairs=pairs, max_new_tokens=max_new_tokens)
    layers = model.neuron_layers or None  # a hybrid's other layers have no gates
    return capture(model, answered, site=HOOK_PRE, layers=layers, position="response", positive=True, sample=SAMPLE)
