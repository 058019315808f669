"""Effects, kept rows and steered tokens of the embedded weights, by whichever TransformerLens is on the path.

`python generation_report.py bridge|hooked OUT.safetensors`: a script, so that a test can run it under TransformerLens
3 while it runs under 4 itself.
"""

import importlib
import sys
from importlib.metadata import version
from importlib.resources import as_file, files
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import workbench as wb
from workbench.model.likelihood import log_likelihoods


def hooked_transformer() -> wb.Model:
    """The embedded weights in a `HookedTransformer`."""
    lens: Any = importlib.import_module("transformer_lens")
    conversions: Any = importlib.import_module("transformer_lens.pretrained.weight_conversions")
    with as_file(files("workbench.testbed") / "weights") as folder:
        network = AutoModelForCausalLM.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    config = network.config
    rope = getattr(config, "rope_parameters", None) or {"rope_theta": config.rope_theta}
    hooked = lens.HookedTransformer(
        lens.HookedTransformerConfig(
            n_layers=config.num_hidden_layers,
            d_model=config.hidden_size,
            n_ctx=config.max_position_embeddings,
            d_head=config.hidden_size // config.num_attention_heads,
            n_heads=config.num_attention_heads,
            n_key_value_heads=config.num_key_value_heads,
            d_mlp=config.intermediate_size,
            d_vocab=config.vocab_size,
            act_fn="silu",
            gated_mlp=True,
            normalization_type="RMS",
            final_rms=True,
            eps=config.rms_norm_eps,
            positional_embedding_type="rotary",
            rotary_base=int(rope["rope_theta"]),
            rotary_dim=config.hidden_size // config.num_attention_heads,
            rotary_adjacent_pairs=False,
            original_architecture="LlamaForCausalLM",
            dtype=torch.float32,
            device="cpu",
        ),
        tokenizer,
        move_to_device=False,
        default_padding_side="left",
    )
    hooked.load_state_dict(conversions.convert_llama_weights(network, hooked.cfg), strict=False)
    return wb.wrap_model(hooked, tokenizer, name="testbed")


def report(model: wb.Model) -> dict[str, torch.Tensor]:
    """What must be equal in every generation."""
    contrast = wb.Contrast.testbed("Extraversion", n=30, seed=3)
    found: dict[str, torch.Tensor] = {}
    tallies = wb.capture_sites(
        model,
        contrast,
        sites=["hook_post", "hook_pre", "resid_mid", "resid_post", "mlp_out", "z"],
        settings=wb.CaptureSettings(min_saving=1),
    )
    for site, tally in tallies.items():
        effects = wb.effect_sizes(tally)
        found[f"{site}.mean_difference"] = effects.mean_difference.contiguous()
        found[f"{site}.cohens_d"] = effects.cohens_d.contiguous()
    found["shares"] = torch.tensor(bool(model.shares_beginnings))
    effects = wb.effect_sizes(tallies["hook_post"])
    edit = wb.dpn_edit(effects, wb.select_neurons(effects, quantile=0.99), gamma=1.0)
    asked = [f"How do you spend {time}?" for time in ("the evening", "a free day", "your holiday", "the morning")]
    for scope in ("all", "generated", "decode"):
        with wb.edited(model, edit, scope=scope):
            for row, tokens in enumerate(model.generate_tokens(asked, max_new_tokens=12)):
                found[f"{scope}.{row}"] = torch.tensor(tokens)
            judged = log_likelihoods(model, model.tokens([asked[0], "What is 2 + 3?"]), [[[5, 6, 7]], [[8], [9, 10]]])
            for row, several in enumerate(judged):
                found[f"{scope}.likelihood.{row}"] = torch.cat(several)
    return found


if __name__ == "__main__":
    kind, out = sys.argv[1:]
    reported = report(hooked_transformer() if kind == "hooked" else wb.load_model("testbed"))
    save_file(reported, out, metadata={"transformer_lens": version("transformer-lens"), "kind": kind})
