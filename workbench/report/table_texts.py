"""Titles and captions of a study's tables, in reading order."""

from dataclasses import dataclass

from workbench.report.study_figures import causing, costing, editing, owning, resting, where


@dataclass(frozen=True)
class TableText:
    """What is said of a table.

    Attributes:
        title: what it shows. `{method}` stands for the arm under test, `{target}` and `{quantity}` for what is
            measured.
        caption: how to read it; likewise.
        group: the question that it helps to answer, as its figures have it.
    """

    title: str
    caption: str
    group: str


TABLES: dict[str, TableText] = {
    "equal_dose": TableText(
        "Arms at equal dose",
        "Shift of the {target} in the intended direction; every cost, and its change against the unedited model, "
        "paired. 95 % bootstrap intervals, clustered by what was asked.",
        editing.GROUP,
    ),
    "equal_shift": TableText(
        "Arms at equal trait shift",
        "Where each arm moves the traits as far as {method} does at the chosen gamma: the gamma it needs, what it "
        "costs there, and its cost minus that of {method} (negative: it costs more). `reached` is the share of "
        "resamples in which it gets there at all.",
        costing.GROUP,
    ),
    "equal_shift_by_dose": TableText(
        "Arms at equal trait shift, for every dose of {method}",
        "The same for the shift that {method} reaches at each of its doses (`method_gamma`), so that none is favoured.",
        costing.GROUP,
    ),
    "equal_loss": TableText(
        "Arms at equal loss",
        "The shift that each arm reaches where it first loses so much (`loss`) of a `cost`, and that shift minus that "
        "of {method}. An arm that never costs so much is read at its greatest dose (`reached` is false).",
        costing.GROUP,
    ),
    "shifts": TableText(
        "Shift by trait and direction",
        "Of the {target}, at the chosen gamma, against the unedited model; p by sign flips of whole clusters, Holm "
        "over the traits of an arm and direction. `unscored` rows have no score and count as not moved; had they moved "
        "as far as can be, the shift would lie from `least` to `most`. A random control is the mean of its draws.",
        editing.GROUP,
    ),
    "shifts_QUANTITY": TableText(
        "Shift of the {quantity} by trait and direction",
        "At the chosen gamma, against the unedited model; p by sign flips of whole clusters, Holm over the traits of "
        "an arm and direction; `unscored` rows have no score and count as not moved.",
        editing.GROUP,
    ),
    "against_controls": TableText(
        "Shift of {method} beyond each control's",
        "Of the {target}, paired by what was asked, at the chosen gamma; prompts have no dose. A random control is the "
        "mean of its draws: `p_draws` is the chance of a rank so high if {method} were one more draw. p by sign flips "
        "of whole clusters, Holm over the traits of a control.",
        editing.GROUP,
    ),
    "draws": TableText(
        "Draws of the random controls",
        "The shift of each draw at the chosen gamma.",
        editing.GROUP,
    ),
    "kept": TableText(
        "What is kept",
        "Each cost with a margin, at the chosen gamma: the change with one-sided 95 % bounds. A loss of up to -`lower` "
        "cannot be excluded.",
        costing.GROUP,
    ),
    "QUANTITY_tests": TableText(
        "{quantity} against the unedited model",
        "Right or wrong, paired item by item: McNemar and permutation tests, Holm over tasks and traits. A loss of up "
        "to -`lower` cannot be excluded; `detectable` is the smallest loss that so many items would show.",
        costing.GROUP,
    ),
    "specificity": TableText(
        "Trait edited and trait measured",
        "Shift of the measured trait's score when a trait is edited in a direction, with Holm over all cells; an "
        "answer without a score has not moved, and `coverage_change` tells how many more have none.",
        editing.GROUP,
    ),
    "statements_specificity": TableText(
        "Trait edited and trait whose statements are scored",
        "Shift of the likelihood of the measured trait's statements, high minus low, in nats per token when a trait is "
        "edited in a direction; resampled by pair of statements, with Holm over all cells.",
        editing.GROUP,
    ),
    "questionnaire": TableText(
        "Questionnaire",
        "Expected score of statements by the probability of the options, their order permuted, reversed items keyed; "
        "shift in the intended direction. `unparsed`: items whose options carry too little probability.",
        editing.GROUP,
    ),
    "statements_validity": TableText(
        "Do the statements tell what a persona does?",
        "Shift of the statements' likelihood, high minus low, in nats per token under the persona prompt, by "
        "direction, with 95 % intervals over pairs of statements. Where neither direction is `valid`, claims on that "
        "trait are not judged.",
        editing.GROUP,
    ),
    "statements_share": TableText(
        "Shift of statements as a share of the persona prompt's",
        "0 is the unedited model and 1 what the persona prompt does in the same direction; pairs of statements of both "
        "resampled together (95 %). Missing where the persona prompt's own shift is not surely above 0.",
        editing.GROUP,
    ),
    "statements_wrong_way": TableText(
        "Statements that move the wrong way",
        "The share of statements, and of pairs of a high and a low one, whose own shift goes against the intended "
        "direction at the chosen gamma, with 95 % intervals. In a pair, what changes all statements alike cancels.",
        editing.GROUP,
    ),
    "statements_items": TableText(
        "Each statement's own shift",
        "At the chosen gamma, in nats per token: `change` against the unedited model, and `shift`, the change in the "
        "direction that the statement's pole calls for. Of a random control the first draw.",
        editing.GROUP,
    ),
    "quantile_sweep": TableText(
        "More neurons, or fewer",
        "{method} and its control at other quantiles, at the chosen gamma; `share` is that of the target layers' "
        "neurons. Shift in the intended direction; changes against the unedited model, paired.",
        editing.GROUP,
    ),
    "cost_by_breadth": TableText(
        "Cost by breadth",
        "What each arm costs where it moves the traits as far as {method} does at the chosen gamma, fewest edited "
        "units first; missing where an arm never moves them as far.",
        costing.GROUP,
    ),
    "fluency": TableText(
        "Fluency of the answers",
        "Change against the unedited model's answer: log perplexity under the unedited model, repetition, length.",
        costing.GROUP,
    ),
    "perplexity_changes": TableText(
        "Perplexity",
        "Of neutral passages and of the unedited model's own answers: mean log-likelihood per token, its change "
        "against the unedited model on the same text (below 0: less likely), and `ratio`, the perplexity divided by "
        "the unedited model's.",
        costing.GROUP,
    ),
    "scopes": TableText(
        "Scopes",
        "{method} at the chosen gamma with other positions edited; decode alone is the published implementation.",
        editing.GROUP,
    ),
    "tradeoff": TableText(
        "Shift and costs at every dose",
        "Shift of the {target} in the intended direction, and every cost with its change against the unedited model, "
        "paired, by arm, dose and trait. 95 % bootstrap intervals, clustered by what was asked.",
        costing.GROUP,
    ),
    "patching_verdict": TableText(
        "What patching says",
        "By trait and direction: whether the selected neurons cause more than as many others of like magnitude; that "
        "they cause as much leaves it undecided. Clustered t tests over pairs.",
        causing.GROUP,
    ),
    "ablation": TableText(
        "Ablation",
        "The share of the persona's effect on the next token that is lost when a set's activations are put to their "
        "mean.",
        causing.GROUP,
    ),
    "edited": TableText(
        "What was edited",
        "Edited (position, layer) pairs and forward passes, by arm, dose, outcome and phase.",
        editing.GROUP,
    ),
    "search": TableText(
        "How gamma was chosen",
        "On the search's own questions and items: the greatest shift of the {target} among the doses that keep within "
        "the bounds. Nothing of it is used again.",
        editing.GROUP,
    ),
    "layers_tried": TableText(
        "How the layer of the one-layer rival was chosen",
        "On the search's own questions and items, at gamma 1: the layer in which a residual shift moves the trait "
        "furthest within the bounds.",
        editing.GROUP,
    ),
    "neurons_edited": TableText(
        "What each arm edits",
        "Units at the arm's site: neurons, or residual-stream coordinates. `write_ratio`: the norm of what the whole "
        "arm writes to the residual stream, as a share of the edit's that it is to equal.",
        editing.GROUP,
    ),
    "above_tau_q": TableText(
        "The effect sizes that min_d is put to",
        "|d| of the neurons above tau_q (50, 90, 99 % and the largest), how many pass min_d, the largest min_d that "
        "selects any neuron and the largest that selects ten, with what they select. Shown where the rule selects "
        "nothing of a trait.",
        where.GROUP,
    ),
    "null": TableText(
        "What shuffled labels select",
        "Neurons that pass the rule under the true labels and under shuffled ones (mean, 95 % of permutations), and "
        "how many of all neurons differ between the poles with errors held over the whole model (max-T) or as a "
        "false-discovery rate, both at 5 %.",
        resting.GROUP,
    ),
    "stability": TableText(
        "Stability of the selection",
        "Under other descriptions and questions; ranges hold 95 % of splits, neurons or clusters.",
        resting.GROUP,
    ),
    "exclusivity": TableText(
        "Exclusivity against the neutral arm",
        "Layer -1 is all layers together. Matched: against sets drawn among neurons of like activation size. "
        "`correlation_halves` takes different descriptions on both sides, neutral ones too, as their noise alone "
        "correlates both contrasts; its interval lets descriptions and neurons vary.",
        owning.GROUP,
    ),
    "exclusivity_kinds": TableText(
        "Exclusivity by kind of neutral prompt",
        "All layers together, against prompts without a system prompt and against neutral personas. A verdict on the "
        "trait has to hold against each kind of which there is `enough`, personas among them.",
        owning.GROUP,
    ),
    "start_layer": TableText(
        "Start layer", "The first layer that tells the poles apart as well as any, and why.", where.GROUP
    ),
    "trait_overlap": TableText(
        "Overlap between traits",
        "Selections by trait and pole, with one-sided hypergeometric tests; Holm over the pairs of different traits. "
        "Matched: chance among neurons whose mean difference is as unsure. The margin is a fifth of the smaller set.",
        owning.GROUP,
    ),
    "valence_overlap": TableText(
        "Overlap by desirability",
        "Pairs of different traits' poles: geometric mean of the lift, and the ratio of pairs of one valence to "
        "opposite ones, with the share of all ways to call poles desirable that give as much, and the least that this "
        "can be.",
        owning.GROUP,
    ),
    "valence_share": TableText(
        "What the other traits explain",
        "Cosine of a trait's effect with the direction that the other traits share by valence, and its square.",
        owning.GROUP,
    ),
    "balance": TableText(
        "Balance of the poles",
        "Standardised difference of each confound, high minus low, with intervals clustered by description and "
        "question.",
        resting.GROUP,
    ),
    "balance_pairs": TableText("Likeness within pairs", "Of the high and the low text of each pair.", resting.GROUP),
    "predictability": TableText(
        "The poles told apart from confounds alone",
        "Held-out area under the curve of a probe that sees the table above and nothing else; 0.5 is balance.",
        resting.GROUP,
    ),
    "sensitivity": TableText(
        "Other thresholds",
        "What the dual rule selects, and its Jaccard with the selection that is edited.",
        resting.GROUP,
    ),
    "selection": TableText(
        "What each criterion kept and removed",
        "By layer: tau_q of |s|, the neurons above it, those above tau_d, the chosen High and Low, and what each "
        "criterion alone removed.",
        where.GROUP,
    ),
}
"""What is said of each table, by its name in the study. QUANTITY stands for any quantity's name."""
