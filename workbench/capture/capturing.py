"""Activations of a contrast, from prompts to moments by pole."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import transformers

from workbench.capture.computing import Budget, Computer, Read
from workbench.capture.folder import CaptureFolder, TemporaryFolder, load_capture
from workbench.capture.plan import Group
from workbench.capture.positions import Position
from workbench.capture.reading import Reader
from workbench.capture.reducing import Rows, on_cpu, part_of
from workbench.capture.settings import CapturePlan, CaptureSettings, describe, plan_capture
from workbench.capture.tally import Tally, in_order, joined
from workbench.contrast.contrast import Contrast
from workbench.model.model import Model
from workbench.vocabulary import HOOK_POST, Site, site_named

Progress = Callable[[int, int], None]
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

    Beginnings that prompts share are computed once; the decoder alone runs, without the unembedding, no further
    than the last value that is read. Values are taken by TransformerLens hooks, widened to float32, and reduced on
    the device to float64 moments as they come, so that memory does not grow with the number of prompts.

    Args:
        site: `hook_post` (MLP neurons), `hook_pre`, `mlp_out`, `resid_mid`, `resid_post` or `z`.
        layers: which layers to read; all by default.
        position: `last` (the last prompt token), `mean`, `all`, `response`, `response_mean`, an index or a mask.
        keep: also keep every row, in files; the result is then an `Activations`.
        folder: where to write as the run goes. A run that was stopped there, however it was, continues; without a
            folder kept rows go to a temporary one that lives as long as the result.
        progress: called with (prompts done, prompts in all).
        settings: the other fields of `CaptureSettings`: `clusters`, `positive`, `sample`, `engine="ray"`, ...

    Raises:
        ValueError: for an unknown site, layer or position, a site that is not as wide as the model's own, a
            folder that holds another capture, or a file there that is not as it was written.
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
    settings = settings or CaptureSettings()
    planned = plan_capture(model, contrast, sites=sites, settings=settings)
    log.info("%s", planned)
    if settings.keep and folder is None:
        temporary = TemporaryFolder()
        _into(temporary.path, model, contrast, planned, settings, progress)
        return load_capture(temporary.path, keeps=temporary)
    if folder is None:
        total: dict[str, Tally] = {}
        for _, part, _ in _parts(model, contrast, planned, settings, set(), progress):
            total = {name: joined(total[name], tally) if total else tally for name, tally in part.items()}
        return {name: _whole(tally, model, contrast, planned) for name, tally in total.items()}
    try:
        _into(Path(folder), model, contrast, planned, settings, progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Stopped: what is done is kept in {folder}. Capture into the same folder again to continue."
        ) from None
    return load_capture(folder)


def _into(
    folder: Path,
    model: Model,
    contrast: Contrast,
    planned: CapturePlan,
    settings: CaptureSettings,
    progress: Progress | None,
) -> None:
    keeps = [site.name for site in planned.sites] if settings.keep else []
    store = CaptureFolder(folder, describe(model, contrast, planned, settings), planned.plan, keeps=keeps)
    if store.finished:
        if progress is not None:
            progress(planned.plan.prompts, planned.plan.prompts)
        return
    made = provenance(model, contrast, position=planned.plan.positions.name)
    if settings.keep:
        shapes = {site.name: (len(planned.layers), planned.widths[site.name]) for site in planned.sites}
        store.reserve_rows(shapes, settings.row_dtype(model), {"provenance": made})
        store.name_prompts(
            {"question": dict.fromkeys(contrast.poles, contrast.questions), "description": contrast.descriptions}
        )
    for group, part, rows in _parts(model, contrast, planned, settings, store.done, progress):
        store.commit(group, part, rows)
    total: dict[str, Tally] = {}
    for part in store.parts():
        total = {name: joined(total[name], tally) if total else tally for name, tally in part.items()}
    store.finish({name: _whole(tally, model, contrast, planned) for name, tally in total.items()})


def _whole(tally: Tally, model: Model, contrast: Contrast, planned: CapturePlan) -> Tally:
    made = provenance(model, contrast, position=planned.plan.positions.name)
    return on_cpu(in_order(replace(tally, provenance=made)))


def _parts(
    model: Model,
    contrast: Contrast,
    planned: CapturePlan,
    settings: CaptureSettings,
    done: set[int],
    progress: Progress | None,
) -> Iterator[tuple[int, dict[str, Tally], Rows]]:
    """Each group's tallies and kept rows, but for those that are done; in order."""
    if settings.engine == "ray":
        from workbench.capture.spreading import spread_parts

        yield from spread_parts(model, contrast, planned, settings, done, progress)
        return
    total = planned.plan.prompts
    finished = sum(len(planned.plan.groups[group].rows) for group in done)

    def count(prompts: int) -> None:
        nonlocal finished
        finished += prompts
        if progress is not None:
            progress(finished, total)

    count(0)
    with computing(model, planned, settings, count) as compute:
        for place, group in enumerate(planned.plan.groups):
            if place not in done:
                yield place, *part_of(compute(group), group, contrast, planned, settings, model.dtype)


@contextmanager
def computing(
    model: Model, planned: CapturePlan, settings: CaptureSettings, count: Callable[[int], None] | None = None
) -> Iterator[Callable[[Group], Read]]:
    """Hooks on for a whole run; inside, a function that computes a group.

    Args:
        count: called with the number of prompts that a batch has finished.
    """
    reader = Reader(model, planned.sites, planned.layers)
    budget = Budget(settings.batch_tokens(model.device))
    computer = Computer(model, reader, budget, settings.min_saving, count=count)
    with reader.reading():
        yield lambda group: computer.compute(group, pooled=planned.plan.positions.pooled)


def provenance(model: Model, contrast: Contrast, *, position: str = "last prompt token") -> dict[str, str]:
    """What a capture depends on, by name."""
    return {
        "model": model.name,
        "model_fingerprint": model.fingerprint,
        "contrast": contrast.digest,
        "source": contrast.source,
        "position": position,
        "dtype": str(model.dtype),
        "transformer_lens": version("transformer-lens"),
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }
