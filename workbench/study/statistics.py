"""What a study says of each trait's neurons before anything is edited: nulls, stability, exclusivity, confounds."""

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import pandas as pd

from workbench.capture.tally import Activations
from workbench.contrast.contrast import Contrast
from workbench.measure.effects import Effects, HasMoments, effect_sizes
from workbench.measure.exclusivity import exclusivity
from workbench.measure.matched import common_size
from workbench.measure.overlap import overlap_matrix
from workbench.measure.separability import StartLayer, separability, start_layer
from workbench.measure.units import HasRows
from workbench.measure.valence import shared_valence, valence_structure
from workbench.model.model import Model
from workbench.select.null import permutation_null
from workbench.select.selection import Selection
from workbench.select.stability import sensitivity, stability
from workbench.study.config import StudyConfig
from workbench.study.warned import LOGGER
from workbench.vocabulary import NeuronSet

BY_TRAIT = (
    "null",
    "null_counts",
    "stability",
    "sensitivity",
    "exclusivity",
    "exclusivity_kinds",
    "contrasts",
    "separability",
    "start_layer",
    "balance",
    "balance_pairs",
    "predictability",
)
"""Tables that are made trait by trait."""

SETTINGS = ("rule", "quantile", "min_d", "layers", "permutations", "seed")
"""What they depend on besides the activations."""


def trait_statistics(
    activations: Activations, contrast: Contrast, model: Model, effects: Effects, config: StudyConfig
) -> dict[str, pd.DataFrame]:
    """The tables of `BY_TRAIT` for one trait's captured contrast."""
    rows = activations if config.layers is None else activations.restrict(config.layers)
    told, start = separability_of(rows, config.seed)
    balance = contrast.balance(model, seed=config.seed)
    tables = {
        **null_tables(rows, config),
        **stability_tables(rows, config),
        **exclusivity_tables(rows, config),
        "sensitivity": sensitivity(
            effects if config.layers is None else effects.restrict(config.layers),
            reference=(config.quantile, config.min_d),
        ),
        "contrasts": _contrasts(rows),
        "separability": told,
        "start_layer": pd.DataFrame([{"layer": start.layer, "reason": start.reason}]).astype({"layer": "Int64"}),
        "balance": balance.table,
        "balance_pairs": balance.pairs,
        "predictability": balance.predictability,
    }
    of_descriptions = tables["null"]["shuffled"] == "description"
    tables["null"] = tables["null"].assign(matched=of_descriptions & contrast.matched_descriptions)
    assert set(tables) == set(BY_TRAIT)
    return {name: table.reset_index(drop=True).assign(trait=contrast.trait) for name, table in tables.items()}


def null_tables(rows: object, config: StudyConfig) -> dict[str, pd.DataFrame]:
    """What shuffled labels select, by what is shuffled, and how often each number."""
    nulls, counts = [], []
    for unit in ("description", "pair"):
        null = permutation_null(rows, unit=unit, permutations=config.permutations, **_rule(config))
        assert null.counts is not None
        assert null.count is not None
        nulls.append(
            {
                "shuffled": unit,
                "permutations": null.permutations,
                "all_labellings": null.exact,
                "least_p": null.least_pvalue,
                "selected": null.count,
                "by_chance": float(null.counts.double().mean()),
                "by_chance_low": float(null.counts.double().quantile(0.025)),
                "by_chance_high": float(null.counts.double().quantile(0.975)),
                "p": null.count_pvalue,
                "p_fewer": null.count_pvalue_fewer,
                "fixed": null.count_is_fixed,
                "neurons": null.t.numel(),
                "family_wise": int((null.family_wise < 0.05).sum()),
                "false_discovery_bh": int((null.false_discovery("bh") < 0.05).sum()),
                "false_discovery_by": int((null.false_discovery("by") < 0.05).sum()),
                "least_discoveries_bh": null.discoveries_needed(method="bh"),
                "least_discoveries_by": null.discoveries_needed(method="by"),
            }
        )
        counts.append(pd.DataFrame({"shuffled": unit, "selected": null.counts.numpy(), "real": null.count}))
    return {"null": pd.DataFrame(nulls), "null_counts": pd.concat(counts)}


def stability_tables(rows: object, config: StudyConfig) -> dict[str, pd.DataFrame]:
    """How far other descriptions and questions would have chosen the same neurons.

    Of a kind of which there are too few for halves there is no row, and a warning.
    """
    tables = [pd.DataFrame(columns=["measure", "estimate", "low", "high", "n", "unit"])]
    for unit in ("description", "question"):
        try:
            tables.append(stability(rows, unit=unit, **_rule(config)).summary().assign(unit=unit))
        except ValueError as error:
            logging.getLogger(LOGGER).warning("How stable the selection is over %ss is not said: %s", unit, error)
    return {"stability": pd.concat([table for table in tables if len(table)] or tables)}


def exclusivity_tables(rows: HasMoments, config: StudyConfig) -> dict[str, pd.DataFrame]:
    """Both poles against the neutral arm: by layer, and by kind of neutral prompt."""
    found = exclusivity(rows, min_d=config.min_d)
    judged = {"p_exclusive": found.p_exclusive, "p_shared": found.p_shared}
    layers = found.layers.assign(**judged, verdict=found.verdict, text=found.text)
    return {"exclusivity": layers, "exclusivity_kinds": found.kinds}


def _rule(config: StudyConfig) -> dict[str, Any]:
    return {"rule": config.rule, "quantile": config.quantile, "min_d": config.min_d, "seed": config.seed}


def separability_of(rows: HasRows, seed: int) -> tuple[pd.DataFrame, StartLayer]:
    """By the strictest grouping that so many prompts allow, and the layer to start at.

    Where there are too few descriptions to hold any out the table is empty and the reason stands in its place: probes
    that have seen a test row's description tell the poles apart although nothing differs between them.
    """
    for groups in ("both", "description"):
        try:
            table = separability(rows, probes=["logistic"], groups=groups, seed=seed).assign(groups=groups)
        except ValueError as error:  # too few clusters for five folds
            reason = str(error)
        else:
            return table, start_layer(table)
    columns = ["layer", "probe", "control", "auc", "auc_error", "groups"]
    return pd.DataFrame(columns=columns), StartLayer(None, f"No probe was fitted: {reason}")


def _contrasts(rows: Activations) -> pd.DataFrame:
    """Each pole's d against the neutral arm, with its interval, neuron by neuron."""
    tables = []
    for pole in ("high", "low"):
        frame = effect_sizes(rows, poles=(pole, "neutral")).frame().set_index(["layer", "neuron"])
        name = f"d_{pole}_neutral"
        renamed = {"cohens_d": name, "d_low": f"{name}_low", "d_high": f"{name}_high"}
        tables.append(frame[list(renamed)].rename(columns=renamed))
    return pd.concat(tables, axis=1).reset_index()


def between_traits(
    effects: Mapping[str, Effects], selections: Mapping[str, Selection], desirable: Mapping[str, str]
) -> dict[str, pd.DataFrame]:
    """How traits' selections overlap, and what the effects of those with a desirable pole share by valence.

    Args:
        desirable: by trait its desirable pole; empty of a trait of which neither is. With fewer than 3 that have one,
            there is nothing on valence.
    """
    sets: dict[tuple[str, str], NeuronSet] = {}
    for trait, selection in selections.items():
        sets |= {(trait, "high"): selection.high, (trait, "low"): selection.low}
    population = int(next(iter(selections.values())).layers["neurons"].sum())
    layers = next(iter(selections.values())).layers["layer"].tolist()
    searched = {trait: each.restrict(layers) for trait, each in effects.items()}
    size = common_size([each.standard_error for each in searched.values()])
    tables = {"trait_overlap": overlap_matrix(sets, population=population, size=size, layers=layers)}
    valued = [trait for trait in effects if desirable.get(trait)]
    if len(valued) < 3:
        return tables
    undesirable = [trait for trait in valued if desirable[trait] == "low"]
    overlap = tables["trait_overlap"]
    overlap = overlap[overlap["trait_a"].isin(valued) & overlap["trait_b"].isin(valued)]
    with warnings.catch_warnings():  # of a p-value that cannot be small; the tables say the least that it can be
        warnings.simplefilter("ignore", UserWarning)
        valence = shared_valence({trait: searched[trait] for trait in valued}, undesirable=undesirable)
        structure = valence_structure(overlap, undesirable=undesirable)
    return {
        **tables,
        "valence_cosines": valence.cosines.assign(
            mean=valence.mean_cosine, p=valence.pvalue, least_p=valence.least_pvalue
        ),
        "valence_share": valence.share,
        "valence_overlap": structure.table.assign(
            ratio=structure.ratio, p=structure.pvalue, least_p=structure.least_pvalue
        ),
    }
