"""Other quantiles: which neurons they edit, what is told of each, and that the study's own point is the study's."""

from pathlib import Path

import pandas as pd
import pytest

import workbench as wb
from workbench.study.sweeping import swept_name

SWEPT = ("DPN-LE", "random")

CONFIG = wb.StudyConfig(
    traits=("Extraversion",),
    pairs=30,
    quantile=0.99,
    quantiles=(0.9, 0.99),
    arms=("DPN-LE", "random"),
    gammas=(0.5,),
    outcomes=("answers", "capability"),
    search_questions=2,
    test_questions=4,
    items_per_task=2,
    patching_pairs=4,
    permutations=19,
    resamples=100,
)


@pytest.fixture(scope="module")
def study(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Study:
    return wb.run_study(CONFIG, tmp_path_factory.mktemp("swept"), model=model)


def test_each_quantile_is_run_beside_its_random_control(study: wb.Study, model: wb.Model) -> None:
    table = study.tables["quantile_sweep"].query("trait == 'all'")
    units = {(row["arm"], row["quantile"]): float(row["units"]) for row in table.to_dict("records")}
    shares = {(row["arm"], row["quantile"]): float(row["share"]) for row in table.to_dict("records")}
    assert set(units) == {(arm, q) for arm in SWEPT for q in (0.9, 0.99)}
    layers, width = model.n_layers, model.d_mlp
    for quantile in (0.9, 0.99):
        above = sum(index / (width - 1) > quantile for index in range(width))
        # The d criterion removes few on the embedded model: never more than stand above tau_q.
        for arm in SWEPT:
            assert 0.8 * above * layers <= units[arm, quantile] <= above * layers
            assert shares[arm, quantile] == pytest.approx(units[arm, quantile] / (layers * width))
    assert units["DPN-LE", 0.9] == units["random", 0.9]


def test_the_studys_own_quantile_is_the_studys_own_arm(study: wb.Study) -> None:
    swept = study.tables["quantile_sweep"].query("quantile == 0.99")
    main = study.tables["tradeoff"].query("gamma == @study.gamma")
    names = ["arm", "trait", "shift", "shift_low", "shift_high", "wellformed_change", "capability_change"]
    pd.testing.assert_frame_equal(
        swept[names].sort_values(["arm", "trait"], ignore_index=True),
        main[names].sort_values(["arm", "trait"], ignore_index=True),
    )


def test_swept_arms_are_no_arms_of_the_main_comparison(study: wb.Study) -> None:
    assert set(study.tables["answers"]["arm"]) == {"none", "DPN-LE", "random"}
    assert {swept_name(arm, 0.9) for arm in SWEPT} <= set(study.tables["edited"]["arm"])


def test_costs_stand_beside_how_much_is_edited(study: wb.Study) -> None:
    table = study.tables["cost_by_breadth"]
    assert set(table["arm"]) <= {"DPN-LE", "random"}
    edited = study.tables["neurons_edited"].groupby("arm")["units"].mean()
    assert table.set_index("arm")["units"].to_dict() == {arm: edited[arm] for arm in table["arm"]}
    assert list(table["units"]) == sorted(table["units"])


def test_held_out_prompts_are_projected_not_fitted(study: wb.Study) -> None:
    points = study.tables["projection"]
    fitted = points[~points["held_out"]]
    counts = points.groupby(["held_out", "pole", "layer"], as_index=False).size()
    assert set(counts.loc[~counts["held_out"], "size"]) == {CONFIG.pairs}
    assert set(counts.loc[counts["held_out"], "size"]) == {CONFIG.patching_pairs}
    # What was fitted, high and low together, lies about the origin of every layer.
    both = fitted[fitted["pole"].isin(["high", "low"])]
    assert both.groupby("layer")[["pc1", "pc2"]].mean().abs().to_numpy().max() < 1e-6 * points["pc1"].abs().max() + 1e-9
    unseen = points[points["held_out"]].groupby(["pole", "layer"])["pc1"].mean()
    assert (unseen["high"] > unseen["low"]).all()


def test_effects_against_the_neutral_arm_have_intervals(study: wb.Study) -> None:
    table = study.tables["contrasts"]
    for pole in ("high", "low"):
        name = f"d_{pole}_neutral"
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[f"{name}_high"] >= table[name]).all()


def test_no_sweep_is_run_where_none_is_asked_for(model: wb.Model, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"quantiles": (0.99,), "test_questions": 2})
    assert "quantile_sweep" not in wb.run_study(config, tmp_path, model=model).tables
    assert config.model_copy(update={"rule": "d-only", "quantiles": (0.9,)}).other_quantiles == ()
    with pytest.raises(ValueError, match=r"quantiles lie between 0 and 1, but \[1.5\] arrived"):
        wb.StudyConfig(quantiles=(1.5,))
