"""Open answers judged: each distinct one once, in a random order, by judges that see question and answer alone."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
import pandas as pd

from workbench.score.judge.journal import Journal
from workbench.score.judge.protocol import STATUSES, Asked, Judge, judgement_key
from workbench.score.judge.rubric import BIG_FIVE_RUBRICS, FLUENCY, Rubric

ALL_JUDGES = "judge"
"""What the means over judges are called after; no judge may be called so."""
QUANTITIES = ("score", "fluency")

Judges = Judge | Sequence[Judge]
Rubrics = Mapping[str, Rubric]


def judge_answers(
    frame: pd.DataFrame,
    judges: Judges,
    *,
    folder: str | Path,
    rubrics: Rubrics | None = None,
    seed: int = 0,
    on_failure: Literal["raise", "missing"] = "raise",
    progress: Callable[[str, float], None] | None = None,
) -> pd.DataFrame:
    """The rows with every judge's ratings of the trait that each answer should show, and of its fluency.

    Trait and fluency are asked for apart. A judge gets the question, the answer and a rubric: never the arm, the
    dose or the direction. Equal questions and answers are judged once and share their ratings; what is to be judged
    is shuffled over all rows. Every request and reply is kept in the folder as it comes, and a second run asks for
    nothing that is there, whichever frame it belongs to.

    Args:
        frame: columns question, answer and trait, or measured where an answer is about another trait than the
            edited one. Other columns are left as they are and shown to nobody.
        folder: where judgements are kept; one folder serves any number of frames, judges and rubrics.
        rubrics: a rubric for each trait; by default those of the Big Five.
        seed: of the order in which answers are judged.
        on_failure: whether requests that got no reply at all stop the run, once all others are done, or leave their
            ratings missing until a later run.
        progress: called with what is being done and the share of it that is done.

    Returns:
        The rows with, for each judge, `NAME_score` (the trait, 1 to 5, towards its high pole) and `NAME_fluency` (1
        to 5), missing where there is no rating; `NAME_score_status` and `NAME_fluency_status`, which say why
        (`rated`, `unparsed`, `refused`, `failed`); and for judges that tell it `NAME_score_mass` and
        `NAME_fluency_mass` (0 to 1, probability of saying any rating). Then `judge_score` and `judge_fluency`: the
        mean over the judges, missing where any of them has no rating.

    Raises:
        ValueError: if columns, an answer's text, a rubric or a judge are missing, two judges have one name, or a
            kept judgement is not as it was written.
        RuntimeError: if requests got no reply and `on_failure` is `raise`; or another run writes to the folder.
        ConnectionError, PermissionError: as a judge raises them.
    """
    several = as_judges(judges)
    wanted = wanted_ratings(frame, rubrics)
    journal, columns, failed = Journal(Path(folder)), {}, []
    for place, judge in enumerate(several):

        def report(share: float, place: int = place, judge: Judge = judge) -> None:
            if progress is not None:
                progress(f"{judge.name}: judging", (place + share) / len(several))

        found, errors = _judged(judge, wanted, journal, seed, report)
        columns |= _columns(judge, wanted, found)
        failed += [(judge, error) for error in errors]
    if failed and on_failure == "raise":
        judge, error = failed[-1]
        raise RuntimeError(
            f"{len(failed)} requests got no reply, the last from {judge.name}: {error}. What was judged is kept in "
            f"{folder}; run again to ask for the rest, or leave it missing with on_failure='missing'."
        )
    for quantity in QUANTITIES:
        own = np.column_stack([columns[f"{judge.name}_{quantity}"] for judge in several])
        columns[f"{ALL_JUDGES}_{quantity}"] = own.mean(axis=1)
    new = pd.DataFrame(columns, index=frame.index)
    return pd.concat([frame.drop(columns=[name for name in new if name in frame]), new], axis=1)


def judgement_counts(frame: pd.DataFrame, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """How many answers each judge could and could not rate.

    Args:
        frame: as `judge_answers` returns it.
        by: columns within which to count, e.g. arm, as ratings that are missing more often in one arm mislead.

    Returns:
        Columns judge, quantity (`score` or `fluency`), those of `by`, answers, and of them rated, unparsed, refused,
        failed.

    Raises:
        ValueError: if no answer in the frame was judged.
    """
    ends = {f"_{quantity}_status": quantity for quantity in QUANTITIES}
    found = []
    for column in frame.columns:
        end = next((end for end in ends if str(column).endswith(end)), None)
        if end is None:
            continue
        groups = frame.groupby(list(by), sort=False) if by else [((), frame)]
        for labels, rows in groups:
            counts = rows[column].value_counts()
            found.append(
                {"judge": str(column).removesuffix(end), "quantity": ends[end]}
                | dict(zip(by, labels, strict=True))
                | {"answers": len(rows)}
                | {status: int(counts.get(status, 0)) for status in STATUSES}
            )
    if not found:
        raise ValueError("judgement_counts needs columns that judge_answers adds, e.g. NAME_score_status; none came.")
    return pd.DataFrame(found)


def as_judges(judges: Judges) -> list[Judge]:
    """The judges as a list, told apart by their names.

    Raises:
        ValueError: if there is none, or two have one name.
    """
    several = list(judges) if isinstance(judges, Sequence) else [judges]
    names = [judge.name for judge in several]
    if not names or len(set(names)) < len(names) or ALL_JUDGES in names:
        raise ValueError(
            f"Judges need names of their own, other than {ALL_JUDGES!r}, but {names} arrived. Give each a name=."
        )
    return several


def wanted_ratings(frame: pd.DataFrame, rubrics: Rubrics | None) -> dict[str, list[Asked]]:
    """By quantity, what is asked about each row.

    Raises:
        ValueError: if columns, texts or rubrics are missing.
    """
    trait = "measured" if "measured" in frame.columns else "trait"
    missing = [name for name in ("question", "answer", trait) if name not in frame.columns]
    if missing:
        raise ValueError(f"judge_answers needs columns question, answer, trait; missing {missing}.")
    for name in ("question", "answer"):
        odd = [value for value in frame[name] if not isinstance(value, str)]
        if odd:
            raise ValueError(f"Every {name} is a text, but {len(odd)} are not, e.g. {odd[0]!r}. Leave those rows out.")
    known = BIG_FIVE_RUBRICS if rubrics is None else rubrics
    lacking = sorted({str(name) for name in frame[trait] if name not in known})
    if lacking:
        raise ValueError(
            f"Each trait needs a rubric, but {', '.join(lacking)} came without. Describe the poles: "
            "rubrics={name: trait_rubric(name, high=..., low=...)}."
        )
    rows = list(zip(frame["question"], frame["answer"], frame[trait], strict=True))
    return {
        "score": [Asked(question, answer, known[name]) for question, answer, name in rows],
        "fluency": [Asked(question, answer, FLUENCY) for question, answer, _ in rows],
    }


def keyed(judge: Judge, wanted: Mapping[str, Sequence[Asked]]) -> dict[str, Asked]:
    """Each distinct rating that is wanted, by its key."""
    distinct = dict.fromkeys(asked for several in wanted.values() for asked in several)
    return {judgement_key(judge, asked): asked for asked in distinct}


def _judged(
    judge: Judge, wanted: Mapping[str, Sequence[Asked]], journal: Journal, seed: int, report: Callable[[float], None]
) -> tuple[dict[Asked, dict[str, Any]], list[str]]:
    """What is kept of every rating that is wanted, what is missing asked for; and why requests got no reply."""
    by_key = keyed(judge, wanted)
    known = journal.read()
    todo = [key for key in by_key if key not in known]
    Random(seed).shuffle(todo)
    errors: list[str] = []
    if todo:
        with journal.appending() as appender, closing(judge.rate([by_key[key] for key in todo])) as judgements:
            for count, (place, judgement) in enumerate(judgements, start=1):
                kept = {**judgement.kept, "rating": judgement.rating, "status": judgement.status}
                known[todo[place]] = kept
                if judgement.status == "failed":
                    errors.append(str(judgement.kept.get("error", "no reason given")))
                else:
                    appender.add([(todo[place], kept)])
                report(count / len(todo))
    report(1.0)
    return {asked: known[key] for key, asked in by_key.items()}, errors


def _columns(
    judge: Judge, wanted: Mapping[str, Sequence[Asked]], found: Mapping[Asked, Mapping[str, Any]]
) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for quantity, several in wanted.items():
        kept = [found[asked] for asked in several]
        name = f"{judge.name}_{quantity}"
        columns[name] = np.array([np.nan if one["rating"] is None else one["rating"] for one in kept], dtype=float)
        columns[f"{name}_status"] = [one["status"] for one in kept]
        if any("mass" in one for one in kept):
            columns[f"{name}_mass"] = np.array([one.get("mass", np.nan) for one in kept], dtype=float)
    return columns
