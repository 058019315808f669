"""The layer of the one-layer rival is chosen on search questions, and the model answers for NPTI alone."""

from pathlib import Path

import pandas as pd
import pytest

import workbench as wb
from workbench.arm.building import build_arms
from workbench.arm.registry import ONE_LAYER
from workbench.study import candidates
from workbench.study.candidates import choose_layers, layer_work
from workbench.study.meter import Meter
from workbench.study.plan import Plan
from workbench.study.store import Store
from workbench.study.traits import locate_traits

CONFIG = wb.StudyConfig(
    traits=("Extraversion",),
    pairs=20,
    quantile=0.99,
    quantiles=(),
    arms=("DPN-LE", "NPTI", ONE_LAYER),
    gammas=(1.0,),
    outcomes=("answers",),
    search_questions=3,
    test_questions=2,
    patching_pairs=4,
    permutations=19,
    resamples=100,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("study"))


def test_the_layer_that_moves_the_trait_furthest_on_search_questions_is_taken(
    model: wb.Model, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "MOST_LAYERS", 3)
    plan = Plan.of(CONFIG)
    located, _ = locate_traits(model, CONFIG, store, Meter(1.0, None))
    assert not [step for step in store.manifest["steps"] if step.startswith("answers/")]  # until NPTI is built
    chosen, table = choose_layers(plan, located, model, store, Meter(1.0, None))
    assert table["layer"].tolist() == [1, 4, 7]
    among = table[table["allowed"]] if table["allowed"].any() else table
    best = int(among.sort_values("shift", ascending=False, kind="stable")["layer"].iloc[0])
    assert table.loc[table["chosen"], "layer"].tolist() == [best] == [chosen["Extraversion"].one_layer]
    asked = pd.concat([pd.read_parquet(path) for path in Path(store.folder).rglob("residual-at-layer-*.parquet")])
    assert set(asked["arm"]) == {f"residual at layer {layer}" for layer in (1, 4, 7)}
    assert layer_work(plan, model.n_layers) > 0

    arms, left_out = build_arms(plan.arms, chosen, model, method=plan.method, seed=CONFIG.seed, speaks="testbed")
    assert not left_out
    edit = arms[ONE_LAYER].steering["Extraversion", "increase"]
    assert isinstance(edit, wb.Edit)
    assert edit.layers == (best,)
    assert edit.provenance["layer_chosen_on"] == "search questions"
    assert float(edit.provenance["write_ratio"]) == pytest.approx(1.0, abs=1e-3)
    assert [step for step in store.manifest["steps"] if step.startswith("answers/")] == ["answers/Extraversion"]


def test_nothing_is_asked_where_the_arm_is_absent(model: wb.Model, store: Store) -> None:
    config = CONFIG.model_copy(update={"arms": ("DPN-LE",)})
    plan = Plan.of(config)
    located, _ = locate_traits(model, config, store, Meter(1.0, None))
    same, table = choose_layers(plan, located, model, store, Meter(1.0, None))
    assert same == located
    assert table.empty
    assert layer_work(plan, model.n_layers) == 0
