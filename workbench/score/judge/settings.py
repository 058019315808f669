"""The table `[judge]` of a study's file; nothing here loads a model or a client."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class JudgeConfig(BaseModel):
    """Who scores a study's open answers. The key of an endpoint comes from the environment, never from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(
        min_length=1, description="The model's name at the endpoint; of a local judge, a name as for the study's model."
    )
    kind: Literal["endpoint", "local"] = Field(
        default="endpoint",
        description="endpoint: any OpenAI-compatible endpoint; local: a hooked model, by log-probability.",
    )
    base_url: str | None = Field(default=None, description="The endpoint; by default OPENAI_BASE_URL, or OpenAI's own.")
    revision: str = Field(default="", description="Distinguishes endpoints with different models under one name.")
    temperature: float = Field(default=0.0, ge=0, description="Of the judge's replies.")
    send_temperature: bool = Field(default=True, description="false for models that accept no temperature.")
    max_tokens: int = Field(default=32, ge=1, description="The most tokens of a reply; reasoning models need more.")
    limit: str = Field(
        default="max_tokens",
        min_length=1,
        description="Which parameter limits the reply; max_completion_tokens is taken where the server asks for it.",
    )
    seed: int | None = Field(default=None, description="Sent with each request.")
    extra: dict[str, Any] = Field(
        default_factory=dict, description="Further parameters of each request, e.g. { reasoning_effort = 'low' }."
    )
    headers: dict[str, str] = Field(
        default_factory=dict,
        description="Further headers of each request; a value like '$NAME' is that environment variable, as for keys.",
    )
    key_variable: str = Field(
        default="OPENAI_API_KEY", min_length=1, description="The environment variable that holds the key."
    )
    structured: bool = Field(default=True, description="Whether to ask for ratings by a JSON schema.")
    concurrency: int = Field(default=8, ge=1, description="How many requests run at a time.")
    timeout: float = Field(default=60.0, gt=0, description="Seconds to wait for a reply.")
    retries: int = Field(default=6, ge=0, description="How often a failed request is sent again.")
    min_mass: float = Field(default=0.5, ge=0, le=1, description="Local: the least probability of all five digits.")
