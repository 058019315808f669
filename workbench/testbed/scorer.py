"""Score the embedded model's answers by the grammar that taught it."""

import re
from collections import Counter
from dataclasses import dataclass

from workbench.testbed import lexicon
from workbench.testbed.lexicon import TRAITS

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_CLAUSE = re.compile(r"(?:At the [a-z]+(?: [a-z]+)? )?I (?P<clause>[^.!?]+)\.")

LONGEST = 3
"""Clauses of the grammar's longest answer."""

CLAUSES = 2 * LONGEST
"""The most clauses that count: an answer with more is far longer than any of the grammar's."""

SAID = 2
"""How often a phrase may be said, each time with another adverb."""

WORDS = 13
"""Words of the grammar's longest sentence."""

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


@dataclass(frozen=True)
class _Reading:
    """An answer read by the grammar.

    Attributes:
        clauses: (trait, level) of each clause that counts, in order.
        repeated: the trait of each clause that does not: it stands in the answer already, says a phrase for the third
            time, or comes after `CLAUSES` others.
        openers: how many sentences are openers that count: one at most, at the start of an answer with a clause.
        unread: how many sentences are anything else; a long one counts once for every `WORDS` words begun.
        cut_off: whether the last of those may be a clause that a limit of tokens cut off: begun as one, short, without
            an end.
    """

    clauses: tuple[tuple[str, int], ...]
    repeated: tuple[str, ...]
    openers: int
    unread: int
    cut_off: bool


def _reading(text: str) -> _Reading:
    sentences = _sentences(text)
    clauses: list[tuple[str, int]] = []
    repeated: list[str] = []
    said: Counter[str] = Counter()
    unread = 0
    for sentence in sentences:
        clause = _read(sentence)
        if clause is None:
            unread += -(-len(sentence.split()) // WORDS)
            continue
        words, phrase = _said(sentence)
        if words in said or said[phrase] == SAID or len(clauses) == CLAUSES:
            repeated.append(clause[0])
        else:
            clauses.append(clause)
            said.update({words, phrase})
    openers = int(bool(clauses) and sentences[0] in _OPENERS)
    last = sentences[-1] if sentences else ""
    cut_off = last[-1:] not in (".", "!", "?") and last.split()[:1] in (["I"], ["At"]) and len(last.split()) <= WORDS
    return _Reading(tuple(clauses), tuple(repeated), openers, unread - openers, cut_off)


def _said(sentence: str) -> tuple[str, str]:
    """A clause without its topic, and without its adverb too: its phrase or adjectives."""
    match = _CLAUSE.fullmatch(sentence)
    assert match is not None
    words = match["clause"]
    return words, words.removeprefix("am ").partition(" ")[2]


def trait_score(text: str, trait: str) -> float | None:
    """How much an answer shows of a trait.

    A clause that stands in the answer already is no more evidence. Where an answer is longer than the grammar's
    longest, each sentence too many that shows no level, as it repeats a clause about the trait or cannot be read,
    counts as one at level 0: a loop or nonsense does not keep the score of its first clause. Text without stops counts
    by its length. Openers, clauses about other traits, and a last sentence that was cut off are left out.

    Returns:
        3 plus the mean level: 1 (low pole, always) to 5 (high pole, always). None where no clause is about the trait.

    Example:
        >>> trait_score("I can hardly wait! I always talk to everyone. I often arrive late.", "Extraversion")
        5.0
        >>> round(trait_score(12 * "I always talk to everyone. ", "Extraversion"), 2)
        3.2
    """
    reading = _reading(text)
    levels = [level for about, level in reading.clauses if about == trait]
    if not levels:
        return None
    unread = reading.unread - reading.cut_off
    too_many = max(len(reading.clauses) + len(reading.repeated) + unread - LONGEST, 0)
    return 3 + sum(levels) / (len(levels) + min(reading.repeated.count(trait) + unread, too_many))


def wellformed(text: str) -> float:
    """Share of an answer's sentences that follow the grammar, about any trait; 0 for a text without a clause.

    An opener follows it where it stands first. A clause follows it once, and a phrase with two adverbs
    at most. Of more than `CLAUSES` clauses the others do not follow it, and text without stops counts by its length.
    """
    reading = _reading(text)
    if not reading.clauses:
        return 0.0
    formed = len(reading.clauses) + reading.openers
    return formed / (formed + len(reading.repeated) + reading.unread)
