"""What a replication takes, before anything is loaded: tokens, hours, memory, and the judge's requests and price."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from workbench.model.loading import load_model
from workbench.model.quiet import quiet
from workbench.outcome.answers import Answers
from workbench.outcome.outcome import Outcome
from workbench.replicate.caa import behaviours, read_choices
from workbench.replicate.data import Found, find_data, missing
from workbench.replicate.outcomes import FirstGsm8k, FirstItems, FirstQuestions, first_items
from workbench.replicate.personality import Asked, Rater, asked_of, quiet_log
from workbench.replicate.protocol import Protocol, read_protocol
from workbench.replicate.running import own_judge
from workbench.score.judge.plan import CHARACTERS, Price
from workbench.score.judge.rubric import FLUENCY
from workbench.score.judge.settings import JudgeConfig
from workbench.select.presets import Shape
from workbench.study.pairs import pairs_of
from workbench.study.plan import Plan

_FRAME = 12  # tokens of a chat template around a prompt
_REACHED = 0.3  # share of the machine's measured arithmetic that passes of a model reach
_SAMPLED = 20  # prompts whose lengths stand for all


@dataclass(frozen=True, eq=False)
class Planned:
    """What a replication takes, roughly; its text is a summary.

    Attributes:
        table: a row for each part: part, prompts, prompt_tokens, new_tokens (the most there can be), judge_requests and
            judge_tokens.
        parameters: of the model; 0 where they are not known.
        hours: at the arithmetic that was measured on this machine; nan where the model is not known.
        memory: bytes of the weights, and a fifth more.
        price: of the judge, at the most; nan where no price is known.
        lacking: by step that will not run, what it lacks.
    """

    table: pd.DataFrame
    parameters: int
    hours: float
    memory: float
    price: float
    lacking: Mapping[str, str]

    @property
    def tokens(self) -> int:
        """All tokens that the model computes."""
        return int(self.table["prompt_tokens"].sum() + self.table["new_tokens"].sum())

    def __str__(self) -> str:
        requests, judged = int(self.table["judge_requests"].sum()), int(self.table["judge_tokens"].sum())
        lines = [
            f"{row['part']}: {row['prompts']:,} prompts, {row['prompt_tokens']:,} prompt tokens, at most "
            f"{row['new_tokens']:,} new tokens"
            for row in self.table.to_dict("records")
        ]
        hours = "unknown, as the model cannot be reached" if self.hours != self.hours else _hours(self.hours)
        size = "unknown" if not self.parameters else f"{self.memory / 1e9:.1f} GB for {self.parameters:,} parameters"
        lines.append(f"In all at most {self.tokens:,} tokens; on this machine {hours}; memory {size}.")
        price = "" if self.price != self.price else f", at most {self.price:,.2f} at the price given"
        lines.append(f"Judge: {requests:,} requests, {judged:,} tokens{price}.")
        lines += [f"Not run: {name} ({why})." for name, why in self.lacking.items()]
        lines.append("Tokens are estimated from characters; hours may be off by a factor of three.")
        return "\n".join(lines)

    __repr__ = __str__


def plan_replication(
    paper: str | Path,
    *,
    model: str,
    data: str | Path,
    judge: Rater | None = None,
    small: bool = False,
    settings: Mapping[str, Any] | None = None,
    price: Price | None = None,
    bytes_each: int = 4,
) -> Planned:
    """What `replicate` would take with the same arguments. No prompt is run; of a model the configuration is read.

    Args:
        price: of a million of the judge's tokens.
        bytes_each: of a weight: 4 in float32, 2 in bfloat16.

    Raises:
        FileNotFoundError, NotADirectoryError, ValueError: as `replicate`.
    """
    protocol, found = read_protocol(paper), find_data(data)
    if small and judge is None:
        judge = own_judge(model)
    lacking = missing(protocol, found, judged=judge is not None)
    parameters, shape = size_of(model)
    given = dict(settings or {})
    if protocol.method == "CAA":
        rows = _choices(protocol, found, small, given)
    elif "personalitybench" in found.paths:
        asked = asked_of(protocol, found, model=model, shape=shape, judge=judge, small=small, given=given)
        with quiet_log():
            rows = _parts(asked)
    else:
        rows = []
    columns = ["part", "prompts", "prompt_tokens", "new_tokens", "judge_requests", "judge_tokens"]
    table = pd.DataFrame(rows, columns=columns).fillna(0).astype(dict.fromkeys(columns[1:], int))
    tokens = int(table["prompt_tokens"].sum() + table["new_tokens"].sum())
    local = isinstance(judge, JudgeConfig) and judge.kind == "local"
    own = int(table["judge_tokens"].sum()) if local else 0
    hours = 2.0 * parameters * (tokens + own) / (_arithmetic() * _REACHED) / 3600 if parameters else float("nan")
    replies = int(table["judge_requests"].sum()) * (judge.max_tokens if isinstance(judge, JudgeConfig) else 0)
    asked_tokens = int(table["judge_tokens"].sum())
    cost = float("nan") if price is None else (asked_tokens * price.prompt + replies * price.answer) / 1e6
    return Planned(table, parameters, hours, 1.2 * bytes_each * parameters, cost, lacking)


def size_of(model: str) -> tuple[int, Shape | None]:
    """The number of a model's parameters, and its architecture and size; 0 and None if it cannot be reached.

    The configuration alone is read, except of models that come as one file with their weights.
    """
    if model == "testbed" or model == "smollm2" or model.endswith(".gguf"):
        loaded = load_model(model)
        from_config = getattr(loaded.network, "config", None)
        count = sum(weights.numel() for weights in loaded.network.parameters())
        return count, _shape(from_config)
    try:
        with quiet():
            config = AutoConfig.from_pretrained(model)
            with torch.device("meta"):
                network = AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError):
        return 0, None
    return sum(weights.numel() for weights in network.parameters()), _shape(config)


def _shape(config: Any) -> Shape | None:
    wanted = ("model_type", "num_hidden_layers", "hidden_size", "intermediate_size")
    values = [getattr(config, name, None) for name in wanted]
    return None if None in values else Shape(*values)  # type: ignore[arg-type]


def _arithmetic() -> float:
    """Operations a second of a product of matrices on the device that models go to, measured now."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    side = 4096 if device == "cuda" else 1024
    matrix = torch.ones(side, side, device=device)
    best = float("inf")
    for _ in range(3):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        product = matrix @ matrix
        float(product[0, 0])
        best = min(best, time.perf_counter() - start)
    return 2.0 * side**3 / best


def _parts(asked: Asked) -> list[dict[str, Any]]:
    config = asked.config
    plan = Plan.of(config, asked.outcomes, asked.arms)
    traits = len(config.traits)
    pairs = pairs_of(config, config.traits[0])
    poles = len(pairs.poles)
    length = _tokens([f"{p.system or ''} {p.user}" for p in (*pairs.high[:_SAMPLED], *pairs.low[:_SAMPLED])])
    located = poles * traits * (config.pairs + config.patching_pairs)
    rows = [{"part": "finding neurons", "prompts": located, "prompt_tokens": located * length, "new_tokens": 0}]
    if any(arm.name == "NPTI" for arm in plan.arms):
        answered = 2 * traits * config.answered_pairs
        rows.append(
            {"part": "NPTI's answers", "prompts": answered, "prompt_tokens": answered * length}
            | {"new_tokens": answered * config.max_new_tokens}
        )
    for outcome in plan.outcomes:
        cells = _conditions(plan, outcome)
        texts, count, new = _asked(outcome)
        prompts = cells * count
        row = {"part": outcome.name, "prompts": prompts, "prompt_tokens": prompts * (_tokens(texts) + _FRAME)}
        row |= {"new_tokens": prompts * new}
        if isinstance(outcome, Answers) and outcome.judge is not None:
            asking = FLUENCY.prompt("", "")  # those of traits are about as long
            rubric = _tokens([f"{asking.system} {asking.user}"])
            row |= {"judge_requests": 2 * prompts, "judge_tokens": 2 * prompts * (rubric + _tokens(texts) + new)}
        rows.append(row)
    return rows


def _conditions(plan: Plan, outcome: Outcome) -> int:
    """Under how many conditions an outcome asks, if no two arms turn out to be one."""
    config, ways = plan.config, 2 * len(plan.config.traits)
    cells = 0
    for arm in plan.arms:
        doses = len(config.doses(arm, config.gammas[0])) if plan.at_every_dose(outcome) else 1
        draws = config.draws - 1 if arm.drawn and outcome.name in plan.drawn else 0
        swept = len(config.other_quantiles) if arm.swept and plan.at_every_dose(outcome) else 0
        cells += ways * (doses + draws + swept)
    searched = ways * (1 + len(config.doses(plan.method))) if outcome in plan.searched else 0
    return cells + ways // 2 + searched * config.search_questions // max(1, config.test_questions)


def _asked(outcome: Outcome) -> tuple[list[str], int, int]:
    """What an outcome asks in one condition: some texts, how many, and the most new tokens of an answer."""
    if isinstance(outcome, Answers):
        questions = outcome.questions_of(outcome.traits[0], "test")
        return questions[:_SAMPLED], len(questions), outcome.max_new_tokens
    if isinstance(outcome, FirstGsm8k | FirstQuestions):
        items = first_items(outcome.read(), outcome.n)
        return [item.question for item in items[:_SAMPLED]], len(items), outcome.max_new_tokens
    if isinstance(outcome, FirstItems):
        statements = outcome.statements_of(outcome.traits[0], "test")
        asked = 2 * len(statements)  # in two orders of the options
        return [f"{one.text}{' ' * 60 * CHARACTERS}" for one in statements[:_SAMPLED]], asked, 1
    return [""], 0, 0


def _choices(protocol: Protocol, found: Found, small: bool, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    values, _ = protocol.changed(small=small, given=given)
    rows = []
    for name, paths in behaviours(found.paths["caa"]).items() if "caa" in found.paths else ():
        made, asked = (read_choices(path) for path in paths)
        pairs, items = 2 * min(len(made), int(values["pairs"])), min(len(asked), int(values["items"]))
        prompts = pairs + 2 * len(values["multipliers"]) * items
        length = _tokens([item.question for item in made[:_SAMPLED]]) + _FRAME
        rows.append({"part": name, "prompts": prompts, "prompt_tokens": prompts * length, "new_tokens": 0})
    return rows


def _tokens(texts: list[str]) -> int:
    return max(1, round(sum(map(len, texts)) / max(1, len(texts)) / CHARACTERS))


def _hours(hours: float) -> str:
    return f"about {hours * 60:.0f} minutes" if hours < 2 else f"about {hours:,.0f} hours"
