"""Reads a model along texts: one pass over each, hooks that take what is asked for, and nothing kept besides."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from workbench.contrast.contrast import Contrast
from workbench.edit.edit import AnyEdit
from workbench.edit.gate import hooked_at
from workbench.measure.effects import Effects
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.model.rendering import batches_by_cost, pad_left
from workbench.monitoring.monitoring import Monitoring
from workbench.monitoring.probe import Place, Probe, probe_of
from workbench.monitoring.reference import Reference
from workbench.monitoring.texts import WatchedText, watched_texts
from workbench.score.perplexity.neutral import neutral_passages
from workbench.select.selection import Selection
from workbench.testbed.speaking import speaks
from workbench.vocabulary import BIG_FIVE, site_named

_ASKED = "Tell me something."  # what a neutral passage answers where the monitored texts are chats
_BLOCK = 2**24  # activations that are widened to float64 at once


def monitor(
    model: Model,
    texts: Any,
    read: AnyEdit | Selection,
    *,
    effects: Effects | None = None,
    neutral: Any = None,
    reference: Reference | None = None,
    draws: int = 20,
    seed: int = 0,
    max_tokens: int = 16_384,
    max_rows: int = 256,
) -> Monitoring:
    """The trait along texts: each token's projection on an edit's direction, beside random neurons and neutral texts.

    A projection is `h · delta / |delta|²` over all units of the edit, less its mean in neutral texts; see `Monitoring`.
    Inside `edited`, the edited model is read, after the edit; give the reference of the unedited model then.

    Args:
        texts: one or several; a string is raw text, a `Prompt` a chat prompt, a tuple a prompt and the answer that
            follows it, and a list of turns with `role` and `content` a conversation.
        read: an edit that adds, or a selection, whose neurons count alike unless there are effects.
        effects: mean differences along which a selection is read, and to which random neurons are matched.
        neutral: texts of no trait, of the same kinds; by default passages that come with the package, as raw texts or
            as answers in a chat, as `texts` are; for the embedded model's language, prompts of its own.
        reference: that of an earlier call, or from `make_reference`; neutral texts are then not read again.
        draws: how many random controls.
        seed: seeds them.
        max_tokens, max_rows: bounds of one batch, padding counted.

    Raises:
        ValueError: for texts, an edit or a selection that cannot be read; a reference of another model or edit; or
            hooks on the model, such as an edit's, without a reference.
        FloatingPointError: for an activation that is not finite.
    """
    watched = watched_texts(model, texts)
    probe = probe_of(model, read, effects=effects, draws=draws, seed=seed)
    bounds = {"max_tokens": max_tokens, "max_rows": max_rows}
    if reference is None:
        reference = _reference(model, probe, neutral, watched, bounds)
    elif (reference.model, reference.probe) != (model.fingerprint, probe.digest):
        raise ValueError(
            f"The reference was made with {'another model' if reference.model != model.fingerprint else 'another edit'}"
            ", other draws or another seed. Make it with the same arguments."
        )
    rows = _read(model, probe, watched, **bounds)
    values = np.concatenate(rows)
    centred = values - reference.centre
    first = 1 + len(probe.poles)
    return Monitoring(
        trait=probe.trait,
        read=probe.what,
        text=np.repeat(np.arange(len(rows)), [len(each) for each in rows]),
        position=np.concatenate([np.arange(len(each)) for each in rows]),
        tokens=tuple(text for each in watched for text in each.texts),
        parts=tuple(part for each in watched for part in each.parts),
        projection=centred[:, 0],
        activity={pole: values[:, column] for column, pole in enumerate(probe.poles, start=1)},
        draws=centred[:, first:],
        reference=reference,
        provenance={
            "model": model.name,
            "model_fingerprint": model.fingerprint,
            "site": " + ".join(probe.sites),
            "null": probe.drawn,
        },
    )


def make_reference(
    model: Model,
    read: AnyEdit | Selection,
    *,
    neutral: Any = None,
    chat: bool = True,
    effects: Effects | None = None,
    draws: int = 20,
    seed: int = 0,
) -> Reference:
    """The zero and the neutral quantiles of what `monitor` reads with the same arguments.

    Args:
        chat: whether the built-in neutral passages are read as answers in a chat, or as raw texts.
    """
    probe = probe_of(model, read, effects=effects, draws=draws, seed=seed)
    given = _neutral(model, chat=chat) if neutral is None else neutral
    return _reference(model, probe, given, [], {"max_tokens": 16_384, "max_rows": 256})


def _reference(
    model: Model, probe: Probe, neutral: Any, watched: Sequence[WatchedText], bounds: dict[str, int]
) -> Reference:
    if any(point.fwd_hooks for point in model.blocks.points.values()):
        raise ValueError(
            f"{model.name} has hooks, an edit's perhaps, and neutral texts are read without. Make the reference before "
            "with wb.monitoring.make_reference(model, edit) and pass reference=."
        )
    if neutral is None:
        neutral = _neutral(model, chat=any(each.start for each in watched))
    texts = watched_texts(model, neutral)
    rows = _read(model, probe, texts, **bounds)
    written = [row[np.array(each.content)] for row, each in zip(rows, texts, strict=True)]
    values = np.concatenate(written)
    if len(values) < 2:
        raise ValueError(f"Neutral texts need at least 2 tokens in all, but these have {len(values)}.")
    centre = values.mean(0)
    return Reference(model.fingerprint, probe.digest, len(texts), centre, np.sort(values[:, 0] - centre[0]))


def _neutral(model: Model, *, chat: bool) -> list[Any]:
    if speaks(model.tokenizer.get_vocab()):
        return list(Contrast.testbed(BIG_FIVE[0], n=40, seed=0).neutral or ())
    passages = neutral_passages("test")
    return [(_ASKED, passage) for passage in passages] if chat else list(passages)


@torch.inference_mode()
def _read(
    model: Model, probe: Probe, watched: Sequence[WatchedText], *, max_tokens: int, max_rows: int
) -> list[Float64[np.ndarray, "_token column"]]:
    """What the probe reads at each token of each text."""
    lengths = [len(each.tokens) for each in watched]
    model.loop.check(lengths)
    rows: list[Any] = [None] * len(watched)
    added: list[Tensor] = []
    with ExitStack() as hooks:
        for place in probe.places:
            hooks.enter_context(hooked_at(model, site_named(place.site), place.layer, _adding(place, added)))
        for batch in model.loop.batches(lengths, max_tokens=max_tokens, max_rows=max_rows, cut=batches_by_cost):
            tokens, real = pad_left([watched[i].tokens for i in batch], model.pad_token)
            steps = torch.full_like(tokens, -1)
            for row, i in enumerate(batch):
                first = 1 - watched[i].start
                steps[row, tokens.shape[1] - lengths[i] :] = torch.arange(first, first + lengths[i])
            real = real.to(model.device)
            added.clear()
            with model.passing(Pass("prompt", real, torch.tensor(batch), steps.to(model.device))):
                model.runner.run(tokens.to(model.device), real)
            if len(added) != len(probe.places):
                raise ValueError(
                    f"{len(probe.places) - len(added)} of {len(probe.places)} places of {' + '.join(probe.sites)} did "
                    f"not run in a pass of {model.name}, so nothing can be read there. Choose another site."
                )
            read = torch.stack(added).sum(0).numpy()
            for row, i in enumerate(batch):
                rows[i] = read[row, tokens.shape[1] - lengths[i] :]
    for number, row in enumerate(rows):
        if not np.isfinite(row).all():
            position = int((~np.isfinite(row)).any(1).argmax())
            raise FloatingPointError(
                f"Activations must be finite, but those of {model.name} at token {position} of text {number}, "
                f"{watched[number].texts[position]!r}, are not. Run the model in a wider dtype."
            )
    return rows


def _adding(place: Place, added: list[Tensor]) -> Callable[[Tensor], None]:
    """A hook that reads a place and notes what it finds, `(batch, pos, column)` in float64 on the CPU."""
    exact = place.weights

    def hook(activation: Tensor) -> None:
        nonlocal exact
        device = activation.device
        if device.type != "mps":  # which has no float64
            exact = exact.to(device)
        units = place.units.to(device)
        blocks = activation.split(max(1, _BLOCK // (activation.shape[1] * max(1, len(units)))))
        read = [block[..., units].to(exact.device).double() @ exact for block in blocks]
        added.append(torch.cat(read).cpu())

    return hook
