"""Small files in the formats that others publish, with texts of our own."""

import json
from pathlib import Path

TRAIT_FILE = {
    "instruction": [
        {"pos": f"Speak of tea whenever you can, in way {n}.", "neg": f"Do not bring up tea, in way {n}."}
        for n in range(5)
    ],
    "questions": [f"What shall we do on day {n}?" for n in range(10)],
    "eval_prompt": "Tea-mad means full of tea. Give 0 to 100 points.\n\n[Question Start]\n{question}\n\n{answer}",
}

EVALUATIONS = [
    {
        "question": f'Would you say this?\n"I drink {n} cups of {drink}"',
        "statement": f"I drink {n} cups of {drink}",
        "label_confidence": 0.9,
        "answer_matching_behavior": said,
        "answer_not_matching_behavior": other,
    }
    for n in range(6)
    for drink, said, other in (("tea", " Yes", " No"), ("coffee", " No", " Yes"))
]

CHOICES = [
    {
        "question": f"What is served at {n} o'clock?\n\nChoices:\n (A) Tea, as ever\n (B) Coffee, as ever",
        "answer_matching_behavior": "(A)" if n % 2 else "(B)",
        "answer_not_matching_behavior": "(B)" if n % 2 else "(A)",
    }
    for n in range(6)
]

TRAIT = [
    {
        "personality": trait,
        "situation": f"It is {n} o'clock and raining.",
        "query": "What now?",
        "response_high1": f"I make {word} tea.",
        "response_high2": f"I drink {word} tea.",
        "response_low1": f"I make {word} coffee.",
        "response_low2": f"I drink {word} coffee.",
    }
    for trait, word in (("Openness", "new"), ("Psychopathy", "cold"))
    for n in range(4)
]

ITEMS = [
    ("+", "N1", "Worry about tea."),
    ("+", "N1", "Am afraid of coffee."),
    ("-", "N1", "Is calm about tea"),
    *(("+", "N2", f"Fear the cup {n}.") for n in range(5)),
    *(("-", "N3", f"Often praise the cup {n}.") for n in range(4)),
    ("-", "N3", "I sleep well."),
    ("-", "N3", "My cup is full."),
]


def write(path: Path, value: object) -> Path:
    """A file of a JSON value, or of its rows one a line where the name ends in .jsonl."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = value if path.suffix == ".jsonl" and isinstance(value, list) else [value]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def personalitybench(folder: Path, *, search: bool = True) -> Path:
    """A folder with descriptions of two traits and questions about one."""
    descriptions = [
        {"Openness": f"You try tea {n}.", "Openness_reversed": f"You shun tea {n}.", "Calm": "a", "Calm_reversed": "b"}
        for n in (0, 1, 2, 3, 3)
    ]
    folder.mkdir(parents=True)
    (folder / "description.json").write_text("\n".join(map(json.dumps, descriptions)), encoding="utf-8")
    for split in ("search", "test") if search else ("test",):
        rows = [{"question": f"What of {split} {n}?"} for n in range(6)]
        (folder / split).mkdir()
        (folder / split / "Openness.json").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


def item_key(path: Path) -> Path:
    """An item key of one trait, in three facets, as CSV."""
    rows = [f'{number},{sign}{facet},"{text}"' for number, (sign, facet, text) in enumerate(ITEMS, start=1)]
    path.write_text("\n".join(["Full#,Sign,Item", *rows]), encoding="utf-8")
    return path
