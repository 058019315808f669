"""Activations of a contrast: from prompts to moments by pole."""

import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import transformers

from workbench.capture.folder import CaptureFolder, TemporaryFolder, load_capture
from workbench.capture.planning import plan_capture, with_clusters
from workbench.capture.positions import Position
from workbench.capture.reducing import Part, on_cpu, part_of
from workbench.capture.run import CaptureRun, Progress
from workbench.capture.settings import CaptureSettings
from workbench.capture.spreading import spread_parts
from workbench.capture.tally import Tally, in_order, joined
from workbench.contrast.contrast import Contrast
from workbench.model.model import Model
from workbench.model.template import CLOCK, DAY, asks_the_day
from workbench.vocabulary import HOOK_POST, Site, site_named
from workbench.whole import parents_of

log = logging.getLogger("workbench.capture")


def capture(
    model: Model,
    contrast: Contrast,
    *,
    site: str | Site = HOOK_POST,
    layers: Sequence[int] | None = None,
    position: Position = "last",
    keep: bool = False,
    folder: str | Path | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Tally:
    """Moments of a site's activations by pole.

    Beginnings that prompts share are computed once. Only the decoder runs, without the unembedding, and only up to
    the last value that is read. TransformerLens hooks take the values; they are widened to float32 and reduced on the
    device to float64 moments batch by batch, so that memory does not grow with the number of prompts.

    Args:
        site: `hook_post` (MLP neurons), `hook_pre`, `mlp_out`, `resid_mid`, `resid_post` or `z`.
        layers: which layers to read; all by default.
        position: `last` (the last prompt token), `mean`, `all`, `response`, `response_mean`, an index or a mask.
        keep: also keep every row, in files; the result is then an `Activations`.
        folder: where results are written during the run. A run that was stopped continues when it is started again
            with the same folder. Without a folder kept rows go to a temporary one, which is removed with the result.
        progress: called with (prompts done, prompts in all).
        settings: the other fields of `CaptureSettings`: `clusters`, `positive`, `sample`, `engine="ray"`, ...

    Raises:
        ValueError: for an unknown site, layer or position, a site whose width is not the model's own, a folder that
            holds another capture, or a file there that was changed after it was written.
        FloatingPointError: for a value that is not finite, naming its layer, neuron and prompt.
        MemoryError: if a single prompt does not fit on the device.
        KeyboardInterrupt: on Ctrl-C, with a line that says how to continue where there is a folder.
    """
    chosen = CaptureSettings(layers=layers, position=position, keep=keep, **settings)
    return capture_sites(model, contrast, sites=[site], settings=chosen, folder=folder, progress=progress)[
        site_named(site).name
    ]


def capture_sites(
    model: Model,
    contrast: Contrast,
    *,
    sites: Sequence[str | Site],
    settings: CaptureSettings | None = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Tally]:
    """Like `capture`, for several sites in one pass; by site name."""
    settings = with_clusters(model, contrast, sites, settings or CaptureSettings())
    with model.templated(settings.template):
        return _captured(model, contrast, sites, settings, folder, progress)


def _captured(
    model: Model,
    contrast: Contrast,
    sites: Sequence[str | Site],
    settings: CaptureSettings,
    folder: str | Path | None,
    progress: Progress | None,
) -> dict[str, Tally]:
    planned = plan_capture(model, contrast, sites=sites, settings=settings)
    log.info("%s", planned)
    run = CaptureRun(model, contrast, settings, planned)
    if settings.keep and folder is None:
        temporary = TemporaryFolder()
        _fill(temporary.path, run, progress)
        return load_capture(temporary.path, keeps=temporary)
    if folder is None:
        return _merged(run, (tallies for _, (tallies, _) in _parts(run, set(), progress)))
    try:
        _fill(Path(folder), run, progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Stopped: what is done is kept in {folder}. Capture into the same folder again to continue."
        ) from None
    return load_capture(folder)


def _fill(folder: Path, run: CaptureRun, progress: Progress | None) -> None:
    """Compute what a capture's folder still lacks. A new one goes again if it fails before anything is kept."""
    planned = run.planned
    keeps = [site.name for site in planned.sites] if run.settings.keep else []
    fresh = not folder.exists()
    with parents_of(folder):
        store = CaptureFolder(folder, run.depends_on(), planned.plan, keeps=keeps)
        try:
            _fill_store(store, run, progress)
        except (ValueError, OSError, RuntimeError):
            if fresh and not store.done:
                shutil.rmtree(folder, ignore_errors=True)  # nothing in it was worth a run
            raise


def _fill_store(store: CaptureFolder, run: CaptureRun, progress: Progress | None) -> None:
    settings, planned, contrast = run.settings, run.planned, run.contrast
    if store.finished:
        if progress is not None:
            progress(planned.plan.prompts, planned.plan.prompts)
        return
    if settings.keep:
        shapes = {site.name: (len(planned.layers), planned.widths[site.name]) for site in planned.sites}
        store.reserve_rows(shapes, run.row_dtype, {"provenance": _provenance(run)})
        store.name_prompts(
            {"question": dict.fromkeys(contrast.poles, contrast.questions), "description": contrast.descriptions}
        )
    for number, (tallies, rows) in _parts(run, store.done, progress):
        store.commit(number, tallies, rows)
    store.finish(_merged(run, store.parts()))


def _merged(run: CaptureRun, parts: Iterable[dict[str, Tally]]) -> dict[str, Tally]:
    """The tallies of all groups together, by site."""
    total: dict[str, Tally] = {}
    for tallies in parts:
        total = {site: joined(total[site], tally) if total else tally for site, tally in tallies.items()}
    provenance_of_run = _provenance(run)
    return {site: on_cpu(in_order(replace(tally, provenance=provenance_of_run))) for site, tally in total.items()}


def _parts(run: CaptureRun, done: set[int], progress: Progress | None) -> Iterator[tuple[int, Part]]:
    """The number and the part of each group that is not done, in order."""
    if run.settings.engine == "ray":
        yield from spread_parts(run, done, progress)
        return
    total = run.planned.plan.prompts
    finished = sum(len(run.groups[number].prompts) for number in done)

    def count(prompts: int) -> None:
        nonlocal finished
        finished += prompts
        if progress is not None:
            progress(finished, total)

    count(0)
    with run.computing(count) as compute:
        for number, group in enumerate(run.groups):
            if number not in done:
                yield number, part_of(compute(group), group, run)


def _provenance(run: CaptureRun) -> dict[str, str]:
    return provenance(run.model, run.contrast, position=run.planned.plan.positions.name)


def provenance(model: Model, contrast: Contrast, *, position: str = "last prompt token") -> dict[str, str]:
    """Which model, prompts and versions of libraries a capture's numbers come from, by name."""
    return {
        "model": model.name,
        "model_fingerprint": model.fingerprint,
        **({"weights": model.weights} if model.source else {}),
        "contrast": contrast.digest,
        "source": contrast.source,
        **({"prompts": contrast.said} if contrast.said else {}),
        **_rendering(model),
        "position": position,
        "dtype": str(model.dtype),
        "transformer_lens": version("transformer-lens"),
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }


def _rendering(model: Model) -> dict[str, str]:
    """What chat prompts were rendered with, where they are not rendered plainly: template variables and the day."""
    variables = {**({CLOCK: DAY.isoformat()} if asks_the_day(model.tokenizer) else {}), **model.template}
    return {"template": json.dumps(variables, sort_keys=True, ensure_ascii=False)} if variables else {}
