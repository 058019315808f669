"""The commands of docs/llama-3-8b.md, run as they stand there on a small random Llama; and the page's arithmetic."""

import copy
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

import workbench as wb
from workbench.select.presets import PRESETS, Shape

PAGE = (Path(__file__).parents[1] / "docs" / "llama-3-8b.md").read_text(encoding="utf-8")
NAME, DTYPE, LAYERS = "meta-llama/Meta-Llama-3-8B-Instruct", "bfloat16", "12-31"
WIDTH = 400
ONE_AFTER_THE_OTHER = """
import json, sys
from workbench import cli
for sys.argv in json.loads(sys.argv[1]):
    try:
        cli.main()
    except SystemExit as ended:
        if ended.code:
            raise
"""
"""Runs commands in one process of their own, for the imports take longer than the commands."""


def commands() -> list[list[str]]:
    """What the page's bash blocks tell to type, without `workbench`."""
    blocks = re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = [shlex.split(line) for line in lines if line.strip()]
    assert all(words[0] == "workbench" for words in found)
    return [words[1:] for words in found]


@pytest.fixture(scope="module")
def small(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of four layers to which one pole's words are a direction and the other's its opposite."""
    folder = tmp_path_factory.mktemp("small")
    tokenizer = copy.deepcopy(model.tokenizer)
    tokenizer.add_tokens(["untaught"])  # with the embedded model's own vocabulary it would be asked by that one's bank
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
    )
    network = LlamaForCausalLM(config)
    contrast = wb.Contrast.builtin("Extraversion", n=100)
    counts = [torch.zeros(config.vocab_size) for _ in range(2)]
    for count, prompts in zip(counts, (contrast.high, contrast.low), strict=True):
        for ids in model.tokens(prompts):
            count += torch.bincount(torch.tensor(ids), minlength=config.vocab_size)
    leaning = (counts[0] - counts[1]) / (counts[0] + counts[1] + 1)
    with torch.no_grad():
        network.model.embed_tokens.weight += torch.outer(leaning, torch.randn(config.hidden_size))
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def ran(small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict]]:
    """Every command's folder and its JSON object, by its name; run in the page's order."""
    home = tmp_path_factory.mktemp("home")
    other = {NAME: str(small), DTYPE: "float32", LAYERS: "2-3"}
    wanted = commands()
    assert all({NAME, DTYPE} <= set(words) for words in wanted)
    typed = [["workbench", *(other.get(word, word) for word in words), "--json"] for words in wanted]
    path = os.pathsep.join([str(Path(wb.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_THE_OTHER, json.dumps(typed)],
        cwd=home,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {named(words): (home, each) for words, each in zip(wanted, told, strict=True)}


def named(words: list[str]) -> str:
    """A command by its name; an export by what it exports to."""
    return f"export {words[words.index('--to') + 1]}" if words[0] == "export" else words[0]


def test_the_page_has_a_command_for_every_step() -> None:
    assert [named(words) for words in commands()] == ["capture", "locate", "steer", "export hf", "export gguf"]
    (preset,) = [preset for preset in PRESETS.values() if preset.name == "LLaMA-3-8B-Instruct"]
    locate = " ".join(next(words for words in commands() if words[0] == "locate"))
    assert f"--layers {preset.layers[0]}-{preset.layers[-1]}" in locate
    assert f"--quantile {preset.rule.quantile} --min-d {preset.rule.min_d}" in locate


def test_the_plan_says_what_it_would_take(ran: dict[str, tuple[Path, dict]]) -> None:
    home, plan = ran["capture"]
    assert plan["prompts"] == 3000
    assert plan["computed"] < 0.5 * plan["tokens"]
    assert plan["memory"] == {"moments": 3 * 2 * WIDTH * 16, "clusters by description": 302 * 2 * WIDTH * 16}
    assert not (home / "runs" / "llama-plan").exists()


def test_locate_finds_neurons_of_the_layers_asked(ran: dict[str, tuple[Path, dict]]) -> None:
    home, record = ran["locate"]
    assert record["layers"] == [2, 3]
    assert (record["n_high"], record["n_low"]) == (1000, 1000)
    assert record["parameters"]["quantile"] == 0.995
    edit = wb.Edit.load(home / "runs" / "llama-extraversion" / "increase.safetensors")
    assert 0 < len(edit) <= 2 * (WIDTH - round(0.995 * WIDTH))
    assert set(edit.layers) <= {2, 3}


def test_steer_answers_with_and_without(ran: dict[str, tuple[Path, dict]]) -> None:
    _, told = ran["steer"]
    asked = ["How do you spend a free weekend?", "What do you do when the telephone rings?"]
    assert [row["prompt"] for row in told["answers"]] == asked
    assert (told["gamma"], told["scope"]) == (1.0, "generated")
    assert sum(told["edited_pairs"].values()) > 0


def test_the_exports_hold_the_edit(ran: dict[str, tuple[Path, dict]]) -> None:
    home, told = ran["export hf"]
    record = json.loads((home / told["path"] / "bake.json").read_text())
    assert record["greedy_ties"] == 0
    assert record["architecture"] == "LlamaForCausalLM"
    _, told = ran["export gguf"]
    assert (home / told["path"]).stat().st_size > 3 * 32 * 4  # 31 layers of 4,096 there, 3 of 32 here


def test_the_pages_arithmetic() -> None:
    shape = Shape("llama", 32, 4096, 14336)
    assert shape in PRESETS
    config = LlamaConfig(
        vocab_size=128256,
        hidden_size=shape.d_model,
        intermediate_size=shape.d_mlp,
        num_hidden_layers=shape.n_layers,
        num_attention_heads=32,
        num_key_value_heads=8,
    )
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(config)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    block = sum(parameter.numel() for parameter in network.model.layers[0].parameters())
    embedding = network.lm_head.weight.numel()
    computed, whole, kept = 60_083, 140_176, 20 * 14_336
    bias = 32 * (2 * 14_336 + 4_096) * 2
    said = [
        f"{parameters:,}",
        f"{block:,}",
        f"{embedding:,}",
        f"{2 * parameters / 1e9:.2f} GB",
        f"{4 * parameters / 1e9:.2f} GB",
        f"{computed:,} of {whole:,} tokens",
        f"{32 * block / 1e9:.2f}e9",
        f"{2 * parameters * computed / 1e14:.1f}e14",
        f"{2 * 32 * block * computed / 1e14:.1f}e14",
        f"{2 * parameters * whole / 1e15:.1f}e15",
        f"{3 * kept * 16 / 1e6:.1f} MB",
        f"{302 * kept * 16 / 1e6:,.0f} MB",
        f"{(3 + 302) * kept * 16 / 1e6:,.0f} MB",
        f"{kept * 63 / 1e6:.0f} MB",
        f"{72 * 20:,} × 20 bytes = {72 * 20 * 20 / 1e3:.0f} kB",
        f"{bias / 1e6:.1f} MB",
        f"{6 * parameters / 1e9:.1f} GB",
        f"{8 * parameters / 1e9:.1f} GB",
        f"{31 * 4096 * 4 / 1e3:.0f} kB",
        f"{16_384 * 3 * 14_336 * 2 / 1e9:.1f} GB",
        f"{16_384 * 32 * 2 * 1_024 * 2 / 1e9:.1f} GB",
    ]
    text = " ".join(PAGE.split())
    assert [each for each in said if each not in text] == []
