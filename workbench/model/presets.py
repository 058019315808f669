"""Published settings of models that were steered before, found by what a model is, never by its name."""

from dataclasses import dataclass
from typing import Any

from workbench.model.model import Model

_DPN_LE = "Zheng et al., DPN-LE, arXiv 2604.27929"


@dataclass(frozen=True)
class Preset:
    """What a paper used on a model of this architecture and size: a default, to be overridden at will.

    Base models, later releases and fine-tuned descendants share the shape that it is found by; it was published for
    `name` alone.

    Attributes:
        name: the model of the paper.
        layers: target layers, from 0.
        quantile: q of tau_q.
        min_d: tau_d.
        gammas: the doses of its published numbers; compare doses as a curve, not one against another.
        source: where it was published.
    """

    name: str
    layers: tuple[int, ...]
    quantile: float
    min_d: float
    gammas: tuple[float, ...]
    source: str

    @property
    def selection(self) -> dict[str, Any]:
        """The arguments of `select_neurons` that it stands for."""
        return {"layers": self.layers, "quantile": self.quantile, "min_d": self.min_d}

    def __str__(self) -> str:
        doses = " and ".join(f"{gamma:g}" for gamma in self.gammas)
        return (
            f"published default for models of {self.name}'s architecture and size: layers {self.layers[0]}-"
            f"{self.layers[-1]}, q {self.quantile:g}, tau_d {self.min_d:g}, gamma {doses} ({self.source}); any of it "
            "may be overridden"
        )


@dataclass(frozen=True)
class Shape:
    """What tells models apart: architecture and size."""

    model_type: str
    n_layers: int
    d_model: int
    d_mlp: int


PRESETS = {
    Shape("llama", 32, 4096, 14336): Preset(
        "LLaMA-3-8B-Instruct", tuple(range(12, 32)), 0.995, 0.8, (0.8, 1.0), _DPN_LE
    ),
    Shape("qwen2", 28, 3584, 18944): Preset(
        "Qwen2.5-7B-Instruct", tuple(range(14, 28)), 0.995, 0.3, (0.8, 1.0), _DPN_LE
    ),
}
_MODEL_TYPES = {"LlamaForCausalLM": "llama", "Qwen2ForCausalLM": "qwen2"}


def preset_of(model: Model) -> Preset | None:
    """The published settings for models of this architecture and size; None where none are known.

    Reference:
        Zheng et al., DPN-LE: Dual Personality Neuron Localization and Editing for Large Language Models.

    Example:
        >>> import workbench as wb
        >>> preset_of(wb.load_model("testbed")) is None
        True
    """
    shape = shape_of(model)
    return None if shape is None else PRESETS.get(shape)


def shape_of(model: Model) -> Shape | None:
    """A model's architecture and size, read from itself; None for a mixture of experts."""
    configured = getattr(getattr(model.network, "config", None), "model_type", None)
    named = str(getattr(model.hooked.cfg, "original_architecture", None))  # of a HookedTransformer
    try:
        return Shape(str(configured or _MODEL_TYPES.get(named, named)), model.n_layers, model.d_model, model.d_mlp)
    except ValueError:
        return None
