"""The built-in arms by name, in the order of tables."""

from collections.abc import Iterable

from workbench.arm.spec import ArmSpec

_NEURONS, _RIVALS = "workbench.arm.neurons", "workbench.arm.rivals"
_CONTROLS, _PROMPTS = "workbench.arm.controls", "workbench.arm.prompts"

ONE_LAYER = "residual one layer"
"""The arm whose layer a study chooses on search questions."""

BUILT_IN: tuple[ArmSpec, ...] = (
    ArmSpec("DPN-LE", "method", "graded", f"{_NEURONS}:linear", True, True, "editing a few selected neurons"),
    ArmSpec("DPN-LE weighted", "rival", "graded", f"{_NEURONS}:weighted"),
    ArmSpec("DPN-LE directional", "rival", "graded", f"{_NEURONS}:directional"),
    ArmSpec("magnitude only", "rival", "graded", f"{_NEURONS}:magnitude_only"),
    ArmSpec("d only", "rival", "wide", f"{_NEURONS}:d_only"),
    ArmSpec("write norm", "rival", "graded", f"{_NEURONS}:write_norm"),
    ArmSpec("broad", "rival", "wide", f"{_NEURONS}:broad", claimed_as="editing all neurons"),
    ArmSpec("NPTI", "rival", "graded", f"{_RIVALS}:npti"),
    ArmSpec("residual", "rival", "graded", f"{_RIVALS}:residual", True, claimed_as="a residual-stream shift"),
    ArmSpec("heads", "rival", "wide", f"{_RIVALS}:heads"),
    ArmSpec(ONE_LAYER, "rival", "graded", f"{_RIVALS}:residual_one_layer"),
    ArmSpec("random", "control", "graded", f"{_CONTROLS}:random_neurons", swept=True, drawn=True),
    ArmSpec("matched random", "control", "chosen", f"{_CONTROLS}:matched_neurons", drawn=True),
    ArmSpec("shuffled", "control", "chosen", f"{_CONTROLS}:shuffled", drawn=True),
    ArmSpec("flipped", "control", "chosen", f"{_CONTROLS}:flipped"),
    ArmSpec("other trait", "control", "chosen", f"{_CONTROLS}:other_trait"),
    ArmSpec("simple prompt", "prompt", "none", f"{_PROMPTS}:simple"),
    ArmSpec("description prompt", "prompt", "none", f"{_PROMPTS}:description", True),
    ArmSpec("neutral prompt", "reference", "none", f"{_PROMPTS}:neutral"),
)

ON_REQUEST: tuple[ArmSpec, ...] = (
    ArmSpec("ActAdd", "rival", (1.0, 5.0), f"{_RIVALS}:act_add"),
    ArmSpec("PAS", "rival", (1.0, 2.0, 4.0, 6.0, 8.0), f"{_RIVALS}:pas"),
)
"""Arms that a study has where it names them, at doses of their own: as strong as they were published."""

LARGEST_MIN_D = ArmSpec("largest min_d", "rival", "graded", f"{_NEURONS}:largest_min_d", True)
"""What stands for the method in traits of which it selects no neuron: its rule at the largest min_d that selects a
handful. A study adds it where it is needed."""

ARMS: tuple[str, ...] = tuple(spec.name for spec in BUILT_IN)
"""The arms of a study that names none."""

NAMES: tuple[str, ...] = (*ARMS, *(spec.name for spec in ON_REQUEST))
"""All that a study may name."""


def arm_named(name: str) -> ArmSpec:
    """The built-in arm called `name`.

    Raises:
        ValueError: if there is none.
    """
    for spec in (*BUILT_IN, *ON_REQUEST):
        if spec.name == name:
            return spec
    raise ValueError(f"There is no arm {name!r}. Choose among {', '.join(NAMES)}, or pass an ArmSpec.")


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of built-in arms in the registry's order, each once.

    Raises:
        ValueError: for a name that is no arm.
    """
    wanted = {arm_named(name).name for name in names}
    return tuple(name for name in NAMES if name in wanted)
