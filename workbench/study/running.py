"""The whole of a study, step by step, each kept as it is done."""

import platform
from pathlib import Path

import pandas as pd
import torch

from workbench.edit.edit import Edit
from workbench.model.loading import load_model
from workbench.model.model import Model
from workbench.study import comparison
from workbench.study.arms import Located, same_edits
from workbench.study.config import StudyConfig
from workbench.study.findings import findings
from workbench.study.steps import Outcomes, Progress, Steps
from workbench.study.store import Store, key_of
from workbench.study.study import Study, load_study

_LEAST_COVERAGE = 0.5


def run_study(
    config: StudyConfig, folder: str | Path, *, model: Model | None = None, progress: Progress | None = None
) -> Study:
    """Run a study into a folder, or finish one that was begun there.

    Every step is kept as it is done, keyed by all that it depends on: killed at any moment, a second run
    continues, and a changed setting recomputes what it touches and nothing else.

    Args:
        progress: called with what has been done and the share of the work that is done.

    Raises:
        ValueError: if a file of the folder is not as the study wrote it, or the model does not speak the
            embedded model's language.
    """
    store = Store(folder)
    model = model or load_model(config.model)
    store.describe(
        model=model.name,
        model_fingerprint=model.fingerprint,
        seed=config.seed,
        machine={"system": platform.system(), "processor": platform.machine(), "threads": torch.get_num_threads()},
        versions={"python": platform.python_version(), "torch": torch.__version__},
    )
    store.text("study.toml", config.toml())
    steps = Steps(config, store, model, progress)
    located, projection = steps.located()
    base_key = key_of(
        model=model.fingerprint,
        settings=config.model_dump(
            include={"scope", "temperature", "test_questions", "items_per_task", "seed", "traits"}
        ),
    )
    base = steps.kept(
        "none", base_key, steps.per_dose / 2, lambda: steps.unedited("test", config.test_questions, "test")
    )
    _check_speaks(model, base[0])
    edits = {arm: steps.edits(arm, located) for arm in config.arms}
    gamma, search = _choose_gamma(steps, edits["DPN-LE"], base_key)
    outcomes, twins = _all_arms(steps, edits, base_key, gamma)
    answers, capability = (pd.concat(frames, ignore_index=True) for frames in zip(base, *outcomes, strict=True))
    tables = {
        "effects": pd.concat([_marked(found) for found in located.values()], ignore_index=True),
        "selection": pd.concat([f.selection.layers.assign(trait=t) for t, f in located.items()], ignore_index=True),
        "counts": pd.concat([found.selection.counts() for found in located.values()], ignore_index=True),
        "neurons_edited": _sizes(edits),
        "projection": projection,
        "search": search,
        "answers": answers,
        "capability": capability,
        **comparison.compare(answers, capability, gamma=gamma, resamples=config.resamples, seed=config.seed),
    }
    made = key_of(base=base_key, config=config.model_dump())
    for name, frame in tables.items():
        store.write(f"tables/{name}.parquet", made, lambda path, frame=frame: frame.to_parquet(path, index=False))
    for (trait, direction), edit in edits["DPN-LE"].items():
        store.write(f"edits/{trait}-{direction}.safetensors", _digest(edit), edit.with_gamma(gamma).save)
    said = findings(tables, gamma=gamma, twins=twins, config=config)
    store.describe(gamma=gamma, twins=twins, findings=[finding.__dict__ for finding in said])
    steps.meter.add("comparisons", steps.meter.total)
    return load_study(store.folder)


def _check_speaks(model: Model, answers: pd.DataFrame) -> None:
    coverage = answers["score"].notna().mean()
    if coverage < _LEAST_COVERAGE:
        raise ValueError(
            f"A study scores answers by the embedded model's grammar, but only {coverage:.0%} of {model.name}'s "
            "answers can be scored so. Use a model trained on its corpus."
        )


def _choose_gamma(steps: Steps, edits: dict[tuple[str, str], Edit], base_key: str) -> tuple[float, pd.DataFrame]:
    """The dose with the greatest shift on search questions within the bounds, and the table it was chosen from."""
    config = steps.config
    count = config.search_questions

    def compute() -> Outcomes:
        base = steps.unedited("search", count, "train")
        edited = steps.outcomes(steps.conditions("DPN-LE", edits, config.gammas), "search", count, "train")
        answers, capability = (pd.concat(pair, ignore_index=True) for pair in zip(base, edited, strict=True))
        return answers, capability

    key = key_of(base=base_key, edits=list(map(_digest, edits.values())), gammas=config.gammas, questions=count)
    answers, capability = steps.kept("search", key, steps.searching, compute)
    table = comparison.tradeoff(answers, capability, resamples=config.resamples)
    table = table[table["trait"] == comparison.ALL].sort_values("gamma", ignore_index=True)
    kept = -table["capability_change"] <= config.max_capability_loss
    table = table.assign(allowed=kept & (table["wellformed"] >= config.min_wellformed))
    allowed = table[table["allowed"]]
    # Where no dose keeps within the bounds, the least one comes nearest.
    chosen = allowed.nlargest(1, "shift") if len(allowed) else table.head(1)
    return float(chosen["gamma"].iloc[0]), table


def _all_arms(
    steps: Steps, edits: dict[str, dict[tuple[str, str], Edit]], base_key: str, gamma: float
) -> tuple[list[Outcomes], dict[str, str]]:
    """Every arm's outcomes, and which arms turned out to be another: the same values give the same answers."""
    config, outcomes, twins = steps.config, {}, {}
    doses = {arm: sorted({*(config.broad_gammas if arm == "broad" else config.gammas), gamma}) for arm in edits}
    for arm, own in edits.items():
        work = steps.per_dose * len(doses[arm])
        twin = next((a for a in outcomes if doses[a] == doses[arm] and same_edits(edits[a], own)), None)
        if twin is not None:
            twins[arm] = twin
            outcomes[arm] = tuple(frame.assign(arm=arm) for frame in outcomes[twin])
            steps.meter.add(f"{arm}: the same edits as {twin}", work)
            continue
        conditions = steps.conditions(arm, own, doses[arm])
        outcomes[arm] = steps.kept(
            arm.replace(" ", "-"),
            key_of(base=base_key, edits=list(map(_digest, own.values())), doses=doses[arm]),
            work,
            lambda conditions=conditions: steps.outcomes(conditions, "test", config.test_questions, "test"),
        )
    return list(outcomes.values()), twins


def _digest(edit: Edit) -> str:
    return key_of(site=edit.site, layer=edit.layer.tolist(), unit=edit.unit.tolist(), value=edit.value.tolist())


def _sizes(edits: dict[str, dict[tuple[str, str], Edit]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"arm": arm, "trait": trait, "direction": direction, "site": edit.site, "units": len(edit)}
            for arm, own in edits.items()
            for (trait, direction), edit in own.items()
        ]
    )


def _marked(found: Located) -> pd.DataFrame:
    """A trait's effects, with the pole under which each neuron was selected."""
    poles = found.selection.frame().set_index(["layer", "neuron"])["pole"].rename("selected")
    frame = found.neurons.frame().join(poles, on=["layer", "neuron"])
    return frame.assign(trait=found.neurons.trait, selected=frame["selected"].fillna(""))
