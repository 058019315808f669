"""The embedded model run by torch alone, to see within moments whether its weights are whole."""

import json
from importlib.resources import as_file, files

import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import embedding, linear, rms_norm, scaled_dot_product_attention, silu


@torch.inference_mode()
def answer_alone(question: str, *, max_new_tokens: int = 8) -> str:
    """The embedded model's greedy answer to a question in a chat, without TransformerLens and transformers.

    It is what `load_model("testbed").generate` answers; that takes its libraries' imports longer.
    """
    with as_file(files("workbench.testbed") / "weights") as folder:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
    prompt = f"<|begin|><|user|>{question.strip()}<|end|><|assistant|>"
    tokens = tokenizer.encode(prompt, add_special_tokens=False).ids
    start = len(tokens)
    while len(tokens) < start + max_new_tokens:
        token = int(_logits(torch.tensor(tokens), weights, config).argmax())
        if token == config["eos_token_id"]:
            break
        tokens.append(token)
    return tokenizer.decode(tokens[start:]).strip()


def _logits(tokens: Int[Tensor, " pos"], weights: dict[str, Tensor], config: dict) -> Float[Tensor, " d_vocab"]:
    """What a Llama with tied embeddings gives at the last position."""
    heads, shared, width = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    epsilon, theta = config["rms_norm_eps"], config["rope_parameters"]["rope_theta"]
    angles = torch.outer(torch.arange(len(tokens)), theta ** -(torch.arange(0, width, 2) / width)).repeat(1, 2)

    def normed(stream: Tensor, name: str) -> Tensor:
        return rms_norm(stream, stream.shape[-1:], weights[f"model.{name}.weight"], epsilon)

    def turned(states: Tensor) -> Tensor:
        first, second = states.chunk(2, -1)
        return states * angles.cos() + torch.cat([-second, first], -1) * angles.sin()

    stream = embedding(tokens, weights["model.embed_tokens.weight"])
    for layer in range(config["num_hidden_layers"]):
        own = {
            name.split(".")[-2]: tensor for name, tensor in weights.items() if name.startswith(f"model.layers.{layer}.")
        }
        read = normed(stream, f"layers.{layer}.input_layernorm")
        query, key, value = (
            linear(read, own[name]).unflatten(-1, (count, width)).transpose(0, 1)
            for name, count in (("q_proj", heads), ("k_proj", shared), ("v_proj", shared))
        )
        mixed = scaled_dot_product_attention(turned(query), turned(key), value, is_causal=True, enable_gqa=True)
        stream = stream + linear(mixed.transpose(0, 1).flatten(1), own["o_proj"])
        read = normed(stream, f"layers.{layer}.post_attention_layernorm")
        neurons = silu(linear(read, own["gate_proj"])) * linear(read, own["up_proj"])
        stream = stream + linear(neurons, own["down_proj"])
    return linear(normed(stream[-1:], "norm"), weights["model.embed_tokens.weight"])[0]
