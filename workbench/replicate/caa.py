"""Contrastive activation addition on its own files: multiple-choice items, and the share of answers that match."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.capture.capturing import capture
from workbench.contrast.contrast import Contrast
from workbench.contrast.prompt import Prompt
from workbench.digest import code_of, key_of
from workbench.edit.applying import edited
from workbench.edit.controls import random_direction_control
from workbench.edit.edit import Edit
from workbench.edit.making import caa_edit
from workbench.measure.effects import effect_sizes
from workbench.measure.paired import bootstrap_mean
from workbench.model.likelihood import log_likelihoods
from workbench.model.model import Model
from workbench.replicate.comparing import NotMeasured, Ours
from workbench.replicate.protocol import PaperModel, Published
from workbench.study.store import Store
from workbench.textfile import read_json
from workbench.vocabulary import RESID_POST

RANDOM = "random direction"
_STEM, _LETTERS = "(", ("A", "B")
_ANSWERS = tuple(f"{_STEM}{letter}" for letter in _LETTERS)


@dataclass(frozen=True)
class ChoiceItem:
    """A question with two lettered answers.

    Attributes:
        question: with the choices.
        matching: the letter of the answer that shows the behaviour, `A` or `B`.
    """

    question: str
    matching: str


def read_choices(path: Path) -> list[ChoiceItem]:
    """The items of a file of CAA's: a JSON list with question, answer_matching_behavior and its opposite, (A) or (B).

    Raises:
        ValueError: if it is no such list; names the row.
    """
    rows = read_json(path)
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{path.name} is a list of questions in CAA's form, but it holds none.")
    items = []
    for number, row in enumerate(rows, start=1):
        given = row if isinstance(row, dict) else {}
        question, answer = given.get("question"), str(given.get("answer_matching_behavior", "")).strip().strip("()")
        if not isinstance(question, str) or not question.strip() or answer not in _LETTERS:
            raise ValueError(
                f"{path.name}, row {number}: an item has a question and answer_matching_behavior, (A) or (B), but "
                f"{sorted(given)[:5] or type(row).__name__} arrived."
            )
        items.append(ChoiceItem(question.strip(), answer))
    return items


def behaviours(folder: Path) -> dict[str, tuple[Path, Path]]:
    """By behaviour of which both are there, the items to make a vector from and those to ask."""
    found = {}
    for made in sorted(folder.glob("generate/*/generate_dataset.json")):
        asked = folder / "test" / made.parent.name / "test_dataset_ab.json"
        if asked.is_file():
            found[made.parent.name] = (made, asked)
    return found


def layer_of(model: Model, paper_model: PaperModel | None) -> int:
    """The paper's layer, 13 of 32, or the one that is as deep."""
    return paper_model.layers[0] if paper_model is not None else round(13 * model.n_layers / 32)


def run_caa(
    model: Model,
    folder: Path,
    store: Store,
    *,
    layer: int,
    multipliers: Sequence[float],
    pairs: int,
    items: int,
    report: Callable[[str, float], None],
) -> pd.DataFrame:
    """Every item under each multiplier of its behaviour's vector, and of a random one of the same length.

    Returns:
        columns behaviour, arm (`CAA` or `RANDOM`), multiplier, item and matching: the probability of the letter that
        shows the behaviour, of both letters together, 0 to 1.
    """
    files = behaviours(folder)
    read = {name: tuple(read_choices(path) for path in both) for name, both in files.items()}
    made = {name: _vector(model, name, each[0][:pairs], layer) for name, each in read.items()}
    norms = {name: float(edit.delta(layer).norm()) for name, edit in made.items()}
    length = float(np.mean(list(norms.values())))
    frames = []
    for number, (name, edit) in enumerate(made.items()):
        scaled = replace(edit, value=edit.value * (length / norms[name]))
        asked = read[name][1][:items]
        key = key_of(
            model=model.fingerprint,
            template=model.rendering_digest,
            vector=scaled.value.tolist(),
            layer=layer,
            multipliers=list(multipliers),
            asked=[[item.question, item.matching] for item in asked],
            code=code_of("workbench.replicate.caa"),
        )

        def make(name: str = name, scaled: Edit = scaled, asked: list[ChoiceItem] = asked) -> dict[str, pd.DataFrame]:
            return {"": _asked(model, name, scaled, asked, multipliers)}

        frames.append(store.frames(f"caa/{name}", key, make)[""])
        report(f"{name}: {len(asked)} items", (number + 1) / len(made))
    return pd.concat(frames, ignore_index=True)


def matching_share(frame: pd.DataFrame, number: Published, *, resamples: int = 2000) -> Ours:
    """The mean share of the matching letter at a multiplier.

    Raises:
        NotMeasured: if the behaviour or the multiplier was not run.
    """
    rows = frame[(frame["behaviour"] == number.arm) & (frame["arm"] == "CAA")]
    if rows.empty:
        raise NotMeasured(f"there are no files of {number.arm}")
    rows = rows[np.isclose(rows["multiplier"], number.gamma if number.gamma is not None else math.nan)]
    if rows.empty:
        raise NotMeasured(f"{number.arm} was not run at {number.gamma}")
    mean = bootstrap_mean(rows["matching"].to_numpy(), clusters=rows["item"].tolist(), resamples=resamples)
    return Ours(mean.estimate, mean.low, mean.high, mean.n)


def beyond_random(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """What the paper lacks: how far each vector moves the share, and how far a random one of the same length does.

    Returns:
        columns behaviour, arm, shift (share at the greatest multiplier minus that at the least, percentage points),
        low, high, n.
    """
    table = []
    most, least = frame["multiplier"].max(), frame["multiplier"].min()
    for (behaviour, arm), rows in frame.groupby(["behaviour", "arm"], sort=False):
        wide = rows.pivot_table(index="item", columns="multiplier", values="matching")
        shift = 100 * (wide[most] - wide[least])
        mean = bootstrap_mean(shift.to_numpy(), clusters=list(wide.index), resamples=resamples)
        table.append({"behaviour": behaviour, "arm": arm, "shift": mean.estimate, "low": mean.low, "high": mean.high})
        table[-1]["n"] = mean.n
    return pd.DataFrame(table)


def _vector(model: Model, behaviour: str, items: Sequence[ChoiceItem], layer: int) -> Edit:
    """The mean difference at the token of the answer's letter, which is the last of "(A" and of "(B"."""
    prompts = tuple(Prompt(item.question) for item in items)
    matching = [f"{_STEM}{item.matching}" for item in items]
    other = [f"{_STEM}{'B' if item.matching == 'A' else 'A'}" for item in items]
    contrast = Contrast(behaviour, prompts, prompts).with_responses(high=matching, low=other)

    def mask(tokens: Sequence[int]) -> list[bool]:
        return [position == len(tokens) - 1 for position in range(len(tokens))]

    effects = effect_sizes(capture(model, contrast, site=RESID_POST, layers=(layer,), position=mask, pooled=False))
    return caa_edit(effects, layers=(layer,))


def _asked(
    model: Model, behaviour: str, vector: Edit, items: Sequence[ChoiceItem], multipliers: Sequence[float]
) -> pd.DataFrame:
    arms: Mapping[str, Edit] = {"CAA": vector, RANDOM: random_direction_control(vector, seed=0)}
    prompts = model.tokens([Prompt(item.question) for item in items])
    answers = model.answer_tokens(_ANSWERS)
    rows = []
    for arm, edit in arms.items():
        for multiplier in multipliers:
            with edited(model, edit.with_gamma(multiplier), scope="generated"):
                logs = log_likelihoods(model, prompts, [answers] * len(prompts))
            for item, pair in zip(items, logs, strict=True):
                total = np.array([float(log.double().sum()) for log in pair])
                share = np.exp(total - np.logaddexp.reduce(total))[_LETTERS.index(item.matching)]
                labels = {"behaviour": behaviour, "arm": arm, "multiplier": multiplier, "item": item.question}
                rows.append(labels | {"matching": float(share)})
    return pd.DataFrame(rows)
