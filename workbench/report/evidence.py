"""Which figures and tables show what a verdict rests on."""

from collections.abc import Collection

EVIDENCE = {
    "The selected neurons move the trait": ("dose-curves", "arms-at-equal-dose", "table-shifts", "table-equal-dose"),
    "They do so better than controls": ("against-controls", "table-against-controls"),
    "At an equal trait shift": (
        *("trait-against-wellformed", "cost-by-breadth", "table-equal-shift", "table-equal-shift-by-dose"),
    ),
    "At an equal loss": ("trait-against-wellformed", "table-equal-loss"),
    "Capability is kept": ("trait-against-capability", "capability-retention", "table-capability-tests"),
    "The edit leaves the other traits alone": ("specificity", "table-specificity"),
    "The selected neurons carry the persona's effect": ("patching-by-layer", "table-patching-verdict"),
    "The effect-size criterion adds": ("magnitude-against-d", "threshold-sweep", "table-selection"),
    "The selection is more than chance": ("null-distribution", "table-null"),
    "Other descriptions would have chosen": ("stability", "table-stability"),
    "A trait's poles use different neurons": ("exclusivity", "table-exclusivity"),
    "A trait's neurons are its own": ("trait-overlap", "table-trait-overlap"),
}
"""Ids of figures and tables by the words that a claim begins with."""


def evidence_of(claim: str, there: Collection[str]) -> tuple[str, ...]:
    """The figures and tables behind a claim, of those that a page holds."""
    shown = next((ids for words, ids in EVIDENCE.items() if claim.startswith(words)), ())
    return tuple(each for each in shown if each in there)
