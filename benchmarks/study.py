"""A fixed study beside the usual way to run it, same weights and same results: `python -m benchmarks.study`.

One trait, 8 arms at 4 doses in both directions and the unedited model; 12 open questions, answered greedily; the
trait's statements and the minimal pairs by log-likelihood. The arms are edits of a random 1 % of every layer's neurons.

- workbench: the study's own cells, asked and kept in a folder as `run_study` does it.
- the usual way: transformers, a forward pre-hook on every `down_proj`, one arm after another, prompts in batches of 16
  in the given order, `generate` for answers, logits of whole texts for likelihoods.

Both run once, one after the other, after a short warm-up. Seconds are of the wall clock and of the processor; the
second are the better measure where other work shares the machine.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

import workbench as wb
from benchmarks.capture import RESULTS
from workbench.arm.building import Arm
from workbench.arm.spec import ArmSpec
from workbench.contrast.prompt import Prompt
from workbench.model.gguf import PACKAGED
from workbench.model.loading import checkpoint_of
from workbench.model.quiet import quiet
from workbench.outcome.answers import Answers
from workbench.outcome.minimal_pairs import MinimalPairs
from workbench.outcome.statements import Statements
from workbench.score.statements.scoring import statement_reading
from workbench.study.asking import Job, ask_jobs
from workbench.study.cells import cell_of, unedited_cell
from workbench.study.config import StudyConfig
from workbench.study.meter import Meter
from workbench.study.store import Store

TRAIT, SHARE, BATCH = "Extraversion", 0.01, 16
LABELS = ["arm", "direction", "gamma"]
OURS, PEER = "workbench", "transformers"


@dataclass(frozen=True)
class Study:
    """What both ways run.

    Attributes:
        arms: the edits at dose 1, by arm and direction.
        doses: at which each arm runs.
        answers, statements, pairs: what is asked.
    """

    arms: dict[str, dict[str, wb.Edit]]
    doses: tuple[float, ...]
    answers: Answers
    statements: Statements
    pairs: MinimalPairs

    @classmethod
    def of(cls, model: wb.Model, *, small: bool) -> "Study":
        """The study that is measured, or a small one."""
        arms = {
            f"arm {number}": {way: edit_of(model, number, way) for way in ("increase", "decrease")}
            for number in range(1, 3 if small else 9)
        }
        questions, tokens = (4, 12) if small else (12, 40)
        answers = Answers(
            (TRAIT,), "builtin", "none", None, model.name, temperature=0.0, max_new_tokens=tokens,
            search_questions=1, test_questions=questions, seed=0,
        )  # fmt: skip
        statements = Statements((TRAIT,), n=12 if small else None)
        doses = (0.5, 1.0) if small else (0.5, 1.0, 1.5, 2.0)
        return cls(arms, doses, answers, statements, MinimalPairs(n=16 if small else 128))

    @property
    def conditions(self) -> list[tuple[str, str, float, wb.Edit | None]]:
        """Arm, direction, dose and edit of each condition, the unedited model first."""
        edited = [
            (arm, way, dose, edit.with_gamma(dose))
            for arm, ways in self.arms.items()
            for dose in self.doses
            for way, edit in ways.items()
        ]
        return [("none", "none", 0.0, None), *edited]


def edit_of(model: wb.Model, number: int, direction: str) -> wb.Edit:
    """An edit of a random 1 % of every layer's neurons; the other direction is its opposite."""
    generator = torch.Generator().manual_seed(number)
    deltas = {}
    for layer in range(model.n_layers):
        delta = torch.zeros(model.d_mlp)
        units = torch.randperm(model.d_mlp, generator=generator)[: max(1, int(SHARE * model.d_mlp))]
        delta[units] = 0.3 * torch.randn(len(units), generator=generator)
        deltas[layer] = delta if direction == "increase" else -delta
    return wb.Edit.of(deltas, trait=TRAIT, method=f"arm {number}", direction=direction, site="hook_post")


def ours(model: wb.Model, study: Study, folder: Path) -> dict[str, pd.DataFrame]:
    """The study's cells, asked and kept; by outcome, its rows."""
    outcomes = (study.answers, study.statements, study.pairs)
    jobs = [Job(unedited_cell((TRAIT,), scope="generated", split="test"), outcomes)]
    for name, ways in study.arms.items():
        spec = ArmSpec(name, "rival", study.doses, lambda context: context.reference())
        arm = Arm(spec, ({(TRAIT, way): edit for way, edit in ways.items()},))
        jobs += [Job(cell_of(arm, dose, scope="generated", split="test"), outcomes) for dose in study.doses]
    with model.sharing():
        frames, _ = ask_jobs(model, StudyConfig(), Store(folder), jobs, Meter(1.0, None))
    return frames


def usual(model: wb.Model, network: Any, study: Study) -> dict[str, pd.DataFrame]:
    """The same, one condition after another in plain transformers; the package gives the token ids alone."""
    peer = Peer(network, model.pad_token)
    questions = study.answers.questions_of(TRAIT, "test")
    asked = model.tokens([Prompt(question) for question in questions])
    statements = study.statements.statements_of(TRAIT, "test")
    reading = statement_reading(model, statements)
    by_prompt = zip(reading.prompts, reading.answers, strict=True)
    texts = [(list(ids), list(answer)) for ids, several in by_prompt for answer in several]
    pairs = study.pairs.pairs_of("test")
    sentences = model.tokens([text for pair in pairs for text in (pair.good, pair.bad)], chat=False)
    rows: dict[str, list[dict[str, Any]]] = {"answers": [], "statements": [], "minimal-pairs": []}
    for arm, way, dose, edit in study.conditions:
        labels = dict(zip(LABELS, (arm, way, dose), strict=True))
        with peer.edited(edit):
            new = peer.answers(asked, study.answers.max_new_tokens)
            means = [float(logs.double().mean()) for logs in peer.likelihoods(texts)]
            sums = [float(logs.double().sum()) for logs in peer.likelihoods([(ids[:1], ids[1:]) for ids in sentences])]
        words = model.tokenizer.batch_decode(new, skip_special_tokens=True)
        pairs_of = zip(questions, words, strict=True)
        rows["answers"] += [labels | {"question": question, "answer": text} for question, text in pairs_of]
        ids = [model.tokenizer.decode(answer) for _, answer in texts]
        rows["statements"] += [labels | {"item": each, "logprob": mean} for each, mean in zip(ids, means, strict=True)]
        margins = [good - bad for good, bad in zip(sums[::2], sums[1::2], strict=True)]
        items = zip(pairs, margins, strict=True)
        rows["minimal-pairs"] += [labels | {"item": pair.item, "margin": margin} for pair, margin in items]
    return {name: pd.DataFrame(found) for name, found in rows.items()}


class Peer:
    """Plain transformers with an edit at the last position of a prompt and at every later one."""

    def __init__(self, network: Any, pad_token: int) -> None:
        self.network, self.pad_token = network, pad_token
        self.mask: Tensor | None = None  # of a whole text, which positions are edited; None while it generates

    @contextmanager
    def edited(self, edit: wb.Edit | None) -> Iterator[None]:
        """Pre-hooks on every `down_proj` that add the edit."""

        def pre_hook(delta: Tensor) -> Any:
            def add(module: Any, args: tuple[Tensor, ...]) -> tuple[Tensor]:
                h = args[0].clone()
                if self.mask is None:
                    h[:, -1] += delta
                else:
                    h += self.mask[..., None] * delta
                return (h,)

            return add

        layers = enumerate(self.network.model.layers) if edit is not None else ()
        hooks = [
            block.mlp.down_proj.register_forward_pre_hook(pre_hook(edit.delta(layer)))  # type: ignore[union-attr]
            for layer, block in layers
        ]
        try:
            with torch.inference_mode():
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def answers(self, prompts: Sequence[list[int]], new: int) -> list[list[int]]:
        """Greedy answers, in batches padded on the left."""
        self.mask, found = None, []
        for start in range(0, len(prompts), BATCH):
            batch = prompts[start : start + BATCH]
            width = max(map(len, batch))
            tokens = torch.tensor([[self.pad_token] * (width - len(ids)) + ids for ids in batch])
            real = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in batch])
            settings = {"do_sample": False, "max_new_tokens": new, "pad_token_id": self.pad_token}
            found += self.network.generate(tokens, attention_mask=real, **settings)[:, width:].tolist()
        return found

    def likelihoods(self, texts: Sequence[tuple[list[int], list[int]]]) -> list[Tensor]:
        """The log-probability of each token of an answer after its prompt, in batches padded on the right."""
        found = []
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            width = max(len(prompt) + len(answer) for prompt, answer in batch)
            rows = [[*prompt, *answer] for prompt, answer in batch]
            tokens = torch.tensor([ids + [self.pad_token] * (width - len(ids)) for ids in rows])
            real = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids in rows])
            self.mask = torch.stack([torch.arange(width) >= len(prompt) - 1 for prompt, _ in batch]) & real.bool()
            logs = self.network(tokens, attention_mask=real).logits.log_softmax(-1)
            for row, (prompt, answer) in enumerate(batch):
                at = torch.arange(len(prompt) - 1, len(prompt) + len(answer) - 1)
                found.append(logs[row, at, torch.tensor(answer)])
        return found


def apart(mine: dict[str, pd.DataFrame], theirs: dict[str, pd.DataFrame]) -> dict[str, float]:
    """How far the results of both ways are apart: the share of answers that differ, and the greatest difference of a
    statement's log-probability (nats per token) and of a minimal pair's margin (nats).
    """
    found = {}
    for name, item, value in (
        ("answers", "question", "answer"),
        ("statements", "item", "logprob"),
        ("minimal-pairs", "item", "margin"),
    ):
        both = mine[name].merge(theirs[name], on=[*LABELS, item], validate="one_to_one", suffixes=("", "_usual"))
        if len(both) != len(mine[name]):
            raise RuntimeError(f"{len(mine[name])} rows of {name} met {len(both)} of the usual way.")
        a, b = both[value], both[f"{value}_usual"]
        found[name] = float((a != b).mean()) if value == "answer" else float((a - b).abs().max())
    return found


def main() -> None:
    """Measure, add to `results.json` and print a table."""
    parser = argparse.ArgumentParser(description="A study beside the usual way to run it.")
    parser.add_argument("--small", action="store_true", help="2 arms, 2 doses, few questions; nothing is written down")
    parser.add_argument("--out", type=Path, default=RESULTS)
    settings = parser.parse_args()
    try:
        PACKAGED["smollm2"].file()
    except FileNotFoundError as error:
        print(f"the study is not measured: {error}", file=sys.stderr)
        return
    with quiet():
        model = wb.load_model("smollm2")
        network = AutoModelForCausalLM.from_pretrained(checkpoint_of(model.recipe or {})).eval()
        study = Study.of(model, small=settings.small)
        model.generate(["Hello."], max_new_tokens=2)
        Peer(network, model.pad_token).answers(model.tokens(["Hello."]), 2)
    seconds: dict[str, dict[str, float]] = {}
    results: dict[str, dict[str, pd.DataFrame]] = {}
    with tempfile.TemporaryDirectory() as folder:
        ways = {OURS: lambda: ours(model, study, Path(folder)), PEER: lambda: usual(model, network, study)}
        for name, way in ways.items():
            print(f"  {name}, {len(study.conditions)} conditions ...", file=sys.stderr, flush=True)
            wall, processor = time.perf_counter(), time.process_time()
            results[name] = way()
            seconds[name] = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    differences = apart(results[OURS], results[PEER])
    times = {kind: seconds[PEER][kind] / seconds[OURS][kind] for kind in ("wall", "processor")}
    found = {
        "model": model.name,
        "conditions": len(study.conditions),
        "questions": study.answers.test_questions,
        "new_tokens": study.answers.max_new_tokens,
        "statements": len(study.statements.statements_of(TRAIT, "test")),
        "minimal_pairs": len(study.pairs.pairs_of("test")),
        "seconds": seconds,
        "times": times,
        "apart": differences,
    }
    if not settings.small:
        kept = json.loads(settings.out.read_text(encoding="utf-8")) if settings.out.is_file() else {}
        machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
        kept["machine"] = f"{machine}, torch {torch.__version__}, Python {platform.python_version()}"
        kept["study"] = found
        settings.out.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, each in seconds.items():
        print(f"  {name:<14}{each['wall']:9.1f} s   {each['processor']:9.1f} s of the processor")
    print(f"  {times['wall']:.2f} times as fast; {times['processor']:.2f} by the processor's time")
    print(
        f"  answers that differ {differences['answers']:.2%}; statements within {differences['statements']:.1e} nats "
        f"per token, margins within {differences['minimal-pairs']:.1e} nats"
    )


if __name__ == "__main__":
    main()
