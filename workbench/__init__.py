"""Find the MLP neurons that carry a trait in a language model, edit them, and test what they cause.

import workbench as wb

model = wb.load_model("testbed")
pairs = wb.Contrast.testbed("Extraversion", n=400)
effects = wb.effect_sizes(wb.capture(model, pairs))
chosen = wb.select_neurons(effects, rule="dual", quantile=0.995, min_d=0.8)
with wb.edited(model, wb.dpn_edit(effects, chosen, gamma=1.0, direction="increase")):
    print(model.generate("How do you spend your time at the office party?"))
"""

from workbench import plots
from workbench.capture.capturing import capture
from workbench.capture.tally import Activations, Tally
from workbench.contrast.contrast import Contrast
from workbench.contrast.prompt import Prompt
from workbench.edit.applying import edited
from workbench.edit.edit import Edit
from workbench.edit.making import dpn_edit, random_control, residual_edit
from workbench.measure.effect import Effects, effect_sizes
from workbench.measure.geometry import pca
from workbench.measure.overlap import overlap
from workbench.model.loading import load_model, wrap_model
from workbench.model.model import Model
from workbench.report.study_page import write_study_report
from workbench.select.rules import select_neurons
from workbench.select.selection import Selection
from workbench.study.config import StudyConfig
from workbench.study.running import run_study
from workbench.study.study import Study, load_study
from workbench.vocabulary import BIG_FIVE, NeuronSet, Pole

__version__ = "0.1.0"

__all__ = [
    "Activations",
    "BIG_FIVE",
    "Contrast",
    "Edit",
    "Effects",
    "Model",
    "NeuronSet",
    "Pole",
    "Prompt",
    "Selection",
    "Study",
    "StudyConfig",
    "Tally",
    "capture",
    "dpn_edit",
    "edited",
    "effect_sizes",
    "load_model",
    "load_study",
    "overlap",
    "pca",
    "plots",
    "random_control",
    "residual_edit",
    "run_study",
    "select_neurons",
    "wrap_model",
    "write_study_report",
]
