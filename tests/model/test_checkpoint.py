"""Checkpoints as they come: whole ones load, others are refused in one line that says what to do."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

import workbench as wb

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(copytree(checkpoint, tmp_path / "model"))


def sharded(checkpoint: Path, folder: Path) -> Path:
    network = AutoModelForCausalLM.from_pretrained(checkpoint)
    network.save_pretrained(folder, max_shard_size="20kB")
    AutoTokenizer.from_pretrained(checkpoint).save_pretrained(folder)
    return folder


def as_pickle(folder: Path, **more: object) -> None:
    torch.save(load_file(folder / WEIGHTS) | more, folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def test_shards_pickled_tensors_and_links_are_the_same_model(checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    whole = wb.load_model(checkpoint)
    in_shards = sharded(checkpoint, tmp_path / "shards")
    assert len(list(in_shards.glob("*.safetensors"))) > 1
    (tmp_path / "link").symlink_to(in_shards)
    as_pickle(folder)
    for place in (in_shards, tmp_path / "link", folder, str(folder)):
        assert wb.load_model(place).fingerprint == whole.fingerprint


def test_a_model_in_bfloat16_computes_in_it(checkpoint: Path) -> None:
    full, half = wb.load_model(checkpoint), wb.load_model(checkpoint, dtype=torch.bfloat16)
    assert half.dtype == half.w_out(1).dtype == torch.bfloat16
    contrast = wb.Contrast.testbed("Openness", n=8)
    ours, exact = (wb.effect_sizes(wb.capture(one, contrast)).mean_difference for one in (half, full))
    assert ours.dtype == exact.dtype == torch.float64
    assert 0 < (ours - exact).abs().max() < 0.05 * exact.abs().max()


class _Ran:
    def __reduce__(self) -> tuple:
        return (os.system, ("touch ran",))


def test_a_pickle_that_holds_code_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    as_pickle(folder, code=_Ran())
    with pytest.raises(ValueError, match="holds more than tensors and could run code, so it is not read"):
        wb.load_model(folder)
    assert not (folder.parent / "ran").exists()


def written(name: str, content: str | bytes) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return spoil


def cut(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])


def without(*names: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return spoil


def without_tensor(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    del tensors["model.layers.1.mlp.down_proj.weight"]
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def wider(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}))


def indexed(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    index = {"metadata": {}, "weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))


def mine(folder: Path) -> None:
    """The same network under a configuration class of its own."""
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "mine.MyConfig", "AutoModelForCausalLM": "mine.LlamaForCausalLM"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text(
        "from transformers import LlamaConfig\nfrom transformers import LlamaForCausalLM as Theirs\n\n\n"
        "class MyConfig(LlamaConfig):\n    model_type = 'mine'\n\n\n"
        "class LlamaForCausalLM(Theirs):\n    config_class = MyConfig\n"
    )


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "a configuration cut off": (written("config.json", '{"model_type": "ll'), r"config\.json is not JSON \(.*Copy the"),
    "a configuration of nothing": (written("config.json", "{}"), "has no model_type"),
    "a list for a configuration": (written("config.json", "[]"), "has no model_type"),
    "an unknown architecture": (written("config.json", '{"model_type": "zebra"}'), "has model type `zebra`"),
    "weights cut off": (cut, r"model\.safetensors is cut off or damaged \(.*Copy the checkpoint again"),
    "empty weights": (written(WEIGHTS, b""), "model.safetensors is cut off or damaged"),
    "no weights": (without(WEIGHTS), "no file named model.safetensors"),
    "a shard missing": (indexed, "names 1 files, but 1 are missing: model-00002-of-00002.safetensors"),
    "a tensor missing": (
        without_tensor,
        "lacks 1 parameters of its network, which would be random: model.layers.1.mlp.down_proj.weight",
    ),
    "another width": (wider, r"6 tensors have another shape, first .*down_proj.weight, \(32, 48\) instead of \(32, 64"),
    "no tokenizer": (without("tokenizer.json", "tokenizer_config.json"), "its tokenizer is missing or damaged, put"),
    "a spoilt tokenizer": (written("tokenizer.json", "{"), "its tokenizer is missing or damaged"),
    "code of its own": (mine, "needs Python code of its own to load. Read it, and .* trust_remote_code=True"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_not_whole_is_told_in_one_line(what: str, folder: Path) -> None:
    spoil, reason = SPOILT[what]
    spoil(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=reason) as told:
        wb.load_model(folder)
    line = str(told.value)
    assert "\n" not in line
    assert str(folder) in line
    assert len(line) < 480 + len(str(folder))


BESIDE: dict[str, Callable[[Path], None]] = {
    "an index of pickles that are gone": written(
        "pytorch_model.bin.index.json", '{"weight_map": {"a": "pytorch_model-00001-of-00002.bin"}}'
    ),
    "an index of shards that are gone": written(f"{WEIGHTS}.index.json", '{"weight_map": {"a": "model-1-of-2.st"}}'),
    "an index cut off": written("pytorch_model.bin.index.json", '{"weight_map": '),
    "other weights cut off": written("consolidated.safetensors", b"cut"),
    "an optimizer's state": written("optimizer.safetensors", b""),
    "a pickle": written("pytorch_model.bin", b"none"),
    "what systems leave": lambda folder: [
        written(name, b"\0")(folder) for name in (".DS_Store", "._model.safetensors", "Thumbs.db", "config.json~")
    ],  # type: ignore[dict-item]
}


@pytest.mark.parametrize("what", BESIDE)
def test_what_is_not_read_is_not_judged(what: str, folder: Path, checkpoint: Path) -> None:
    BESIDE[what](folder)
    plain = AutoModelForCausalLM.from_pretrained(folder)
    loaded = wb.load_model(folder)
    assert loaded.fingerprint == wb.load_model(checkpoint).fingerprint
    theirs = plain.state_dict()["model.layers.1.mlp.down_proj.weight"]
    assert torch.equal(loaded.w_out(1).T, theirs)


def test_the_first_weights_in_transformers_order_are_checked(folder: Path, tmp_path: Path, checkpoint: Path) -> None:
    shards = sharded(checkpoint, tmp_path / "shards")
    as_pickle(folder)  # read last: shards of safetensors stand before a pickle
    for path in shards.glob("model*"):
        path.rename(folder / path.name)
    written("pytorch_model.bin", b"none")(folder)
    assert wb.load_model(folder).fingerprint == wb.load_model(checkpoint).fingerprint
    first = next(iter(sorted(folder.glob("model-*.safetensors"))))
    first.write_bytes(first.read_bytes()[:50])
    with pytest.raises(ValueError, match=f"{first.name} is cut off or damaged"):
        wb.load_model(folder)
    written(f"{WEIGHTS}.index.json", "[]")(folder)
    with pytest.raises(ValueError, match="has no weight_map"):
        wb.load_model(folder)


def test_code_of_its_own_runs_when_asked_and_says_so(
    folder: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    mine(folder)
    with pytest.warns(UserWarning, match=f"trust_remote_code is on: Python files that came with {folder} will run"):
        own = wb.load_model(folder, trust_remote_code=True)
    assert own.fingerprint == wb.load_model(checkpoint).fingerprint
    assert own.recipe is not None
    assert own.recipe["trust_remote_code"] is True


def test_where_it_should_live_is_checked_before_it_is_read(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"There is no device 'gpu'. Use cpu, cuda"):
        wb.load_model(folder, device="gpu")
    with pytest.raises(ValueError, match="not both; 'cpu' and 'auto' arrived"):
        wb.load_model(folder, device="cpu", device_map="auto")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="The device is 'cuda', but"):
            wb.load_model(folder, device="cuda")
    with pytest.raises(ValueError, match=r"config\.json is a file. Give the folder"):
        wb.load_model(folder / "config.json")
    with pytest.raises(ValueError, match="not a floating-point dtype"):
        wb.load_model(folder, dtype=torch.int8)


def test_raw_texts_follow_the_checkpoints_own_tokenizer(folder: Path, tmp_path: Path) -> None:
    """Whatever TransformerLens would put in front of them."""
    alphabet = {chr(code): place for place, code in enumerate(range(97, 123))} | {"<|endoftext|>": 26}
    GPT2Tokenizer(vocab=alphabet, merges=[]).save_pretrained(tmp_path / "gpt2")
    config = GPT2Config(vocab_size=27, n_positions=64, n_embd=16, n_layer=1, n_head=2, bos_token_id=26, eos_token_id=26)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    for place, text in ((tmp_path / "gpt2", "hi"), (folder, "I always talk.")):
        own = AutoTokenizer.from_pretrained(place)
        loaded = wb.load_model(place)
        assert loaded.tokens(text, chat=False) == [own(text)["input_ids"]]
        assert loaded.tokenizer.special_tokens_map == own.special_tokens_map
    # A base model's chat prompts are plain text by the same rule.
    assert loaded.rendering.value == "the chat template, system prompts included"
    assert wb.load_model(tmp_path / "gpt2").rendering.is_fallback
