"""ActAdd and PAS: what they add, against plain transformers and against what their authors' code computes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

import workbench as wb
from workbench.arm.registry import ARMS, NAMES, arm_named
from workbench.capture import Activations
from workbench.edit.activation_addition import activation_addition, published_layer
from workbench.edit.activation_search import activation_search, probe_accuracy
from workbench.measure.moments import Moments
from workbench.vocabulary import Pole

LAYERS, HEADS, WIDTH, ROWS = 3, 4, 5, 30
PLANTED = (1, 2)


@pytest.fixture(scope="module")
def tiny(checkpoint: Path) -> wb.Model:
    return wb.load_model(checkpoint)


def test_activation_addition_is_the_difference_of_the_last_hidden_states(tiny: wb.Model, checkpoint: Path) -> None:
    texts = ("talkative party", "quiet")
    network = LlamaForCausalLM.from_pretrained(checkpoint).eval()
    states = []
    for text in texts:
        [ids] = tiny.tokens([wb.Prompt(text, chat=False)])
        with torch.no_grad():
            states.append(network.model(torch.tensor([ids]), output_hidden_states=True).hidden_states[1][0, -1])
    edit = activation_addition(tiny, "Extraversion", toward=texts[0], away=texts[1], layer=1, gamma=5.0)
    assert (edit.site, edit.layers, edit.gamma) == ("resid_post", (0,), 5.0)
    torch.testing.assert_close(edit.delta(0) / edit.gamma, states[0] - states[1], atol=1e-5, rtol=1e-4)
    back = activation_addition(tiny, "Extraversion", toward=texts[1], away=texts[0], direction="decrease")
    torch.testing.assert_close(back.delta(0), states[1] - states[0], atol=1e-5, rtol=1e-4)


def test_activation_addition_refuses_what_adds_nothing(tiny: wb.Model) -> None:
    with pytest.raises(ValueError, match="two texts, but 'quiet' came twice"):
        activation_addition(tiny, "Extraversion", toward="quiet", away="quiet")
    with pytest.raises(ValueError, match="layer 1 to 1, but layer 2 arrived"):
        activation_addition(tiny, "Extraversion", toward="quiet", away="loud", layer=2)
    assert (published_layer(48), published_layer(2)) == (6, 1)


@pytest.fixture(scope="module")
def rows() -> Activations:
    """Noise in every head, and a difference between the poles in one."""
    drawn = torch.randn(2, ROWS, LAYERS, HEADS, WIDTH, generator=torch.Generator().manual_seed(1))
    layer, head = PLANTED
    drawn[0, :, layer, head, 3] += 4.0
    by_pole = {pole: part.flatten(2) for pole, part in zip((Pole.HIGH, Pole.LOW), drawn, strict=True)}
    moments = {pole: Moments.of(part) for pole, part in by_pole.items()}
    return Activations("Extraversion", "z", tuple(range(LAYERS)), moments, activations=by_pole)


def test_the_search_finds_the_planted_head_and_shifts_it_as_published(rows: Activations) -> None:
    edit = activation_search(rows, heads=HEADS, k=1, gamma=2.0)
    layer, head = PLANTED
    units = slice(head * WIDTH, (head + 1) * WIDTH)
    high, low = (rows.activations[pole][:, layer, units].double().numpy() for pole in (Pole.HIGH, Pole.LOW))
    way = high.mean(0) - low.mean(0)
    way /= np.linalg.norm(way)
    expected = 2.0 * way * np.std(np.concatenate([high, low]) @ way)
    assert edit.layers == (layer,)
    np.testing.assert_allclose(edit.delta(layer)[units].numpy(), expected, rtol=1e-4)
    assert len(edit) == WIDTH
    against = activation_search(rows, heads=HEADS, k=1, gamma=2.0, direction="decrease")
    torch.testing.assert_close(against.delta(layer), -edit.delta(layer))


def test_probes_are_near_chance_where_the_poles_are_alike(rows: Activations) -> None:
    sides = [rows.activations[pole].double().unflatten(2, (HEADS, -1)) for pole in (Pole.HIGH, Pole.LOW)]
    scores = probe_accuracy(sides[0], sides[1])
    planted = scores[PLANTED].item()
    others = scores.flatten().sort(descending=True).values[1:]
    assert planted > 0.95
    assert others.max() < planted - 0.1
    torch.testing.assert_close(probe_accuracy(sides[0], sides[1]), scores)


def test_the_search_refuses_what_it_cannot_read(rows: Activations) -> None:
    with pytest.raises(ValueError, match="from 1 to the 12 heads"):
        activation_search(rows, heads=HEADS, k=13)
    few = Activations(
        "Extraversion", "z", (0,), rows.moments, activations={p: a[:3, :1] for p, a in rows.activations.items()}
    )
    with pytest.raises(ValueError, match=r"at least 4 rows in each pole, but \[3, 3\]"):
        activation_search(few, heads=HEADS)


def test_both_are_arms_that_a_study_names_and_no_others_have() -> None:
    assert {"ActAdd", "PAS"} == set(NAMES) - set(ARMS)
    config = wb.StudyConfig(arms=("PAS", "DPN-LE", "ActAdd"))
    assert config.arms == ("DPN-LE", "ActAdd", "PAS")
    assert wb.StudyConfig().arms == ARMS
    assert config.doses(arm_named("PAS"), 1.5) == (1.0, 1.5, 2.0, 4.0, 6.0, 8.0)
