"""The pairs that a study finds neurons on, and those that it holds out."""

import logging
from pathlib import Path

from workbench.contrast.contrast import Contrast
from workbench.study.config import StudyConfig
from workbench.study.warned import LOGGER

HOLDOUTS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Shares of a table's questions and descriptions that are tried one after another, until enough pairs are held out."""

ENOUGH = 0.8
"""The share of the wanted pairs that is enough."""


def pairs_of(config: StudyConfig, trait: str, *, held_out: bool = False) -> Contrast:
    """A trait's pairs: those that neurons are chosen on, or held-out ones, `patching_pairs` of them.

    The two share neither question nor description of a pole. Where a table's pairs cannot be split so, they share
    descriptions, of which the study warns.

    Raises:
        FileNotFoundError, ValueError: if the study's source of pairs lacks them.
    """
    source, seed = config.contrast, config.seed
    n = config.patching_pairs if held_out else config.pairs
    if source == "testbed":
        return Contrast.testbed(trait, n=n, seed=seed, held_out=held_out)
    if source == "builtin":
        concept = config.concept(trait)
        return Contrast.builtin(concept, n=n, seed=seed, style=config.style, held_out=held_out).with_neutral()
    if Path(source).is_dir():
        split = "test" if held_out else "search"
        pairs = Contrast.personalitybench(source, trait, n=n, seed=seed, split=split, held_out=held_out)
        # Published with two poles; a study tests exclusivity against a third.
        return pairs.with_neutral()
    kept, out = _split(Contrast.from_table(source, trait=trait).with_neutral(), wanted=config.patching_pairs, seed=seed)
    return out if held_out else kept


def _split(drawn: Contrast, *, wanted: int, seed: int) -> tuple[Contrast, Contrast]:
    """A table's pairs to find neurons on, and at most `wanted` others, with a warning of what they share or leave out.

    Raises:
        ValueError: if the table has no more pairs than are wanted, or too few questions to hold any out.
    """
    if wanted >= len(drawn):
        raise ValueError(
            f"{wanted} of the pairs of {drawn.trait} are to be held out, but {drawn.source} has {len(drawn)}. Lower "
            "patching_pairs or add pairs."
        )
    logger = logging.getLogger(LOGGER)
    best: tuple[Contrast, Contrast] | None = None
    for holdout in (wanted / len(drawn), *HOLDOUTS):
        try:
            parts = drawn.split(holdout=min(holdout, HOLDOUTS[-1]), seed=seed)
        except ValueError:
            continue
        best = max(best or parts, parts, key=lambda parts: min(len(parts[1]), wanted))
        if len(best[1]) >= ENOUGH * wanted:
            break
    if best is None:
        logger.warning(
            "The held-out pairs of %s share descriptions with the pairs that its neurons are found on, as the table "
            "has too few descriptions to split; they share no question.",
            drawn.trait,
        )
        return drawn.split(holdout=min(wanted / len(drawn), HOLDOUTS[-1]), seed=seed, by="question")
    kept, out = best
    if len(kept) + len(out) < len(drawn):
        logger.warning(
            "Of %d pairs of %s, %d are used to find neurons and %d are held out; the others mix held-out questions or "
            "descriptions with those of the first.",
            len(drawn),
            drawn.trait,
            len(kept),
            min(len(out), wanted),
        )
    return kept, out.rows(range(min(len(out), wanted)))
