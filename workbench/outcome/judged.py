"""Open answers rated by the judge that a study names."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.model.loading import load_model
from workbench.model.model import Model
from workbench.score.judge.endpoint import EndpointJudge, default_url
from workbench.score.judge.journal import Journal
from workbench.score.judge.judging import ALL_JUDGES, judge_answers
from workbench.score.judge.local import LocalJudge
from workbench.score.judge.protocol import Judge
from workbench.score.judge.rubric import Rubric
from workbench.score.judge.settings import JudgeConfig

FOLDER = "judge"
"""Where a study keeps what its judge was asked and replied."""


def build_judge(config: JudgeConfig, model: Model, model_name: str) -> Judge:
    """The judge that a study names; `model` where a local one is called by the study's `model_name`.

    Raises:
        ImportError, ValueError: if the endpoint's client or key is missing, or there is no such model.
    """
    if config.kind == "local":
        return LocalJudge(model if config.model == model_name else load_model(config.model), min_mass=config.min_mass)
    judge = EndpointJudge(
        config.model,
        base_url=config.base_url or default_url(),
        revision=config.revision,
        temperature=config.temperature if config.send_temperature else None,
        max_tokens=config.max_tokens,
        limit=config.limit,
        seed=config.seed,
        extra=config.extra,
        headers=config.headers,
        key_variable=config.key_variable,
        structured=config.structured,
        concurrency=config.concurrency,
        timeout=config.timeout,
        retries=config.retries,
    )
    judge.client().close()  # a missing key is reported before hours of work, not after
    return judge


def reach_judge(judge: Judge, folder: Path) -> None:
    """Ask a judge behind an endpoint for one rating, unless the folder holds ratings of it already.

    Raises:
        ConnectionError, PermissionError, ValueError: if the judge does not answer, or refuses to rate.
    """
    if not isinstance(judge, EndpointJudge):
        return
    settings = dict(judge.settings)
    if not any(kept.get("settings") == settings for kept in Journal(folder / FOLDER).read().values()):
        judge.probe()


def judged(
    answers: pd.DataFrame,
    judge: Judge,
    folder: Path,
    *,
    rubrics: Mapping[str, Rubric] | None = None,
    seed: int,
    progress: Callable[[str, float], None],
) -> pd.DataFrame:
    """The rows with `score` the judge's trait rating and `wellformed` its fluency rating, from 0 for 1 to 1 for 5.

    Both are missing where the judge gave no rating. What it was asked is kept in the folder's `judge`.

    Args:
        rubrics: each trait's; by default those of the built-in concepts.
    """
    rated = judge_answers(answers, judge, folder=folder / FOLDER, rubrics=rubrics, seed=seed, progress=progress)
    fluency = rated[f"{ALL_JUDGES}_fluency"].to_numpy(float)
    return rated.assign(score=rated[f"{ALL_JUDGES}_score"], wellformed=np.asarray((fluency - 1) / 4))
