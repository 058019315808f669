"""Edits made again from other data, with their random controls: captured, located and built as the study's own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from workbench.arm.building import Arm, Steering, build_arms
from workbench.arm.context import Located
from workbench.arm.registry import LARGEST_MIN_D, arm_named
from workbench.capture.answering import capture_gates
from workbench.capture.capturing import capture_sites, provenance
from workbench.capture.settings import CaptureSettings
from workbench.capture.tally import Activations, Tally
from workbench.contrast.contrast import Contrast
from workbench.digest import code_of, key_of
from workbench.edit.edit import AnyEdit, load_edit
from workbench.edit.prompting import Instruction
from workbench.measure.effects import effect_sizes
from workbench.measure.moments import Moments
from workbench.measure.pairwise import pair_cosine
from workbench.model.embedded import words_of
from workbench.model.model import Model
from workbench.select.near import EmptySelectionError
from workbench.study.pairs import pairs_of
from workbench.study.plan import Plan
from workbench.study.store import Part, Store
from workbench.study.stressing.stressor import Remaking, StressError, Stressor
from workbench.vocabulary import HOOK_POST, RESID_POST, Direction, Pole, Z

RANDOM = "random"
"""The arm that every stress is put to besides the one under test."""

OWN = "own"
"""What the arm under test is called in the names of files."""

COSINE_PAIRS = 100
"""The first pairs, of which it is read how alike their differences are."""

_SITES = (HOOK_POST, RESID_POST, Z)
_BATCH = 64
_COLUMNS = ["stress", "condition", "trait", "pairs", "units", "jaccard", "cosine"]


@dataclass(frozen=True)
class Remade:
    """What came of one trait's edits made again.

    Attributes:
        steering: what the arm under test (`OWN`) and its random control do, by stress and condition, arm, draw and
            direction.
        table: columns stress, condition, trait, pairs (made from), units (edited), jaccard (of these with the study's
            own) and cosine (of the values with the study's own, over the units of either).
        cosine: by layer, how alike the differences between the poles are from pair to pair.
        left_out: by stress and condition, why there is no edit.
    """

    steering: Mapping[tuple[str, str, str, int, str], Steering]
    table: pd.DataFrame
    cosine: pd.DataFrame
    left_out: Mapping[tuple[str, str], str]


def remake_trait(
    plan: Plan,
    trait: str,
    own: Arm,
    located: Mapping[str, Located],
    model: Model,
    store: Store,
    stressors: tuple[Stressor, ...],
    *,
    draws: int,
) -> Remade:
    """One trait's edits from every remaking's data, kept; what was captured for them is not.

    Args:
        own: the arm under test, as the study built it.
        draws: of the random control.
    """
    contrast = replace(pairs_of(plan.config, trait), neutral=None)
    contrast = replace(contrast, descriptions={p: ids for p, ids in contrast.descriptions.items() if p != Pole.NEUTRAL})
    wanted = [(each.name, remaking) for each in stressors for remaking in each.remakings()]
    key = key_of(
        **provenance(model, contrast),
        stress=[repr(each) for each in stressors if each.of_data],
        method=plan.method.name,
        rule=repr(plan.config.selecting),
        layers=plan.config.layers,
        answers=(plan.config.answered_pairs, plan.config.max_new_tokens),
        own=own.digest,
        draws=draws,
        seed=plan.config.seed,
        code=code_of("workbench.study.stressing.remaking"),
    )
    name = f"stress/{trait}/"
    kept = store.kept(name, key)
    if kept is None:
        made = _Making(plan, trait, own, located, model, draws).of(contrast, wanted)
        kept = store.step(name, key, lambda: made)
    frames = {part: pd.read_parquet(kept[part]) for part in ("table", "cosine", "left_out")}
    reasons = {(row["stress"], row["condition"]): row["reason"] for row in frames["left_out"].to_dict("records")}
    index = frames["table"].reset_index()
    steering: dict[tuple[str, str, str, int, str], Steering] = {}
    for number, stress, condition in index[["index", "stress", "condition"]].itertuples(index=False):
        for part, path in kept.items():
            at, _, rest = part.partition(".")
            if at == str(number):
                arm, draw, direction = rest.split(".")
                steering[stress, condition, arm, int(draw), direction] = load_edit(path)
    return Remade(steering, frames["table"], frames["cosine"], reasons)


@dataclass(frozen=True)
class _Making:
    """Makes one trait's edits again."""

    plan: Plan
    trait: str
    own: Arm
    located: Mapping[str, Located]
    model: Model
    draws: int

    def of(self, contrast: Contrast, wanted: list[tuple[str, Remaking]]) -> dict[str, Part]:
        """The parts of the step: a table, and every edit under the number of its row."""
        of_rows = any(remaking.rows is not None for _, remaking in wanted)
        kept = contrast if of_rows else contrast.rows(range(min(len(contrast), COSINE_PAIRS)))
        rows = capture_sites(self.model, kept, sites=_SITES, settings=CaptureSettings(keep=True))
        parts: dict[str, Part] = {}
        table, reasons = [], []
        for stress, remaking in wanted:
            try:
                tallies, there = self._data(remaking, contrast, rows)
                found = self._located(tallies, there, remaking.seed)
                built = self._built(found)
            except (StressError, EmptySelectionError) as error:
                why = error.why if isinstance(error, EmptySelectionError) else str(error)
                reasons.append({"stress": stress, "condition": remaking.name, "reason": why})
                continue
            first = {way: does for (arm, draw, way), does in built.items() if (arm, draw) == (OWN, 0)}
            parts |= {f"{len(table)}.{arm}.{draw}.{way}": does for (arm, draw, way), does in built.items()}
            table.append({"stress": stress, "condition": remaking.name, "pairs": len(there), **self._likeness(first)})
        frame = pd.DataFrame(table).assign(trait=self.trait) if table else pd.DataFrame(columns=_COLUMNS)
        activations = rows[HOOK_POST.name]
        assert isinstance(activations, Activations)
        cosine = pair_cosine(activations.activations, layers=activations.layers, most=COSINE_PAIRS)
        left = pd.DataFrame(reasons, columns=["stress", "condition", "reason"]).astype(str)
        return {"table": frame[_COLUMNS], "cosine": cosine.assign(trait=self.trait), "left_out": left, **parts}

    def _data(
        self, remaking: Remaking, contrast: Contrast, rows: Mapping[str, Tally]
    ) -> tuple[Mapping[str, Tally], Contrast]:
        """The moments of a remaking's pairs at every site, and these pairs."""
        if remaking.rows is not None:
            taken = list(remaking.rows(contrast))
            return {site: _of_rows(tally, taken) for site, tally in rows.items()}, contrast.rows(taken)
        config = self.plan.config.model_copy(update={"seed": self.plan.config.seed + remaking.seed})
        there = replace(pairs_of(config, self.trait), neutral=None)
        if there.high == contrast.high and there.low == contrast.low:
            raise StressError(f"The pairs of {self.trait} are the same under every seed: {contrast.source} draws none.")
        return capture_sites(self.model, there, sites=_SITES), there

    def _located(self, tallies: Mapping[str, Tally], pairs: Contrast, seed: int) -> Located:
        """Where the trait is found from this data."""
        here, config = self.located[self.trait], self.plan.config
        post = tallies[HOOK_POST.name]
        return replace(
            here,
            neurons=effect_sizes(post, write_norms=self.model.write_norms(post.layers)),
            residual=effect_sizes(tallies[RESID_POST.name]),
            heads=effect_sizes(tallies[Z.name]),
            answers=lambda: capture_gates(
                self.model,
                pairs,
                pairs=min(config.answered_pairs, len(pairs)),
                max_new_tokens=config.max_new_tokens,
            ),
            seed=here.seed + seed,
            _selections={},
        )

    def _built(self, found: Located) -> dict[tuple[str, int, str], AnyEdit]:
        """The arm under test and its random control, by arm, draw and direction."""
        words = {"seed": self.plan.config.seed, "speaks": words_of(self.model), "style": self.plan.config.style}
        control = [arm_named(RANDOM)] if self.own.name != RANDOM else []
        # What stands for a method that selects nothing is built of such traits alone.
        empty = (self.trait,) if self.own.name == LARGEST_MIN_D.name else ()
        arms, lacking = build_arms(
            [self.own.spec, *control],
            {self.trait: found},
            self.model,
            method=self.own.spec,
            draws=self.draws,
            empty=empty,
            **words,
        )
        if self.own.name not in arms:
            raise StressError(lacking[self.own.name])
        return {
            (OWN if name == self.own.name else RANDOM, number, way): does
            for name, arm in arms.items()
            for number, draw in enumerate(arm.draws)
            for (_, way), does in draw.items()
            if not isinstance(does, Instruction)
        }

    def _likeness(self, made: Mapping[str, Steering]) -> dict[str, float]:
        """How many units are edited, and how like the study's own edit this is; the mean over directions."""
        counts, jaccards, cosines = [], [], []
        for way in Direction:
            ours, theirs = _values(self.own.steering[self.trait, way.value]), _values(made[way.value])
            both = ours.keys() | theirs.keys()
            counts.append(len(theirs))
            jaccards.append(len(ours.keys() & theirs.keys()) / len(both))
            a, b = (np.array([side.get(unit, 0.0) for unit in both]) for side in (ours, theirs))
            norms = float(np.linalg.norm(a) * np.linalg.norm(b))
            cosines.append(float(a @ b) / norms if norms else float("nan"))
        return {"units": float(np.mean(counts)), "jaccard": float(np.mean(jaccards)), "cosine": float(np.mean(cosines))}


def _of_rows(tally: Tally, rows: list[int]) -> Tally:
    """The moments of some of the kept rows."""
    assert isinstance(tally, Activations)
    index = torch.tensor(rows)
    moments = {}
    for pole, values in tally.activations.items():
        total = Moments.empty(values.shape[1:])
        for part in index.split(_BATCH):
            total = total.merge(Moments.of(values[part]))
        moments[pole] = total
    return Tally(tally.trait, tally.site, tally.layers, moments, tally.provenance)


def _values(does: Steering) -> dict[tuple[str, int, int], float]:
    """What an edit adds to each unit."""
    assert not isinstance(does, Instruction)
    return {
        (part.site, int(layer), int(unit)): float(value)
        for part in does.parts
        for layer, unit, value in zip(part.layer.tolist(), part.unit.tolist(), part.value.tolist(), strict=True)
    }
