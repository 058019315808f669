"""A panel of widgets for notebooks: the effect map, and a model that answers as it is and steered."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from workbench.explore.explorer import Explorer
from workbench.explore.settings import checked_question
from workbench.measure.effects import Effects
from workbench.model.model import Model

if TYPE_CHECKING:
    from workbench.explore.widgets import TraitPanel


def trait_panel(model: Model, effects: Effects | Mapping[str, Effects], *, question: str | None = None) -> "TraitPanel":
    """Choose a trait's neurons and move the model by them, with sliders, in JupyterLab or VS Code.

    Sliders redraw the map and the counts as they move; the model answers anew once they rest.

    Args:
        model: the model that the effects were found in.
        effects: one trait's effects, or several traits' by name.
        question: what to ask first; by default nothing is asked until a question is typed.

    Returns:
        an `ipywidgets.VBox` whose parts are attributes: the controls `trait`, `layers`, `quantile`, `min_d`, `gamma`,
        `direction`, `scope` and `question`, the figures `map` and `counts`, the answers `base` and `steered`, and
        `message`, which says what is wrong.

    Raises:
        ImportError: if ipywidgets or anywidget are not installed.
        ValueError: for effects of another model, or a question that is empty or too long.
    """
    try:
        from workbench.explore.widgets import TraitPanel
    except ImportError as error:
        raise ImportError(
            f"The panel needs ipywidgets and anywidget ({error}). Install them with: pip install "
            "'dpn-workbench[notebooks]'"
        ) from None
    by_trait = {effects.trait: effects} if isinstance(effects, Effects) else dict(effects)
    asked = "" if question is None else checked_question(question)
    return TraitPanel(Explorer(model, by_trait), question=asked)
