"""Capability tasks of the embedded model, each with items that are held out of training.

Held out are the operands of a sum, the wording of a question about a country, a pair of numbers, a triple of names, or
digits to sort. A hash of the item decides whether it is held out, so that there is no pattern to learn.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
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


def draw(rng: Random, task: str, part: Part) -> Item:
    """A random item of `task` from one part: items are drawn until one belongs to it."""
    while True:
        key, item = TASKS[task](rng)
        if _held_out(f"{task}:{key}") == (part == "test"):
            return item


def items(task: str, part: Part, *, n: int, seed: int | str = 0) -> list[Item]:
    """`n` distinct items of one part of a task.

    Raises:
        ValueError: if `task` is unknown or the part holds fewer than `n` distinct items.
    """
    if task not in TASKS:
        raise ValueError(f"There is no task {task!r}. Choose one of {', '.join(TASKS)}.")
    rng = Random(f"{task} {part} {seed}")
    chosen: dict[str, Item] = {}
    for _ in range(60 * n):
        item = draw(rng, task, part)
        chosen.setdefault(item.question, item)
        if len(chosen) == n:
            return list(chosen.values())
    raise ValueError(f"The {part} part of {task} holds fewer than {n} distinct items ({len(chosen)} found).")
