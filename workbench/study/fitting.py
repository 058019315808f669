"""A plan fitted to the model that was loaded: what is not for this model is refused, what was published for it used."""

from dataclasses import replace

from workbench.model.embedded import FITS_ANY, require_embedded
from workbench.model.model import Model
from workbench.select.presets import Preset, preset_of
from workbench.study.config import StudyConfig
from workbench.study.plan import Plan
from workbench.testbed.speaking import TESTBED

PUBLISHED = ("layers", "min_d")
"""The settings that a preset gives where a study's file says none."""


def fitted(plan: Plan, model: Model) -> tuple[Plan, Preset | None]:
    """The plan with what was published for a model of this architecture and size, where the file does not say it.

    Its configuration has the template variables that the model runs with.

    Returns:
        The plan, and the preset if any of it is used.

    Raises:
        ValueError: in one line, if pairs, questions, items, statements or a scorer are of the embedded model alone and
            this is another one.
    """
    _refuse(plan, model)
    if model.template != plan.config.template:
        plan = replace(plan, config=plan.config.model_copy(update={"template": model.template}))
    preset = preset_of(model)
    taken = {} if preset is None else _published(plan.config, preset)
    if not taken:
        return plan, None
    return replace(plan, config=plan.config.model_copy(update=taken)), preset


def _refuse(plan: Plan, model: Model) -> None:
    of_embedded = ["contrast = 'testbed'"] if plan.config.contrast == TESTBED else []
    of_embedded += [part for each in (*plan.outcomes, *plan.traced) for part in each.of_embedded()]
    if of_embedded:
        instead = "For pairs take contrast = 'builtin', a PersonalityBench folder or a table"
        require_embedded(model, ", ".join(dict.fromkeys(of_embedded)), f"{FITS_ANY}. {instead}.")


def _published(config: StudyConfig, preset: Preset) -> dict[str, object]:
    """The preset's values for settings that nobody gave."""
    values = {"layers": preset.layers, "min_d": preset.rule.min_d}
    return {name: values[name] for name in PUBLISHED if name not in config.model_fields_set}
