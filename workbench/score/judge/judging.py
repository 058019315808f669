"""Have open answers judged: each distinct one once, in a random order, by judges that see question and answer alone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
import pandas as pd

from workbench.concept.packaged import BUILT_IN
from workbench.score.judge.journal import Journal
from workbench.score.judge.protocol import STATUSES, Asked, Judge, judgement_key
from workbench.score.judge.rubric import FLUENCY, Rubric, concept_rubric

ALL_JUDGES = "judge"
"""The prefix of the columns with means over judges; no judge may have this name."""
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
    """Have every judge rate the trait that each answer shows and the answer's fluency.

    Trait and fluency are asked for in separate requests. A judge gets the question, the answer and a rubric, never the
    arm, the dose or the direction. Equal questions and answers are judged once and share their ratings. All requests
    are sent in one random order. Every request and reply is kept in the folder as it arrives, and a later run asks
    only for what the folder lacks, whichever frame it belongs to.

    Args:
        frame: columns question, answer and trait; or measured in place of trait, where an answer is about another
            trait than the edited one. Other columns are kept and not shown to a judge.
        folder: where judgements are kept; one folder serves any number of frames, judges and rubrics.
        rubrics: a rubric for each trait; by default those of the built-in concepts.
        seed: of the order in which answers are judged.
        on_failure: what happens to requests without a reply: `raise` stops the run once all others are done, `missing`
            leaves their ratings missing until a later run.
        progress: called with a label of what is done, and the share of the work that is done.

    Returns:
        The rows with, for each judge, `NAME_score` (the trait, 1 to 5, 5 for its high pole) and `NAME_fluency` (1 to
        5), missing where there is no rating; `NAME_score_status` and `NAME_fluency_status` (`rated`, `unparsed`,
        `refused` or `failed`); and for judges that report it `NAME_score_mass` and `NAME_fluency_mass` (0 to 1, the
        probability of all ratings together). Then `judge_score` and `judge_fluency`: the mean over the judges, missing
        where any of them gave no rating.

    Raises:
        ValueError: if columns, an answer's text, a rubric or a judge are missing, two judges have one name, or a
            kept judgement is not as it was written.
        RuntimeError: if requests failed and `on_failure` is `raise`; or another run writes to the folder.
        ConnectionError, PermissionError: as the judge raises them.
    """
    judge_list = as_judges(judges)
    wanted = wanted_ratings(frame, rubrics)
    journal, columns, failed = Journal(Path(folder)), {}, []
    for number, judge in enumerate(judge_list):

        def report(share: float, number: int = number, judge: Judge = judge) -> None:
            if progress is not None:
                progress(f"{judge.name}: judging", (number + share) / len(judge_list))

        judgements, errors = _judged(judge, wanted, journal, seed, report)
        columns |= _columns(judge, wanted, judgements)
        failed += [(judge, error) for error in errors]
    if failed and on_failure == "raise":
        judge, error = failed[-1]
        raise RuntimeError(
            f"{len(failed)} requests failed, the last to {judge.name}: {error}. What was judged is kept in "
            f"{folder}; run again to ask for the rest, or leave it missing with on_failure='missing'."
        )
    for quantity in QUANTITIES:
        ratings = np.column_stack([columns[f"{judge.name}_{quantity}"] for judge in judge_list])
        columns[f"{ALL_JUDGES}_{quantity}"] = ratings.mean(axis=1)
    new = pd.DataFrame(columns, index=frame.index)
    return pd.concat([frame.drop(columns=[name for name in new if name in frame]), new], axis=1)


def judgement_counts(frame: pd.DataFrame, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """How many answers each judge rated and did not rate.

    Args:
        frame: as `judge_answers` returns it.
        by: columns by which to count separately, e.g. arm: ratings that are missing more often in one arm mislead.

    Returns:
        Columns judge, quantity (`score` or `fluency`), those of `by`, answers, and how many of them are rated,
        unparsed, refused and failed.

    Raises:
        ValueError: if no answer in the frame was judged.
    """
    ends = {f"_{quantity}_status": quantity for quantity in QUANTITIES}
    table = []
    for column in frame.columns:
        end = next((end for end in ends if str(column).endswith(end)), None)
        if end is None:
            continue
        groups = frame.groupby(list(by), sort=False) if by else [((), frame)]
        for labels, rows in groups:
            counts = rows[column].value_counts()
            table.append(
                {"judge": str(column).removesuffix(end), "quantity": ends[end]}
                | dict(zip(by, labels, strict=True))
                | {"answers": len(rows)}
                | {status: int(counts.get(status, 0)) for status in STATUSES}
            )
    if not table:
        raise ValueError("judgement_counts needs columns that judge_answers adds, e.g. NAME_score_status; none came.")
    return pd.DataFrame(table)


def as_judges(judges: Judges) -> list[Judge]:
    """The judges as a list.

    Raises:
        ValueError: if there is none, or two have one name.
    """
    judge_list = list(judges) if isinstance(judges, Sequence) else [judges]
    names = [judge.name for judge in judge_list]
    if not names or len(set(names)) < len(names) or ALL_JUDGES in names:
        raise ValueError(
            f"Judges need names of their own, other than {ALL_JUDGES!r}, but {names} arrived. Give each a name=."
        )
    return judge_list


def wanted_ratings(frame: pd.DataFrame, rubrics: Rubrics | None) -> dict[str, list[Asked]]:
    """For each quantity, the rating that is asked for in each row.

    Raises:
        ValueError: if columns, texts or rubrics are missing.
    """
    trait = "measured" if "measured" in frame.columns else "trait"
    missing = [name for name in ("question", "answer", trait) if name not in frame.columns]
    if missing:
        raise ValueError(f"judge_answers needs columns question, answer, trait; missing {missing}.")
    for name in ("question", "answer"):
        no_text = [value for value in frame[name] if not isinstance(value, str)]
        if no_text:
            raise ValueError(
                f"Every {name} is a text, but {len(no_text)} are not, e.g. {no_text[0]!r}. Leave those rows out."
            )
    known = _builtin_rubrics(frame[trait]) if rubrics is None else rubrics
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


def _builtin_rubrics(names: Iterable[object]) -> dict[str, Rubric]:
    """The rubrics of those of the names that are built-in concepts'."""
    return {name: concept_rubric(name) for name in dict.fromkeys(map(str, names)) if name in BUILT_IN}


def keyed(judge: Judge, wanted: Mapping[str, Sequence[Asked]]) -> dict[str, Asked]:
    """Each distinct rating that is asked for, by its key."""
    distinct = dict.fromkeys(asked for ratings in wanted.values() for asked in ratings)
    return {judgement_key(judge, asked): asked for asked in distinct}


def _judged(
    judge: Judge, wanted: Mapping[str, Sequence[Asked]], journal: Journal, seed: int, report: Callable[[float], None]
) -> tuple[dict[Asked, dict[str, Any]], list[str]]:
    """The judgement of every rating that is wanted, and the errors of requests that got no reply.

    What the journal lacks is asked for and added to it.
    """
    by_key = keyed(judge, wanted)
    known = journal.read()
    todo = [key for key in by_key if key not in known]
    Random(seed).shuffle(todo)
    errors: list[str] = []
    if todo:
        with journal.appending() as appender, closing(judge.rate([by_key[key] for key in todo])) as judgements:
            for count, (position, judgement) in enumerate(judgements, start=1):
                kept = {**judgement.kept, "rating": judgement.rating, "status": judgement.status}
                known[todo[position]] = kept
                if judgement.status == "failed":
                    errors.append(str(judgement.kept.get("error", "no reason given")))
                else:
                    appender.add([(todo[position], kept)])
                report(count / len(todo))
    report(1.0)
    return {asked: known[key] for key, asked in by_key.items()}, errors


def _columns(
    judge: Judge, wanted: Mapping[str, Sequence[Asked]], judgements: Mapping[Asked, Mapping[str, Any]]
) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for quantity, ratings in wanted.items():
        kept = [judgements[asked] for asked in ratings]
        name = f"{judge.name}_{quantity}"
        columns[name] = np.array([np.nan if each["rating"] is None else each["rating"] for each in kept], dtype=float)
        columns[f"{name}_status"] = [each["status"] for each in kept]
        if any("mass" in each for each in kept):
            columns[f"{name}_mass"] = np.array([each.get("mass", np.nan) for each in kept], dtype=float)
    return columns
