"""How near a rule comes to the neurons that it does not select, as `locate` prints it."""

from collections.abc import Iterator
from contextlib import contextmanager

import workbench as wb
from workbench.cli.telling import say
from workbench.select.settings import RuleSettings
from workbench.vocabulary import BIG_FIVE

WITH_MIN_D = ("dual", "d-only")
"""The rules that ask for a min_d."""


def nearness(effects: "wb.Effects", settings: RuleSettings) -> list[str]:
    """The distribution of |d| that min_d is put to, and the largest min_d that selects; nothing for other rules."""
    if settings.rule not in WITH_MIN_D:
        return []
    above = wb.select.Above.of(effects, settings)
    return [above.distribution, above.reachable]


@contextmanager
def telling_how_near(model: "wb.Model", contrast: "wb.Contrast") -> Iterator[None]:
    """Where nothing is selected, measure whether the personas move the model, and say it in the message's last line.

    The embedded model, whose personas are known to move it, is not asked, nor is a trait without statements.
    """
    try:
        yield
    except wb.select.EmptySelectionError as error:
        from workbench.model.embedded import is_embedded
        from workbench.study.moved import personas_move

        if error.above is None or is_embedded(model) or contrast.trait not in BIG_FIVE:
            raise
        say("nothing is selected; asking whether the personas move the model at all ...")
        try:
            moved = personas_move(model, contrast)
        except ValueError as unknown:
            moved = f"Whether the personas move the model was not measured: {unknown}"
        raise error.with_moved(moved) from None
