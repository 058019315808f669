"""The pairs that a study finds neurons on, and those that it holds out."""

from pathlib import Path

from workbench.contrast.contrast import Contrast
from workbench.study.config import StudyConfig


def pairs_of(config: StudyConfig, trait: str, *, held_out: bool = False) -> Contrast:
    """A trait's pairs: those that neurons are chosen on, or held-out ones, `patching_pairs` of them.

    Raises:
        FileNotFoundError, ValueError: if the study's source of pairs lacks them.
    """
    source = config.contrast
    if source == "testbed":
        n = config.patching_pairs if held_out else config.pairs
        return Contrast.testbed(trait, n=n, seed=config.seed, held_out=held_out)
    if source == "builtin":
        drawn = Contrast.builtin(trait, n=config.pairs + config.patching_pairs, seed=config.seed)
    elif Path(source).is_dir():
        split = "test" if held_out else "search"
        n = config.patching_pairs if held_out else config.pairs
        # Published with two poles; a study tests exclusivity against a third.
        return Contrast.personalitybench(source, trait, n=n, seed=config.seed, split=split).with_neutral()
    else:
        drawn = Contrast.from_table(source, trait=trait).with_neutral()
    kept, out = drawn.split(holdout=config.patching_pairs / len(drawn), seed=config.seed)
    return out if held_out else kept
