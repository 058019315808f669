"""Whether the descriptions of a contrast move a model at all: by how likely it finds statements about itself."""

from collections.abc import Mapping, Sequence

import pandas as pd

from workbench.concept.concept import Concept
from workbench.contrast.contrast import Contrast
from workbench.contrast.prompt import Prompt
from workbench.measure.paired import bootstrap_mean
from workbench.model.model import Model
from workbench.score.statements.reading import at_most, read_statements
from workbench.score.statements.scoring import high_minus_low, statement_scores

PERSONAS = 3
STATEMENTS = 20
"""Descriptions and statements of each pole that are enough to see whether anything moves, in a few seconds."""


def personas_move(
    model: Model,
    contrast: Contrast,
    concept: Concept | None = None,
    *,
    personas: int = PERSONAS,
    statements: int = STATEMENTS,
) -> str:
    """In a sentence: what high descriptions do to the likelihood of statements, high minus low, beyond low ones.

    Read from the statements of the concept, or of the built-in one that the trait is called after, under the
    contrast's first distinct system prompts of each pole, paired by statement pair.

    Raises:
        ValueError: if there are no statements of the trait, or the prompts have no descriptions.
    """
    asked = at_most(read_statements("builtin", concept or contrast.trait), statements)
    systems = {pole: _systems(rows, personas) for pole, rows in (("high", contrast.high), ("low", contrast.low))}
    if not all(systems.values()):
        raise ValueError("The prompts have no descriptions in a system prompt, so that none can be put to statements.")
    scores = {
        pole: pd.concat([high_minus_low(statement_scores(model, asked, system=one)) for one in of_pole])
        .groupby("pair")["score"]
        .mean()
        for pole, of_pole in systems.items()
    }
    shift = (scores["high"] - scores["low"]).to_numpy(float)
    found = bootstrap_mean(shift, clusters=scores["high"].index.to_numpy())
    how = "move the model" if found.low > 0 else "do not surely move the model"
    how = "move the model the wrong way" if found.high < 0 else how
    return (
        f"The personas {how}: under high descriptions, statements high in {contrast.trait} are {found.estimate:+.2f} "
        f"[{found.low:+.2f}, {found.high:+.2f}] nats per token likelier against low ones than under low descriptions "
        f"({len(shift)} pairs of statements, {len(systems['high'])} descriptions a pole)."
    )


def moved_in(tables: Mapping[str, pd.DataFrame], trait: str) -> str | None:
    """The same as a study's statements have it, of its persona prompt; None where it asked none."""
    rows = tables.get("statements_validity", pd.DataFrame(columns=["trait", "shift"]))
    rows = rows[(rows["trait"] == trait) & rows["shift"].notna()]
    if rows.empty:
        return None
    told = " and ".join(
        f"{row['shift']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}] to {row['direction']}"
        for row in rows.to_dict("records")
    )
    return f"The persona prompt moves the trait's statements by {told}, in nats per token in the intended direction."


def _systems(prompts: Sequence[Prompt], count: int) -> list[str]:
    return list(dict.fromkeys(prompt.system for prompt in prompts if prompt.system))[:count]
