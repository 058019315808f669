"""Whether two names are of one architecture: Hugging Face's `model_type`, or llama.cpp's spelling of it."""

_LLAMA_CPP = {
    "cohere": "commandr",
    "deepseekv2": "deepseek2",
    "deepseekv3": "deepseek2",
    "falconmamba": "mamba",
    "glm": "chatglm",
    "gptbigcode": "starcoder",
    "granitemoehybrid": "granitehybrid",
    "hunyuanv1dense": "hunyuandense",
    "hunyuanv1moe": "hunyuanmoe",
    "internlm3": "llama",
    "ministral3": "mistral3",
    "mistral": "llama",
    "mixtral": "llama",
    "nemotronnas": "deci",
    "olmo3": "olmo2",
    "phi": "phi2",
    "qwen25vl": "qwen2vl",
    "umt5": "t5",
}
"""What llama.cpp calls an architecture, where that differs from Hugging Face's name in more than punctuation."""


def same_architecture(one: str, other: str) -> bool:
    """Whether two names mean one architecture. Case, punctuation and the ending `_text` of a text model do not count.

    Example:
        >>> same_architecture("gemma3", "gemma3_text"), same_architecture("qwen2", "llama")
        (True, False)
    """
    first, second = _bare(one), _bare(other)
    return not first or not second or first == second or _LLAMA_CPP.get(first, first) == _LLAMA_CPP.get(second, second)


def _bare(name: str) -> str:
    bare = "".join(sign for sign in name.casefold() if sign.isalnum())
    return bare.removesuffix("text")
