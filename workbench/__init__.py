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
from workbench.capture.capturing import capture, capture_sites
from workbench.capture.folder import load_capture
from workbench.capture.settings import CaptureSettings, plan_capture
from workbench.capture.tally import Activations, Tally
from workbench.capture.top_prompts import top_prompts
from workbench.contrast.contrast import Contrast
from workbench.contrast.embedding import SentenceEmbedder
from workbench.contrast.prompt import Prompt
from workbench.edit.ablating import ablate, ablated, reference_values
from workbench.edit.applying import edited
from workbench.edit.attribution import attribution
from workbench.edit.controls import (
    flipped_control,
    matched_control,
    other_trait_control,
    random_control,
    shuffled_control,
)
from workbench.edit.edit import Composite, Edit, load_edit
from workbench.edit.making import dpn_edit, residual_edit
from workbench.edit.patching import patch
from workbench.edit.prompting import Instruction, description_prompt, neutral_prompt, simple_prompt
from workbench.edit.readout import token_difference
from workbench.edit.rivals import head_edit, npti_edit
from workbench.edit.verdict import causal_verdict, compare_sets
from workbench.explore.explorer import Explorer
from workbench.explore.panel import trait_panel
from workbench.export.baking import bake
from workbench.export.control_vector import export_control_vector, read_control_vector
from workbench.export.dpn_le import read_dpn_le, write_dpn_le
from workbench.export.exporting import export_edit
from workbench.export.npti import read_npti, read_npti_folder
from workbench.export.steering import read_steering
from workbench.measure.comparing import compare_arms, equal_loss, specificity_matrix
from workbench.measure.effects import Effects, effect_sizes
from workbench.measure.exclusivity import exclusivity
from workbench.measure.geometry import pca
from workbench.measure.nulls import false_discovery
from workbench.measure.overlap import overlap, overlap_matrix
from workbench.measure.planted import planted
from workbench.measure.resampled import bootstrap_errors
from workbench.measure.rows import auroc, paired_d, partial_d
from workbench.measure.separability import separability, start_layer
from workbench.measure.valence import shared_valence, valence_structure
from workbench.model.lens import top_tokens
from workbench.model.loading import load_model, wrap_model
from workbench.model.model import Model
from workbench.model.presets import Preset, preset_of
from workbench.report.files import write_figures, write_tables
from workbench.report.study_page import write_study_report
from workbench.score.answers import Condition
from workbench.score.calibrating import calibrate
from workbench.score.harness.evaluating import HarnessOutcomes, evaluate_harness
from workbench.score.harness.model import harness_model
from workbench.score.harness.tasks import local_task
from workbench.score.items.gsm8k import read_gsm8k
from workbench.score.items.question_answering import read_questions
from workbench.score.judge.agreement import judge_agreement
from workbench.score.judge.endpoint import EndpointJudge
from workbench.score.judge.judging import judge_answers
from workbench.score.judge.local import LocalJudge
from workbench.score.judge.plan import plan_judging
from workbench.score.judge.rubric import trait_rubric
from workbench.score.questionnaire.asking import ask_questionnaire
from workbench.score.questionnaire.distance import distance_to_respondent, trivial_distances
from workbench.score.questionnaire.keys import read_keys, statements_of, trait_profile
from workbench.score.questionnaire.reliability import questionnaire_alpha
from workbench.score.questionnaire.respondents import read_respondents, read_split
from workbench.select.controls import match_quality, matched_neurons
from workbench.select.null import permutation_null
from workbench.select.rules import select_neurons
from workbench.select.selection import Selection
from workbench.select.stability import agreement, sensitivity, stability
from workbench.study.config import StudyConfig
from workbench.study.running import run_study
from workbench.study.study import Study, load_study
from workbench.vocabulary import BIG_FIVE, NeuronSet, Pole

__version__ = "0.1.0"

__all__ = [
    "Activations",
    "BIG_FIVE",
    "CaptureSettings",
    "Composite",
    "Condition",
    "Contrast",
    "Edit",
    "Effects",
    "EndpointJudge",
    "Explorer",
    "HarnessOutcomes",
    "Instruction",
    "LocalJudge",
    "Model",
    "NeuronSet",
    "Pole",
    "Preset",
    "Prompt",
    "Selection",
    "SentenceEmbedder",
    "Study",
    "StudyConfig",
    "Tally",
    "ablate",
    "ablated",
    "agreement",
    "ask_questionnaire",
    "attribution",
    "auroc",
    "bake",
    "bootstrap_errors",
    "calibrate",
    "capture",
    "capture_sites",
    "causal_verdict",
    "compare_arms",
    "compare_sets",
    "description_prompt",
    "distance_to_respondent",
    "dpn_edit",
    "edited",
    "effect_sizes",
    "equal_loss",
    "evaluate_harness",
    "exclusivity",
    "export_control_vector",
    "export_edit",
    "false_discovery",
    "flipped_control",
    "harness_model",
    "head_edit",
    "judge_agreement",
    "judge_answers",
    "load_capture",
    "load_edit",
    "load_model",
    "load_study",
    "local_task",
    "match_quality",
    "matched_control",
    "matched_neurons",
    "neutral_prompt",
    "npti_edit",
    "other_trait_control",
    "overlap",
    "overlap_matrix",
    "paired_d",
    "partial_d",
    "patch",
    "pca",
    "permutation_null",
    "plan_capture",
    "plan_judging",
    "planted",
    "plots",
    "preset_of",
    "questionnaire_alpha",
    "random_control",
    "read_control_vector",
    "read_dpn_le",
    "read_gsm8k",
    "read_keys",
    "read_npti",
    "read_npti_folder",
    "read_questions",
    "read_respondents",
    "read_split",
    "read_steering",
    "reference_values",
    "residual_edit",
    "run_study",
    "select_neurons",
    "sensitivity",
    "separability",
    "shared_valence",
    "shuffled_control",
    "simple_prompt",
    "specificity_matrix",
    "stability",
    "start_layer",
    "statements_of",
    "token_difference",
    "top_prompts",
    "top_tokens",
    "trait_panel",
    "trait_profile",
    "trait_rubric",
    "trivial_distances",
    "valence_structure",
    "wrap_model",
    "write_dpn_le",
    "write_figures",
    "write_study_report",
    "write_tables",
]
