"""The core against planted neurons, direct computation and a study's own files."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pandas as pd
import pytest
import torch

import workbench as wb
from workbench.capture import Activations
from workbench.explore.explorer import Explorer
from workbench.explore.settings import Settings
from workbench.model.lens import top_tokens
from workbench.score.answers import testbed_scorer as scored

QUESTION = "How do you spend your time at the office party?"
PLANTED = (3, 41)


@pytest.fixture(scope="module")
def planted(model: wb.Model) -> Explorer:
    """Eight layers of effects in which one neuron alone differs."""
    difference, d = torch.full((8, 768), 0.01, dtype=torch.float64), torch.zeros(8, 768, dtype=torch.float64)
    difference[PLANTED], d[PLANTED] = 3.0, 2.5
    effects = wb.Effects("Extraversion", "hook_post", tuple(range(8)), difference, d, 20, 20)
    return Explorer(model, {"Extraversion": effects}, defaults={"quantile": 0.99})


def test_a_planted_neuron_alone_is_chosen_and_on_the_map(planted: Explorer) -> None:
    settings = planted.settings()
    frame = planted.map_frame(settings)
    marks = frame[frame["selected"] != ""]
    assert list(zip(marks["layer"], marks["neuron"], marks["selected"], strict=True)) == [(*PLANTED, "high")]
    counts = planted.chosen(settings).counts
    assert counts[counts["neurons"] > 0][["layer", "pole", "neurons"]].values.tolist() == [[3, "high", 1]]
    card = planted.card(settings, *PLANTED)
    assert (card.pole, card.rank_s, card.rank_d, card.width) == ("high", 1, 1, 768)
    assert card.reason == "Chosen as a High neuron: |s| 3 is above tau_q 0.01 and |d| 2.50 is above tau_d 0.8."


def test_without_the_plant_nothing_is_chosen_and_the_binding_criterion_is_said(model: wb.Model) -> None:
    flat = torch.full((8, 768), 0.01, dtype=torch.float64)
    effects = wb.Effects("Extraversion", "hook_post", tuple(range(8)), flat, torch.zeros_like(flat), 20, 20)
    explorer = Explorer(model, {"Extraversion": effects})
    chosen = explorer.chosen(explorer.settings())
    assert chosen.selection is None
    assert chosen.why_empty.startswith("The dual rule selects nothing.")
    assert chosen.counts["neurons"].sum() == 0
    assert set(explorer.map_frame(explorer.settings())["selected"]) == {""}
    with pytest.raises(ValueError, match="The dual rule selects nothing"):
        explorer.answers(explorer.settings(), QUESTION)


def test_a_neuron_left_out_says_by_which_criterion(planted: Explorer) -> None:
    settings = planted.settings()
    assert planted.card(settings, 3, 40).reason == (
        "Not chosen: |s| 0.01 is not above tau_q 0.01 and |d| 0.00 is not above tau_d 0.8."
    )
    high = planted.settings(min_d=2.6)
    assert planted.card(high, *PLANTED).reason == "Not chosen: |d| 2.50 is not above tau_d 2.6."
    assert planted.card(high, *PLANTED).pole == ""
    outside = planted.settings(first=4)
    assert planted.card(outside, *PLANTED).reason == "Not chosen: layer 3 is outside the range, 4 to 7."


def test_effects_alone_say_what_they_cannot_show(planted: Explorer) -> None:
    card = planted.card(planted.settings(), *PLANTED)
    assert card.activations.empty
    assert card.by_pole.empty
    assert card.missing.keys() == {"activations", "prompts"}
    assert "The prompts of Extraversion were not given" in card.missing["prompts"]
    with pytest.raises(ValueError, match="The prompts of Extraversion were not given"):
        planted.patching("Extraversion", *PLANTED)


def test_a_study_s_selection_and_effects_are_its_own(explorer: Explorer, study: wb.Study) -> None:
    for trait in explorer.traits:
        own = study.tables["effects"][study.tables["effects"]["trait"] == trait].reset_index(drop=True)
        found = explorer.map_frame(explorer.settings(trait)).reset_index(drop=True)
        pd.testing.assert_frame_equal(found[list(own.columns)], own, check_dtype=False)


def test_a_study_s_settings_are_where_it_begins(explorer: Explorer, study: wb.Study) -> None:
    settings = explorer.settings()
    assert (settings.quantile, settings.min_d, settings.gamma, settings.trait) == (
        0.99,
        0.8,
        study.gamma,
        "Extraversion",
    )
    assert settings.layers == (0, 7)
    asked = study.tables["answers"]
    assert explorer.questions("Openness") == list(dict.fromkeys(asked[asked["trait"] == "Openness"]["question"]))


def test_a_card_s_numbers_are_computed_directly(explorer: Explorer, study: wb.Study, model: wb.Model) -> None:
    settings = explorer.settings("Openness")
    layer, neuron = list(explorer.chosen(settings).selection.both)[3]  # type: ignore[union-attr]
    card = explorer.card(settings, layer, neuron)
    contrast = wb.Contrast.testbed("Openness", n=30, seed=0)
    kept = wb.capture(model, contrast, keep=True, layers=[layer])
    assert isinstance(kept, Activations)
    for pole in ("high", "low", "neutral"):
        mine = card.activations[card.activations["pole"] == pole]["activation"]
        theirs = kept.at(layer, pole)[:, neuron]
        torch.testing.assert_close(torch.tensor(mine.tolist()), theirs, atol=1e-4, rtol=1e-4)
    high, low = (kept.at(layer, pole)[:, neuron].double() for pole in ("high", "low"))
    s = float(high.mean() - low.mean())
    d = s / float(((high.var() + low.var()) / 2).sqrt())
    assert card.effect["mean_difference"] == pytest.approx(s, rel=1e-4)
    assert card.effect["cohens_d"] == pytest.approx(d, rel=1e-4)
    assert card.effect["d_low"] < d < card.effect["d_high"]
    assert card.write_norm == pytest.approx(float(model.w_out(layer)[neuron].norm()))
    assert card.effect["write_norm"] == pytest.approx(abs(s) * card.write_norm, rel=1e-4)
    assert card.by_pole.set_index("pole")["n"].to_dict() == {"high": 30, "low": 30, "neutral": 30}
    pd.testing.assert_frame_equal(card.tokens, top_tokens(model, layer, neuron, k=10))
    assert card.prompts["activation"].max() == card.activations["activation"].max()
    assert card.missing == {}


def test_patching_is_that_of_the_held_out_pairs(explorer: Explorer, model: wb.Model) -> None:
    settings = explorer.settings()
    layer, neuron = next(iter(explorer.chosen(settings).selection.both))  # type: ignore[union-attr]
    found = explorer.patching("Extraversion", layer, neuron).set_index("direction")
    pairs = wb.Contrast.testbed("Extraversion", n=6, seed=0, held_out=True)
    for way in ("increase", "decrease"):
        truth = wb.patch(model, pairs, wb.NeuronSet.of([(layer, neuron)]), direction=way).frame()
        assert found.loc[way, "effect"] == pytest.approx(truth["effect"].iloc[0], abs=1e-6)
        low, effect, high = (float(found.loc[way, name]) for name in ("low", "effect", "high"))  # type: ignore[arg-type]
        assert low <= effect <= high
        ranked = wb.edit.attribution(model, pairs, direction=way)
        score = float(ranked.scores[layer, neuron])
        assert found.loc[way, "attribution"] == pytest.approx(score, rel=1e-4, abs=1e-7)
        assert found.loc[way, "attribution_rank"] == 1 + int((ranked.scores.abs() > abs(score)).sum())
    assert set(found["pairs"]) == {"held out"}
    assert set(found["n"]) == {6}
    assert set(found["neurons"]) == {8 * 768}


def test_steered_answers_are_those_of_edited_by_hand(explorer: Explorer, model: wb.Model) -> None:
    settings = explorer.settings(gamma=0.75, temperature=1.0, seed=5)
    found = explorer.answers(settings, QUESTION)
    effects, chosen = explorer.effects("Extraversion"), explorer.chosen(settings).selection
    assert chosen is not None
    run = {"max_new_tokens": 56, "temperature": 1.0, "seed": 5}
    assert found.base.text == model.generate(QUESTION, **run)[0]
    for way in ("increase", "decrease"):
        edit = wb.dpn_edit(effects, chosen, gamma=0.75, direction=way)
        with wb.edited(model, edit, scope="generated") as count:
            text = model.generate(QUESTION, **run)[0]
        answer = found.towards(way)
        assert answer.text == text
        assert answer.edited == count.edited
        assert answer.score == scored(text, "Extraversion").score
    assert found.base.edited == 0
    assert found.neurons == len(chosen)


def test_a_dose_of_nothing_leaves_the_answer(explorer: Explorer) -> None:
    found = explorer.answers(explorer.settings(gamma=0.0), QUESTION)
    assert {answer.text for answer in found.steered} == {found.base.text}
    assert {answer.edited for answer in found.steered} == {0}


def test_a_sweep_holds_each_dose(explorer: Explorer) -> None:
    settings = explorer.settings()
    found = explorer.sweep(settings, QUESTION, [0.5, 1.0], ["increase"])
    assert [(answer.direction, answer.gamma) for answer in found.steered] == [("increase", 0.5), ("increase", 1.0)]
    alone = explorer.answers(replace(settings, gamma=1.0), QUESTION)
    assert found.steered[1].text == alone.towards("increase").text
    frame = found.frame()
    assert frame["gamma"].tolist() == [0.0, 0.5, 1.0]
    assert frame["direction"].tolist() == ["base", "increase", "increase"]
    with pytest.raises(ValueError, match="steered to increase, but 'decrease'"):
        found.towards("decrease")


def test_threads_get_what_one_gets(explorer: Explorer, study: wb.Study, model: wb.Model) -> None:
    fresh = Explorer.of_study(study, model)
    places = list(explorer.chosen(explorer.settings()).selection.both)[:3]  # type: ignore[union-attr]
    doses = [0.25, 0.5, 1.0]
    with ThreadPoolExecutor(6) as pool:
        said = [pool.submit(fresh.answers, fresh.settings(gamma=dose), QUESTION) for dose in doses]
        patched = [pool.submit(fresh.patching, "Extraversion", *place) for place in places]
        said, patched = [one.result() for one in said], [one.result() for one in patched]
    for dose, found in zip(doses, said, strict=True):
        assert found == explorer.answers(explorer.settings(gamma=dose), QUESTION)
    for place, found in zip(places, patched, strict=True):
        pd.testing.assert_frame_equal(found, explorer.patching("Extraversion", *place))
    assert not any(point.fwd_hooks for point in model.hooked.hook_dict.values())


def test_contrasts_and_kept_rows_do_as_well(model: wb.Model, contrast: wb.Contrast) -> None:
    kept = wb.capture(model, contrast, keep=True)
    assert isinstance(kept, Activations)
    told = Explorer(model, {"Extraversion": contrast}, defaults={"quantile": 0.99})
    given = Explorer(model, {"Extraversion": kept}, contrasts={"Extraversion": contrast}, defaults={"quantile": 0.99})
    a, b = (each.chosen(each.settings()).selection for each in (told, given))
    assert a is not None
    assert a == b
    assert told.questions("Extraversion")[0] == contrast.high[0].user
    place = next(iter(a.both))
    assert given.card(given.settings(), *place).missing == {}
    assert set(told.patching("Extraversion", *place)["pairs"]) == {"its own"}
    rows_alone = Explorer(model, {"Extraversion": kept})
    assert rows_alone.card(rows_alone.settings(), *place).missing.keys() == {"prompts"}
    assert rows_alone.questions("Extraversion") == []


def test_another_model_is_refused_by_both_fingerprints(study: wb.Study, checkpoint: Path, model: wb.Model) -> None:
    other = wb.load_model(checkpoint)
    with pytest.raises(ValueError, match=f"fingerprint {model.fingerprint[:12]}, but .* {other.fingerprint[:12]}"):
        Explorer.of_study(study, other)
    tally = wb.capture(model, wb.Contrast.testbed("Openness", n=4))
    with pytest.raises(ValueError, match=f"{model.fingerprint[:12]}, but .* {other.fingerprint[:12]}"):
        Explorer(other, {"Openness": wb.effect_sizes(tally)})


def test_a_damaged_file_of_the_study_is_named(copied: Path, model: wb.Model) -> None:
    explorer = Explorer.of_study(copied, model)
    path = copied / "tally" / "Openness.hook_post.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="Openness.hook_post.safetensors is not as the study wrote it"):
        explorer.chosen(explorer.settings("Openness"))


def test_pairs_that_are_no_longer_the_study_s_are_refused(copied: Path, model: wb.Model) -> None:
    config = copied / "study.toml"
    config.write_text(config.read_text().replace("seed = 0", "seed = 1"))
    explorer = Explorer.of_study(copied, model)
    card = explorer.card(explorer.settings(), 0, 0)
    assert "The pairs of Extraversion from testbed are no longer those of the study" in card.missing["activations"]


def test_no_study_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no study in"):
        Explorer.of_study(tmp_path)


def test_mistakes_are_named(explorer: Explorer, model: wb.Model) -> None:
    settings = explorer.settings()
    for call, message in [
        (lambda: explorer.settings("Honesty"), "The traits here are Extraversion, Openness, but 'Honesty' arrived"),
        (lambda: explorer.settings(last=8), "Layers here are 0 to 7, but the range 0 to 8 arrived"),
        (lambda: explorer.card(settings, 8, 0), r"cover layers \[0, 1, 2, 3, 4, 5, 6, 7\], but lack \[8\]"),
        (lambda: explorer.card(settings, 2, 768), "Layer 2 has neurons 0 to 767, but 768 arrived"),
        (lambda: explorer.card(settings, 2, -1), "Layer 2 has neurons 0 to 767, but -1 arrived"),
        (lambda: explorer.patching("Openness", 2, 768), "Layer 2 has neurons 0 to 767, but 768 arrived"),
        (lambda: explorer.answers(settings, "  "), "A question needs a text"),
        (lambda: explorer.answers(settings, "a" * 2001), "at most 2,000 characters, but 2,001 arrived"),
        (lambda: explorer.answers(settings, QUESTION, ["up"]), "increase or decrease, but 'up' arrived"),
        (lambda: explorer.sweep(settings, QUESTION, [9.0]), "gamma lies from 0 to 4, but 9.0 arrived"),
        (lambda: explorer.sweep(settings, QUESTION, []), "At least one direction and one dose"),
        (lambda: Explorer(model, {}), "An explorer needs at least one trait"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("quantile", 1.0, "The quantile lies strictly between 0 and 1, but 1.0 arrived"),
        ("quantile", float("nan"), "The quantile is a finite number, but nan arrived"),
        ("min_d", -0.1, "tau_d is a number from 0 up, but -0.1 arrived"),
        ("gamma", float("inf"), "gamma is a finite number, but inf arrived"),
        ("gamma", -1.0, "gamma lies from 0 to 4, but -1.0 arrived. To move the other way"),
        ("temperature", 3.0, "The temperature lies from 0 to 2, but 3.0 arrived"),
        ("rule", "npti", "The rule is one of dual, magnitude-only, d-only, but 'npti' arrived"),
        ("direction", "up", "The direction is one of increase, decrease, but 'up' arrived"),
        ("scope", "some", "The scope is one of all, generated, decode, but 'some' arrived"),
        ("seed", -1, "The seed lies from 0 to"),
        ("first", 5, "runs from its first to its last, but 5 to 3 arrived"),
    ],
)
def test_settings_are_checked(entry: str, value: object, message: str) -> None:
    good = Settings("Openness", 0, 3)
    with pytest.raises(ValueError, match=message):
        replace(good, **{entry: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("gamma", None, "gamma is a finite number, but None arrived"),
        ("quantile", "0.9", "The quantile is a finite number, but '0.9' arrived"),
        ("seed", 1.5, "The seed is a whole number, but 1.5 arrived"),
        ("first", True, "The first layer is a whole number, but True arrived"),
        ("scope", ["all"], r"The scope is a word, but \['all'\] arrived"),
    ],
)
def test_loose_values_are_checked(entry: str, value: object, message: str, explorer: Explorer) -> None:
    with pytest.raises(ValueError, match=message):
        explorer.settings("Openness", **{entry: value})
    assert explorer.settings("Openness", gamma=1).gamma == 1.0


def test_settings_are_frozen_values() -> None:
    settings = Settings("Openness", 0, 3)
    assert settings == Settings("Openness", 0, 3)
    with pytest.raises(FrozenInstanceError):
        settings.gamma = 2.0  # type: ignore[misc]
