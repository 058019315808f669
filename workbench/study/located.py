"""Where a trait's neurons were found: effects, selection and both edits, in a folder of their own."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.capture.answering import capture_gates
from workbench.capture.capturing import capture_sites
from workbench.capture.planning import MAX_CLUSTER_MEMORY, plan_capture
from workbench.capture.settings import CaptureSettings
from workbench.capture.tally import Tally
from workbench.contrast.contrast import Contrast
from workbench.edit.edit import Edit
from workbench.edit.making import dpn_edit
from workbench.measure.effects import Effects, effect_sizes
from workbench.model.model import Model
from workbench.select.rules import select_neurons
from workbench.select.selection import Selection
from workbench.select.settings import RuleSettings
from workbench.vocabulary import HOOK_POST

RECORD = "located.json"


@dataclass(frozen=True)
class LocatedTrait:
    """One trait's neurons in one model, and the edits made of them.

    Attributes:
        remark: what a reader of the intervals has to know; empty where there is nothing to say.
    """

    tally: Tally
    effects: Effects
    selection: Selection
    edits: dict[str, Edit]
    remark: str = ""


def locate_trait(
    model: Model,
    contrast: Contrast,
    *,
    rule: RuleSettings | None = None,
    layers: Sequence[int] | None = None,
    weighted: bool = False,
    clusters: Sequence[str] | None = None,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LocatedTrait:
    """Capture a contrast and choose its neurons; both directions' edits at gamma 1.

    Args:
        rule: what chooses the neurons; by default DPN-LE's rule. The npti rule reads the signs of `hook_pre` along the
            contrast's responses, or the model's own answers where there are none, as NPTI does; it edits `hook_post`.
        clusters: what the intervals allow for, `description` or `question`; by default descriptions, where prompts
            share them and their moments take less than a gigabyte.
        folder: where the capture is kept as it goes, so that a stopped one continues.

    Raises:
        ValueError: as `capture`, `effect_sizes` and `select_neurons` do.
    """
    rule = rule or RuleSettings()
    chosen = CaptureSettings(layers=layers)
    wanted, remark = worthwhile_clusters(model, contrast, layers) if clusters is None else (tuple(clusters), "")
    chosen = replace(chosen, clusters=wanted)
    sites = [HOOK_POST]
    tallies = capture_sites(model, contrast, sites=sites, settings=chosen, folder=folder, progress=progress)
    tally = tallies[HOOK_POST.name]
    effects = effect_sizes(tally, write_norms=model.write_norms(tally.layers))
    if rule.rule == "npti":
        signs = effect_sizes(capture_gates(model, contrast)).restrict(tally.layers)
        effects = effects.with_measures(positive_difference=signs.measure("positive_difference"))
    selection = select_neurons(effects, rule)
    edits = {
        direction: dpn_edit(effects, selection, direction=direction, weighted=weighted)
        for direction in ("increase", "decrease")
    }
    return LocatedTrait(tally, effects, selection, edits, remark)


def worthwhile_clusters(
    model: Model, contrast: Contrast, layers: Sequence[int] | None = None
) -> tuple[tuple[str, ...], str]:
    """Descriptions, where prompts share them and their moments are affordable; else nothing, and what follows from it.

    Returns:
        the kinds of cluster, and a sentence for the reader where prompts share descriptions but cost too much memory.
    """
    known = set(contrast.descriptions) == set(contrast.poles)
    if not known or all(len(set(ids)) == len(ids) for ids in contrast.descriptions.values()):
        return (), ""
    planned = plan_capture(model, contrast, settings=CaptureSettings(layers=layers, clusters=("description",)))
    needed = planned.memory["clusters by description"]
    if needed <= MAX_CLUSTER_MEMORY:
        return ("description",), ""
    distinct = min(len(set(ids)) for ids in contrast.descriptions.values())
    return (), (
        f"Intervals take all {len(contrast)} rows for independent, though a pole has only {distinct} descriptions, and "
        f"are too narrow: moments by description would take {needed / 1e9:.1f} GB, above {MAX_CLUSTER_MEMORY / 1e9:g}. "
        "Ask for them with --cluster description (clusters=['description']), or read fewer layers."
    )


def write_located(located: LocatedTrait, folder: Path) -> list[str]:
    """Fill a folder; the names of its files.

    `tally.safetensors` (moments by pole), `effects.parquet` (a row per neuron), `selection.parquet` (a row per
    chosen neuron), `layers.parquet` (what each criterion kept and removed), `increase.safetensors` and
    `decrease.safetensors` (edits), `located.json` (settings and provenance).
    """
    selection = located.selection
    located.tally.save(folder / "tally.safetensors")
    located.effects.frame().to_parquet(folder / "effects.parquet", index=False)
    selection.frame().to_parquet(folder / "selection.parquet", index=False)
    selection.layers.to_parquet(folder / "layers.parquet", index=False)
    for direction, edit in located.edits.items():
        edit.save(folder / f"{direction}.safetensors")
    record = {
        "trait": selection.trait,
        "rule": selection.rule,
        "parameters": selection.parameters,
        "layers": list(located.effects.layers),
        "high": len(selection.high),
        "low": len(selection.low),
        "share": selection.share,
        "n_high": located.effects.n_high,
        "n_low": located.effects.n_low,
        "prompts": located.effects.provenance.get("prompts", ""),
        "intervals": located.effects.method,
        "remark": located.remark,
        "provenance": dict(located.effects.provenance),
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return sorted(path.name for path in folder.iterdir())
