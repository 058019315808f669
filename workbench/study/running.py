"""The whole of a study, step by step, each kept as it is done."""

import platform
from pathlib import Path

import pandas as pd
import torch

from workbench.edit.edit import AnyEdit, Edit
from workbench.edit.prompting import Instruction
from workbench.model.loading import load_model
from workbench.model.model import Model
from workbench.study import comparison
from workbench.study.arms import Arm, Located, build_arms, digest_of, same_edits
from workbench.study.cells import Cell, Outcomes, unedited
from workbench.study.config import StudyConfig
from workbench.study.findings import findings
from workbench.study.judging import FOLDER
from workbench.study.steps import Progress, Steps, joined
from workbench.study.store import Store, key_of
from workbench.study.study import Study, load_study
from workbench.study.sweeping import quantile_sweep, swept_arms
from workbench.study.warned import warnings_kept

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
            embedded model's language, or the judge can rate few of its answers.
        RuntimeError, ConnectionError, PermissionError: as the study's judge; what was judged is kept.
    """
    with warnings_kept() as raised:
        return _run(config, Store(folder), model, progress, raised)


def _run(config: StudyConfig, store: Store, model: Model | None, progress: Progress | None, raised: list[str]) -> Study:
    """The study in its folder; `raised` fills with the warnings that the run raises."""
    model = model or load_model(config.model)
    store.manifest.pop("findings", None)  # a study that is being changed is not finished
    store.describe(
        model=model.name,
        model_fingerprint=model.fingerprint,
        seed=config.seed,
        machine={"system": platform.system(), "processor": platform.machine(), "threads": torch.get_num_threads()},
        versions={"python": platform.python_version(), "torch": torch.__version__},
    )
    store.text("study.toml", config.toml())
    steps = Steps(config, store, model, progress)
    located, statistics = steps.located()
    base_cell = unedited(config, "test", "test", config.test_questions)
    base = steps.run([base_cell])
    _check_speaks(model, base["answers"], config)
    arms, left_out = build_arms(config, located, model)
    gamma, search = _choose_gamma(steps, arms["DPN-LE"])
    cells, twins = _cells(steps, arms, gamma)
    outcomes = _with_twins(steps.run([base_cell, *cells]), twins, arms, config, gamma)
    main = {kind: frame[frame["scope"] == config.scope].reset_index(drop=True) for kind, frame in outcomes.items()}
    other, not_swept = swept_arms(config, located)
    sweep = [steps.cell(name, arm, gamma, chosen=gamma, every_outcome=False) for name, arm in other.items()]
    swept = steps.run(sweep)
    sizes = _sizes(arms)
    compared = comparison.compare(main, gamma=gamma, config=config)
    tables = {
        "effects": pd.concat([_marked(found) for found in located.values()], ignore_index=True),
        "selection": pd.concat([f.selection.layers.assign(trait=t) for t, f in located.items()], ignore_index=True),
        "counts": pd.concat([found.selection.counts() for found in located.values()], ignore_index=True),
        "neurons_edited": sizes,
        **statistics,
        **steps.patched(located),
        "search": search,
        "answers": main["answers"],
        "capability": main["capability"],
        "edited": joined([outcomes["edited"], *([swept["edited"]] if swept else [])]),
        **compared,
        "cost_by_breadth": comparison.cost_by_breadth(compared["equal_shift"], sizes),
    }
    if swept:
        per_trait = next(iter(located.values())).selection.layers["neurons"].sum()
        every = pd.concat([sizes, _sizes(other)])
        tables["quantile_sweep"] = quantile_sweep(
            main, swept, every, gamma=gamma, neurons=int(per_trait), config=config
        )
    if len(config.scopes) > 1:
        tables["scopes"] = comparison.scopes(outcomes, gamma=gamma, resamples=config.resamples)
    made = key_of(config=config.told, cells=[cell.key(model, config) for cell in (base_cell, *cells, *sweep)])
    for name, frame in tables.items():
        store.write(f"tables/{name}.parquet", made, lambda path, frame=frame: frame.to_parquet(path, index=False))
    for (trait, direction), edit in arms["DPN-LE"].items():
        assert isinstance(edit, Edit)
        store.write(f"edits/{trait}-{direction}.safetensors", digest_of(edit), edit.with_gamma(gamma).save)
    said = findings(tables, gamma=gamma, twins=twins, config=config)
    left_out |= not_swept
    # What an earlier run warned of holds for the steps that it left.
    warned = list(dict.fromkeys([*store.manifest.get("warnings", []), *raised]))
    store.describe(
        gamma=gamma,
        twins=twins,
        left_out=left_out,
        warnings=warned,
        findings=[finding.__dict__ for finding in said],
    )
    steps.meter.add("comparisons", steps.meter.total)
    return load_study(store.folder)


def _check_speaks(model: Model, answers: pd.DataFrame, config: StudyConfig) -> None:
    coverage = answers["score"].notna().mean()
    if config.judge is not None and coverage < _LEAST_COVERAGE:
        raise ValueError(
            f"The judge {config.judge.model} gave a trait rating to only {coverage:.0%} of {model.name}'s unedited "
            f"answers. Its replies are kept in the study's folder {FOLDER}; see why, or choose another judge."
        )
    if coverage < _LEAST_COVERAGE:
        raise ValueError(
            f"A study scores answers by the embedded model's grammar, but only {coverage:.0%} of {model.name}'s "
            "answers can be scored so. Use a model trained on its corpus, or scorer = 'judge'."
        )


def _choose_gamma(steps: Steps, edits: Arm) -> tuple[float, pd.DataFrame]:
    """The dose with the greatest shift on search questions within the bounds, and the table it was chosen from."""
    config = steps.config
    base = unedited(config, "search", "train", config.search_questions)
    doses = [steps.cell("DPN-LE", edits, gamma, chosen=None) for gamma in config.gammas]
    found = steps.run([base, *doses])
    table = comparison.tradeoff(found["answers"], found["capability"], resamples=config.resamples)
    table = table[table["trait"] == comparison.ALL].sort_values("gamma", ignore_index=True)
    kept = -table["capability_change"] <= config.max_capability_loss
    table = table.assign(allowed=kept & (table["wellformed"] >= config.min_wellformed))
    allowed = table[table["allowed"]]
    # Where no dose keeps within the bounds, the least one comes nearest.
    chosen = allowed.nlargest(1, "shift") if len(allowed) else table.head(1)
    return float(chosen["gamma"].iloc[0]), table


def _cells(steps: Steps, arms: dict[str, Arm], gamma: float) -> tuple[list[Cell], dict[str, str]]:
    """Every arm at its doses, and which arms turned out to be another: the same values give the same answers."""
    config, cells, twins = steps.config, [], {}
    for arm, does in arms.items():
        doses = config.doses(arm, gamma)
        twin = next(a for a in arms if a == arm or (config.doses(a, gamma) == doses and same_edits(arms[a], does)))
        own = [steps.cell(arm, does, dose, chosen=gamma) for dose in doses]
        if twin == arm:
            cells += own
        else:
            twins[arm] = twin
            steps.meter.add(f"{arm}: the same edits as {twin}", sum(cell.work(config) for cell in own))
    for scope in config.scopes[1:]:
        cells.append(steps.cell("DPN-LE", arms["DPN-LE"], gamma, chosen=gamma, scope=scope))
    return cells, twins


def _with_twins(
    outcomes: Outcomes, twins: dict[str, str], arms: dict[str, Arm], config: StudyConfig, gamma: float
) -> Outcomes:
    """Outcomes in the arms' order, those of a twin under its own name too."""
    order = ["none", *arms]
    full = {}
    for kind, frame in outcomes.items():
        frames = [frame]
        for arm, twin in twins.items():
            copied = frame[(frame["arm"] == twin) & (frame["scope"] == config.scope)]
            frames.append(copied.assign(arm=arm))
        together = joined(frames)
        place = together["arm"].map(order.index)
        full[kind] = together.iloc[place.argsort(kind="stable")].reset_index(drop=True)
    return full


def _sizes(arms: dict[str, Arm]) -> pd.DataFrame:
    def site(does: AnyEdit | Instruction) -> str:
        return "prompt" if isinstance(does, Instruction) else does.site

    return pd.DataFrame(
        [
            {"arm": arm, "trait": trait, "direction": direction, "site": site(does)}
            | {"units": 0 if isinstance(does, Instruction) else len(does)}
            for arm, own in arms.items()
            for (trait, direction), does in own.items()
        ]
    )


def _marked(found: Located) -> pd.DataFrame:
    """A trait's effects, with the pole under which each neuron was selected."""
    poles = found.selection.frame().set_index(["layer", "neuron"])["pole"].rename("selected")
    frame = found.neurons.frame().join(poles, on=["layer", "neuron"])
    return frame.assign(trait=found.neurons.trait, selected=frame["selected"].fillna(""))
