"""Settings for some models, most of them published, found by a model's architecture and size, never by its name."""

from dataclasses import dataclass
from typing import Any

from workbench.model.model import Model
from workbench.select.settings import RuleSettings

_DPN_LE = "Zheng et al., DPN-LE, arXiv 2604.27929"


@dataclass(frozen=True)
class Preset:
    """The settings for a model of this architecture and size, as a paper used them. Any of them may be overridden.

    They are meant for `name` alone, but base models, later releases and fine-tuned descendants have the same
    architecture and size.

    Attributes:
        name: the model of the paper, or the one that they were chosen for here.
        layers: target layers, from 0.
        rule: the rule that chose neurons, and its thresholds.
        gammas: the doses of the published numbers; compare whole dose curves, not single doses.
        source: where they were published, or why they were chosen.
        published: whether a paper used them.
    """

    name: str
    layers: tuple[int, ...]
    rule: RuleSettings
    gammas: tuple[float, ...]
    source: str
    published: bool = True

    @property
    def selection(self) -> dict[str, Any]:
        """The arguments for `select_neurons`."""
        return {"settings": self.rule, "layers": self.layers}

    def __str__(self) -> str:
        doses = " and ".join(f"{gamma:g}" for gamma in self.gammas)
        kind = "published default" if self.published else "default"
        return (
            f"{kind} for models of {self.name}'s architecture and size: layers {self.layers[0]}-{self.layers[-1]}, "
            f"q {self.rule.quantile:g}, tau_d {self.rule.min_d:g}, gamma {doses} ({self.source}); any of it may be "
            "overridden"
        )


@dataclass(frozen=True)
class Shape:
    """A model's architecture and size."""

    model_type: str
    n_layers: int
    d_model: int
    d_mlp: int


PRESETS = {
    Shape("llama", 32, 4096, 14336): Preset(
        "LLaMA-3-8B-Instruct", tuple(range(12, 32)), RuleSettings(), (0.8, 1.0), _DPN_LE
    ),
    Shape("qwen2", 28, 3584, 18944): Preset(
        "Qwen2.5-7B-Instruct", tuple(range(14, 28)), RuleSettings(min_d=0.3), (0.8, 1.0), _DPN_LE
    ),
    Shape("llama", 30, 576, 1536): Preset(
        "SmolLM2-135M-Instruct",
        tuple(range(30)),
        RuleSettings(min_d=0.5),
        (1.0, 2.0),
        "chosen here, between the two published values of tau_d",
        published=False,
    ),
}
_MODEL_TYPES = {"LlamaForCausalLM": "llama", "Qwen2ForCausalLM": "qwen2"}


def preset_of(model: Model) -> Preset | None:
    """The published settings for models of this architecture and size; None if there are none.

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
    """A model's architecture and size; None for a mixture of experts."""
    model_type = getattr(getattr(model.network, "config", None), "model_type", None)
    architecture = str(getattr(model.hooked.cfg, "original_architecture", None))  # of a HookedTransformer
    try:
        d_mlp = model.d_mlp
    except ValueError:
        return None
    return Shape(str(model_type or _MODEL_TYPES.get(architecture, architecture)), model.n_layers, model.d_model, d_mlp)
