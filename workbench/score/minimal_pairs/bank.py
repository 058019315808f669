"""The built-in minimal pairs: facts, grammar, arithmetic and common sense."""

import json
from functools import cache
from importlib.resources import files

from workbench.score.minimal_pairs.pair import MinimalPair

KINDS = ("facts", "grammar", "arithmetic", "common sense")


@cache
def builtin_minimal_pairs() -> tuple[MinimalPair, ...]:
    """64 pairs of each kind, in the order of `KINDS`, written for this package.

    Pairs come in twos that are one group: what is right in one is wrong in the other ("The capital of France is
    {Paris|Madrid}.", "The capital of Spain is {Madrid|Paris}."). So each word ends as many right sentences as wrong
    ones, both sides are equally long on average, and no preference for a word tells them apart.
    """
    pairs = []
    for kind in KINDS:
        path = files("workbench.score.minimal_pairs") / "bank" / f"{kind.replace(' ', '_')}.json"
        for number, twins in enumerate(json.loads(path.read_text(encoding="utf-8"))["pairs"]):
            pairs += [_pair(text, kind, f"{kind} {number}") for text in twins]
    return tuple(pairs)


def _pair(text: str, kind: str, group: str) -> MinimalPair:
    """The pair that a line of the bank stands for, e.g. `The capital of France is {Paris|Madrid}.`"""
    before, _, rest = text.partition("{")
    words, _, after = rest.partition("}")
    good, _, bad = words.partition("|")
    return MinimalPair(before + good + after, before + bad + after, kind, group)
