"""Where contrasts come from: the embedded model's bank, the built-in Big Five bank, PersonalityBench files."""

import json
from importlib.resources import files
from pathlib import Path
from random import Random

from workbench.contrast.contrast import Contrast
from workbench.contrast.prompt import Prompt
from workbench.testbed import grammar, lexicon
from workbench.vocabulary import Pole, big_five


def testbed_contrast(trait: str, *, n: int, seed: int, held_out: bool) -> Contrast:
    """See `Contrast.testbed`."""
    trait = big_five(trait)
    rng = Random(f"{trait} {seed} {held_out}")
    asked = grammar.questions(trait, "test" if held_out else "train")
    questions = [rng.choice(asked) for _ in range(n)]
    systems = {
        Pole.HIGH: [grammar.persona(rng, trait, "high", held_out=held_out) for _ in range(n)],
        Pole.LOW: [grammar.persona(rng, trait, "low", held_out=held_out) for _ in range(n)],
        Pole.NEUTRAL: [rng.choice(lexicon.NEUTRAL_PERSONAS) for _ in range(n)],
    }
    return _assemble(trait, questions, systems, systems, source="testbed")


def read_bank(trait: str) -> dict:
    """The built-in bank of one trait, as its JSON file has it."""
    path = files("workbench.contrast") / "bank" / f"{trait.lower()}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def builtin_contrast(trait: str, *, n: int, seed: int) -> Contrast:
    """See `Contrast.builtin`: questions in shuffled rounds, so that each is used before any is used again."""
    trait = big_five(trait)
    bank, neutral = read_bank(trait), read_bank("neutral")["descriptions"]
    rng = Random(f"{trait} {seed}")
    high, low = bank["descriptions"]["high"], bank["descriptions"]["low"]
    asked = [question["text"] for question in bank["questions"]]
    questions = [question for _ in range(-(-n // len(asked))) for question in rng.sample(asked, len(asked))][:n]
    pairs = [rng.randrange(len(high)) for _ in range(n)]
    plain = [rng.randrange(len(neutral)) for _ in range(n)]
    systems = {
        Pole.HIGH: [high[i]["text"] for i in pairs],
        Pole.LOW: [low[i]["text"] for i in pairs],
        Pole.NEUTRAL: [neutral[i]["text"] for i in plain],
    }
    return _assemble(trait, questions, systems, systems, source="builtin")


def read_json_lines(path: Path) -> list[dict]:
    """The objects of a JSON-lines file; empty lines are passed over.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the line that is not a JSON object.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path.name}, line {number} is not JSON: {error.msg}.") from None
        if not isinstance(row, dict):
            raise ValueError(f"{path.name}, line {number} holds a {type(row).__name__}, not an object.")
        rows.append(row)
    return rows


def personalitybench_contrast(folder: Path, trait: str, *, n: int, seed: int, split: str) -> Contrast:
    """See `Contrast.personalitybench`."""
    trait = big_five(trait)
    descriptions = read_json_lines(folder / "description.json")
    asked = read_json_lines(folder / split / f"{trait}.json")
    columns = {Pole.HIGH: trait, Pole.LOW: f"{trait}_reversed"}
    for rows, wanted, name in ((descriptions, columns.values(), "description.json"), (asked, ["question"], split)):
        for number, row in enumerate(rows, start=1):
            missing = [key for key in wanted if not row.get(key)]
            if missing:
                raise ValueError(f"{name}, row {number} lacks {missing}; it has {sorted(row)}.")
    if not descriptions or not asked:
        raise ValueError(f"PersonalityBench needs descriptions and questions; {folder} holds an empty file.")
    rng = Random(seed)
    order = list(range(len(asked)))
    questions = [asked[i]["question"] for _ in range(-(-n // len(order))) for i in rng.sample(order, len(order))][:n]
    drawn = {pole: [rng.randrange(len(descriptions)) for _ in questions] for pole in columns}
    systems = {pole: [descriptions[i][columns[pole]] for i in drawn[pole]] for pole in columns}
    ids = {pole: [str(i) for i in drawn[pole]] for pole in columns}
    return _assemble(trait, questions, systems, ids, source=f"PersonalityBench {split}")


def _assemble(
    trait: str,
    questions: list[str],
    systems: dict[Pole, list[str]],
    ids: dict[Pole, list[str]],
    *,
    source: str,
) -> Contrast:
    prompts = {
        pole: tuple(Prompt(question, system) for question, system in zip(questions, texts, strict=True))
        for pole, texts in systems.items()
    }
    return Contrast(
        trait,
        prompts[Pole.HIGH],
        prompts[Pole.LOW],
        prompts.get(Pole.NEUTRAL),
        questions=tuple(questions),
        descriptions={pole: tuple(texts) for pole, texts in ids.items()},
        source=source,
    )
