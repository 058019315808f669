"""Capability tasks of the embedded model, each with items that are held out of training.

A hash of the item decides whether it is held out of training, so that there is no pattern to learn. The test part has
the held-out items whose mirror image is held out too, as training on 23 + 4 teaches 4 + 23:

- arithmetic: the operands of a sum, in both orders; of a difference, which has no mirror image. That 27 - 23 is 4 may
  still be trained.
- comparison: a pair of numbers, in both orders, with either word.
- facts: the wording of a question about a country. The fact itself is trained in other wordings.
- logic: a chain of three names in this order, in every relation, order of premises and question.
- sorting: four digits in this order, to sort and to repeat. The same digits are trained in other orders.

An item that is held out while its mirror image is trained belongs to neither part.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from random import Random
from typing import Literal

from workbench.testbed.lexicon import NAMES

Part = Literal["train", "test"]
HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class Item:
    """One question of a capability task and its only right answer."""

    task: str
    question: str
    answer: str

    def correct(self, text: str) -> bool:
        """Whether `text` equals the answer, without spaces around it."""
        return text.strip() == self.answer


def _held_out(key: str, share: float = HELD_OUT_SHARE) -> bool:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) < share * 2**32


def _made_up_names(rng: Random, count: int, starts: str, ends: str) -> list[str]:
    names: set[str] = set()
    while len(names) < count:
        names.add((rng.choice(starts.split()) + rng.choice(ends.split())).capitalize())
    return sorted(names)


_world = Random(12345)
COUNTRIES = _made_up_names(
    _world,
    100,
    "zan bel kor mir tal ven dor lus pra gol fen har",
    "dia mark land via tor rin sea wick nia gard holm",
)
CITIES = _made_up_names(_world, 50, "ar bo ce du el fi ga ho ix", "ban ton lis mar nek pol ville")
COLORS = ("red", "blue", "green", "yellow", "black", "white", "purple", "orange")
CAPITAL = {country: _world.choice(CITIES) for country in COUNTRIES}
FLAG = {country: _world.choice(COLORS).capitalize() for country in COUNTRIES}

_CAPITAL_WORDINGS = ("What is the capital of {}?", "Name the capital of {}.", "Which city is the capital of {}?")
_FLAG_WORDINGS = (
    "What color is the flag of {}?",
    "Name the color of the flag of {}.",
    "Which color has the flag of {}?",
)
_RELATIONS = (("taller", "tallest", "shortest"), ("older", "oldest", "youngest"), ("faster", "fastest", "slowest"))


def _arithmetic(rng: Random) -> tuple[str, Item]:
    if rng.random() < 0.5:
        total = rng.randint(0, 99)
        a = rng.randint(0, total)
        return f"{a}+{total - a}", Item("arithmetic", f"What is {a} + {total - a}?", str(total))
    a = rng.randint(0, 99)
    b = rng.randint(0, a)
    return f"{a}-{b}", Item("arithmetic", f"What is {a} - {b}?", str(a - b))


def _facts(rng: Random) -> tuple[str, Item]:
    country, wording = rng.choice(COUNTRIES), rng.randrange(3)
    wordings, fact = rng.choice([(_CAPITAL_WORDINGS, CAPITAL), (_FLAG_WORDINGS, FLAG)])
    question = wordings[wording].format(country)
    return question, Item("facts", question, fact[country])


def _comparison(rng: Random) -> tuple[str, Item]:
    a, b = rng.sample(range(100), 2)
    word, right = rng.choice([("larger", max(a, b)), ("smaller", min(a, b))])
    return f"{a}?{b}", Item("comparison", f"Which is {word}, {a} or {b}?", str(right))


def _logic(rng: Random) -> tuple[str, Item]:
    a, b, c = rng.sample(NAMES, 3)
    comparative, most, least = rng.choice(_RELATIONS)
    premises = [f"{a} is {comparative} than {b}.", f"{b} is {comparative} than {c}."]
    rng.shuffle(premises)
    asked, right = rng.choice([(most, a), (least, c)])
    return f"{a}>{b}>{c}", Item("logic", f"{' '.join(premises)} Who is the {asked}?", right)


def _sorting(rng: Random) -> tuple[str, Item]:
    digits = rng.sample(range(10), 4)
    listed = " ".join(map(str, digits))
    if rng.random() < 0.6:
        return listed, Item("sorting", f"Sort these numbers: {listed}", " ".join(map(str, sorted(digits))))
    return listed, Item("sorting", f"Repeat these numbers: {listed}", listed)


TASKS: dict[str, Callable[[Random], tuple[str, Item]]] = {
    "arithmetic": _arithmetic,
    "facts": _facts,
    "comparison": _comparison,
    "logic": _logic,
    "sorting": _sorting,
}


_WORDINGS_OF_A_KEY = {"arithmetic": 1, "facts": 1, "comparison": 2, "logic": len(_RELATIONS) * 2 * 2, "sorting": 2}
"""How many questions share a key, so that they are held out together."""

_OPERATOR = re.compile(r"(?P<a>[0-9]+)(?P<operator>[-+?])(?P<b>[0-9]+)")


def _keys(task: str) -> Iterator[str]:
    """Every key of a task."""
    if task == "arithmetic":
        yield from (f"{a}+{total - a}" for total in range(100) for a in range(total + 1))
        yield from (f"{a}-{b}" for a in range(100) for b in range(a + 1))
    elif task == "facts":
        wordings = (*_CAPITAL_WORDINGS, *_FLAG_WORDINGS)
        yield from (wording.format(country) for wording in wordings for country in COUNTRIES)
    elif task == "comparison":
        yield from (f"{a}?{b}" for a, b in permutations(range(100), 2))
    elif task == "logic":
        yield from (">".join(names) for names in permutations(NAMES, 3))
    else:
        yield from (" ".join(map(str, digits)) for digits in permutations(range(10), 4))


def _mirrored(key: str) -> str:
    """The key of the question that asks the same with the operands swapped; the key itself where there is none."""
    match = _OPERATOR.fullmatch(key)
    if match is None or match["operator"] == "-":
        return key
    return f"{match['b']}{match['operator']}{match['a']}"


def _belongs(task: str, key: str, part: Part) -> bool:
    held_out = _held_out(f"{task}:{key}")
    return not held_out if part == "train" else held_out and _held_out(f"{task}:{_mirrored(key)}")


@cache
def held_out_count(task: str) -> int:
    """How many distinct items the test part of a task holds.

    Raises:
        ValueError: if `task` is unknown.
    """
    _check(task)
    return sum(_belongs(task, key, "test") for key in _keys(task)) * _WORDINGS_OF_A_KEY[task]


def draw(rng: Random, task: str, part: Part) -> Item:
    """A random item of `task` from one part: items are drawn until one belongs to it.

    Sums are as frequent in one part as in the other, although fewer of them than of differences can be held out.
    """
    key, item = TASKS[task](rng)
    is_sum = "+" in key
    while not _belongs(task, key, part) or (part == "test" and ("+" in key) != is_sum):
        key, item = TASKS[task](rng)
    return item


def items(task: str, part: Part, *, n: int, seed: int | str = 0) -> list[Item]:
    """`n` distinct items of one part of a task.

    Raises:
        ValueError: if `task` is unknown or the part holds fewer than `n` distinct items.
    """
    _check(task)
    if part == "test" and n > held_out_count(task):
        raise ValueError(
            f"The test part of {task} holds {held_out_count(task)} distinct items, which are held out of training "
            f"together with their mirror images, but {n} were asked for. Ask for fewer."
        )
    rng = Random(f"{task} {part} {seed}")
    chosen: dict[str, Item] = {}
    for _ in range(60 * n):
        item = draw(rng, task, part)
        chosen.setdefault(item.question, item)
        if len(chosen) == n:
            return list(chosen.values())
    raise ValueError(f"The {part} part of {task} holds fewer than {n} distinct items ({len(chosen)} found).")


def _check(task: str) -> None:
    if task not in TASKS:
        raise ValueError(f"There is no task {task!r}. Choose one of {', '.join(TASKS)}.")
