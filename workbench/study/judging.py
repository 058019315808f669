"""A study's judge: what its file says of one, and open answers scored by it instead of by the grammar."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from workbench.model.loading import load_model
from workbench.model.model import Model
from workbench.score.answers import Rating
from workbench.score.judge.endpoint import EndpointJudge, default_url
from workbench.score.judge.judging import ALL_JUDGES, judge_answers
from workbench.score.judge.local import LocalJudge
from workbench.score.judge.protocol import Judge

FOLDER = "judge"
"""Where a study keeps what its judge was asked and replied."""


class JudgeConfig(BaseModel):
    """Who scores a study's open answers. The key of an endpoint comes from OPENAI_API_KEY, never from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(
        min_length=1, description="The judge's name at the endpoint; if local, as for the study's model."
    )
    kind: Literal["endpoint", "local"] = Field(
        default="endpoint",
        description="endpoint: any OpenAI-compatible one; local: a hooked model, by log-probability.",
    )
    base_url: str | None = Field(default=None, description="The endpoint; by default OPENAI_BASE_URL, or OpenAI's own.")
    revision: str = Field(default="", description="Tells apart endpoints that call different models by one name.")
    temperature: float = Field(default=0.0, ge=0, description="Of the judge's replies.")
    send_temperature: bool = Field(default=True, description="false for models that take no temperature.")
    max_tokens: int = Field(default=32, ge=1, description="The most tokens of a reply; reasoning models need more.")
    limit: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="Which parameter of the endpoint says so."
    )
    structured: bool = Field(default=True, description="Whether to ask for ratings by a JSON schema.")
    concurrency: int = Field(default=8, ge=1, description="Requests under way at a time.")
    timeout: float = Field(default=60.0, gt=0, description="Seconds to wait for a reply.")
    retries: int = Field(default=6, ge=0, description="How often a request is sent again.")
    min_mass: float = Field(default=0.5, ge=0, le=1, description="Local: the least probability on the digits together.")

    def build(self, model: Model, named: str) -> Judge:
        """The judge itself; `model` where a local one is asked for by the same name, `named`, as the study's model.

        Raises:
            ImportError, ValueError: if the endpoint's client or key is missing, or there is no such model.
        """
        if self.kind == "local":
            return LocalJudge(model if self.model == named else load_model(self.model), min_mass=self.min_mass)
        judge = EndpointJudge(
            self.model,
            base_url=self.base_url or default_url(),
            revision=self.revision,
            temperature=self.temperature if self.send_temperature else None,
            max_tokens=self.max_tokens,
            limit=self.limit,
            structured=self.structured,
            concurrency=self.concurrency,
            timeout=self.timeout,
            retries=self.retries,
        )
        judge.client().close()  # a missing key is told before hours of work, not after
        return judge


def unscored(answer: str, trait: str) -> Rating:
    """The scorer of answers that a judge will rate later."""
    return Rating(None, float("nan"))


def judged(
    answers: pd.DataFrame, judge: Judge, folder: Path, *, seed: int, progress: Callable[[str, float], None]
) -> pd.DataFrame:
    """The rows with `score` the judge's trait rating and `wellformed` its fluency rating, from 0 for 1 to 1 for 5.

    Both are missing where the judge gave no rating. What it was asked is kept in the folder's `judge`.
    """
    rated = judge_answers(answers, judge, folder=folder / FOLDER, seed=seed, progress=progress)
    fluency = rated[f"{ALL_JUDGES}_fluency"].to_numpy(float)
    return rated.assign(score=rated[f"{ALL_JUDGES}_score"], wellformed=np.asarray((fluency - 1) / 4))
