"""Score the embedded model's answers by the grammar that taught it."""

import re

from workbench.testbed import lexicon
from workbench.testbed.lexicon import TRAITS

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_CLAUSE = re.compile(r"(?:At the [a-z]+(?: [a-z]+)? )?I (?P<clause>[^.!?]+)\.")

_PHRASE_ADVERBS = {word: strength for strength, words in lexicon.PHRASE_ADVERBS.items() for word in words}
_ADJECTIVE_ADVERBS = {word: strength for strength, words in lexicon.ADJECTIVE_ADVERBS.items() for word in words}
_SIGN = {"high": 1, "low": -1}
_PHRASES: dict[str, tuple[str, int]] = {
    **{p: (trait, _SIGN[pole]) for trait, w in TRAITS.items() for pole in _SIGN for p in w.pole(pole).phrases},
    **{phrase: (trait, 0) for trait, words in TRAITS.items() for phrase in words.middle},
}
_ADJECTIVES: dict[str, tuple[str, int]] = {
    a: (trait, _SIGN[pole]) for trait, w in TRAITS.items() for pole in _SIGN for a in w.pole(pole).adjectives
}
_OPENERS = {o for w in TRAITS.values() for pole in _SIGN for o in w.pole(pole).openers} | set(lexicon.UNDECIDED_OPENERS)


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in _SENTENCE_END.split(text.strip()) if sentence]


def _read(sentence: str) -> tuple[str, int] | None:
    """(trait, level from -2 to 2) of a clause that follows the grammar; None for any other text."""
    match = _CLAUSE.fullmatch(sentence)
    if match is None:
        return None
    first, _, rest = match["clause"].partition(" ")
    if first == "am":
        words = rest.split(" ")
        if len(words) == 2 and words[0] in _ADJECTIVE_ADVERBS and words[1] in _ADJECTIVES:
            trait, sign = _ADJECTIVES[words[1]]
            return trait, sign * _ADJECTIVE_ADVERBS[words[0]]
        if len(words) == 4 and (words[0], words[2]) == ("neither", "nor"):
            high, low = _ADJECTIVES.get(words[1]), _ADJECTIVES.get(words[3])
            if high and low and high[0] == low[0] and (high[1], low[1]) == (1, -1):
                return high[0], 0
        return None
    if first in _PHRASE_ADVERBS and rest in _PHRASES:
        trait, sign = _PHRASES[rest]
        # "sometimes" with a phrase of a pole counts as mild: the grammar never uses such a phrase at level 0.
        return trait, sign * max(_PHRASE_ADVERBS[first], 1)
    return None


def trait_score(text: str, trait: str) -> float | None:
    """How much an answer shows of a trait.

    Returns:
        3 plus the mean level of the clauses about `trait`: 1 (low pole, always) to 5 (high pole, always). None where
        no clause is about the trait. Openers are not scored.

    Example:
        >>> trait_score("I can hardly wait! I always talk to everyone. I often arrive late.", "Extraversion")
        5.0
    """
    read = (_read(sentence) for sentence in _sentences(text))
    levels = [level for about, level in filter(None, read) if about == trait]
    return 3 + sum(levels) / len(levels) if levels else None


def wellformed(text: str) -> float:
    """Share of an answer's sentences that follow the grammar, about any trait; 0 for an empty text."""
    sentences = _sentences(text)
    if not sentences:
        return 0.0
    return sum(sentence in _OPENERS or _read(sentence) is not None for sentence in sentences) / len(sentences)
