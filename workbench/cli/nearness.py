"""How near a rule comes to the neurons that it does not select, as `locate` prints it."""

from collections.abc import Iterator
from contextlib import contextmanager

import workbench as wb
from workbench.cli.telling import say
from workbench.concept.concept import Concept
from workbench.concept.named import concept_of, names_a_file
from workbench.concept.packaged import BUILT_IN
from workbench.select.settings import RuleSettings

WITH_MIN_D = ("dual", "d-only")
"""The rules that ask for a min_d."""


def nearness(effects: "wb.Effects", settings: RuleSettings) -> list[str]:
    """The distribution of |d| that min_d is put to, and the largest min_d that selects; nothing for other rules."""
    if settings.rule not in WITH_MIN_D:
        return []
    above = wb.select.Above.of(effects, settings)
    return [above.distribution, above.reachable]


@contextmanager
def telling_how_near(model: "wb.Model", contrast: "wb.Contrast", trait: str | None = None) -> Iterator[None]:
    """Where nothing is selected, measure whether the personas move the model, and say it in the message's last line.

    The embedded model, whose personas are known to move it, is not asked, nor is a trait without statements.

    Args:
        trait: what was asked for, where that is a concept; else the contrast's own trait may be a built-in one.
    """
    try:
        yield
    except wb.select.EmptySelectionError as error:
        from workbench.model.embedded import is_embedded
        from workbench.study.moved import personas_move

        concept = _concept(trait if trait and names_a_file(trait) else contrast.trait)
        if error.above is None or is_embedded(model) or concept is None or not concept.statements:
            raise
        say("nothing is selected; asking whether the personas move the model at all ...")
        try:
            moved = personas_move(model, contrast, concept)
        except ValueError as unknown:
            moved = f"Whether the personas move the model was not measured: {unknown}"
        raise error.with_moved(moved) from None


def _concept(trait: str) -> Concept | None:
    """The concept that is called so, or in this file; None for a trait of a table's own."""
    return concept_of(trait) if trait in BUILT_IN or names_a_file(trait) else None
