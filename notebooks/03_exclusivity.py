# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: jupytext,kernelspec,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does each pole use its own neurons?
#
# DPN-LE reports *High neurons* and *Low neurons*, and that the two sets do not overlap. It is tempting to read this as
# a discovery: extraversion and introversion are stored apart. This notebook shows why that zero proves nothing, asks
# the question in a way that allows for either answer, and gets a qualified one. Then it asks the same about different
# traits.

# %%
import warnings

import pandas as pd
import torch
from IPython.display import Markdown

import workbench as wb

pd.set_option("display.float_format", "{:.2f}".format, "display.max_colwidth", None)

model = wb.load_model("testbed")

# %% [markdown]
# ## Zero overlap, as published
#
# High neurons are those of the selected ones whose mean is larger on the high pole, Low neurons those whose mean is
# larger on the low pole. Here are the 5 % of each layer with the largest mean difference, 312 neurons in all, and what
# the two sets share. Random sets of these sizes would share four, and a hypergeometric test calls the lack of overlap
# significant (`p_depletion`).

# %%
pairs = wb.Contrast.testbed("Extraversion", n=200, seed=0)
effects = wb.effect_sizes(wb.capture(model, pairs))
neurons = effects.cohens_d.numel()
chosen = wb.select_neurons(effects, rule="magnitude-only", quantile=0.95)
found = {"Extraversion": vars(wb.overlap(chosen.high, chosen.low, population=neurons))}
pd.DataFrame(found).T[["size_a", "size_b", "intersection", "p_depletion"]]

# %% [markdown]
# ## Zero overlap, of nothing
#
# Now a contrast without a trait: 200 extraverted personas, the first hundred called high and the second hundred low.
# There is nothing to find, and the table looks the same. A mean difference has *one* sign, so a neuron is in one set or
# in the other whatever the data are. **High and Low of one contrast are disjoint by construction.** The zero and its
# p-value say nothing about the model.

# %%
nothing = wb.Contrast("nothing", high=pairs.high[:100], low=pairs.high[100:])
empty = wb.select_neurons(wb.effect_sizes(wb.capture(model, nothing)), rule="magnitude-only", quantile=0.95)
found["nothing"] = vars(wb.overlap(empty.high, empty.low, population=neurons))
pd.DataFrame(found).T[["size_a", "size_b", "intersection", "p_depletion"]]

# %% [markdown]
# ## A question that can be answered either way
#
# Give the contrast a third arm: a persona that says nothing of the trait. Then High is what the extraverted persona
# raises *above neutral* (d above 0.8), Low what the introverted one raises above neutral, and a neuron may be in both,
# in one or in neither. `exclusivity` holds the overlap against sets drawn among neurons of like size in the same layer
# (large neurons are raised by anything, which alone makes sets overlap), and correlates the two effects over all
# neurons. Both effects subtract the same neutral arm, whose noise would correlate them by itself. So one effect is
# taken from one half of the descriptions and the other from the other half, on average over all ways to halve them, and
# its interval lets the descriptions of every pole vary: a single neutral persona, or a few, would decide nothing.
#
# Does it find the truth where the truth is known? In three simulated captures, each pole raises neurons of its own,
# both raise the same ones, or each raises some at random.

# %%
columns = ["high", "low", "intersection", "matched_expected", "correlation_halves"]
rows = {}
for persona in ("exclusive", "shared", "independent"):
    simulated = wb.measure.planted(rows=400, width=400, neurons=40, effect=2.0, persona=persona, seed=0)
    judged = wb.exclusivity(simulated.rows, min_d=0.8)
    rows[persona] = {name: judged.total[name] for name in columns} | {"verdict": judged.verdict}
pd.DataFrame.from_dict(rows, orient="index").astype(dict.fromkeys(columns[:3], int)).rename_axis("planted")

# %% [markdown]
# It finds what was planted, and claims nothing where the poles were drawn independently of each other. Now the model:
# 200 rows, clustered by description and question. How a neutral prompt is made should not decide what is said of the
# poles, so the neutral arm has two kinds of them: three in four have one of many personas that say nothing of any
# trait, the others have no system prompt at all. A verdict has to hold against both.

# %%
tallies = {
    trait: wb.capture(model, wb.Contrast.testbed(trait, n=200, seed=0), clusters=("description", "question"))
    for trait in wb.BIG_FIVE
}
extraversion = wb.exclusivity(tallies["Extraversion"], min_d=0.8)
Markdown(f"**{extraversion.verdict}.** {extraversion.text}")

# %% [markdown]
# Every point is a neuron: to the right if the extraverted persona raises it above neutral, up if the introverted one
# does. Were the poles opposites, the points would lie along the falling diagonal and the upper right would be empty. It
# holds 819 neurons, a third of either set. That is fewer than sets of like size would share, 907, but whether the two
# effects oppose each other depends on the kind of neutral prompt: surely so against no system prompt, not against
# personas. So nothing is decided for this trait.

# %%
layers, width = extraversion.contrasts[0].shape
contrasts = pd.DataFrame(
    {
        "layer": [layer for layer in range(layers) for _ in range(width)],
        "neuron": [neuron for _ in range(layers) for neuron in range(width)],
        "d_high_neutral": extraversion.contrasts[0].flatten(),
        "d_low_neutral": extraversion.contrasts[1].flatten(),
    }
)
wb.plots.exclusivity_scatter(contrasts, min_d=0.8)

# %% [markdown]
# ## All five traits
#
# `expected` is what sets drawn among neurons of like size would share, `p fewer` and `p more` are one-sided tests
# against it; the next columns have the correlation of the two effects against each kind of neutral prompt. `exclusive`
# needs fewer than expected **and** opposed effects, `shared` more **and** agreeing ones, against both kinds. Three
# traits are exclusive in this sense, also after Holm's correction over the five (`p exclusive`), two stay open. Mind
# what it says: the poles of Neuroticism still share a quarter of their neurons, where sets of like size would share a
# third. They lean apart; they are not stored apart.

# %%
judged = {trait: wb.exclusivity(tally, min_d=0.8) for trait, tally in tallies.items()}
table = pd.DataFrame([each.total | {"trait": trait, "verdict": each.verdict} for trait, each in judged.items()])
by_kind = pd.DataFrame([each.kinds.set_index("kind")["correlation_halves"].to_dict() for each in judged.values()])
table = table.join(by_kind[["persona", "none"]])
table["p_exclusive"] = wb.measure.holm([each.p_exclusive for each in judged.values()])
names = {
    "intersection": "in both",
    "matched_expected": "expected",
    "p_matched_depletion": "p fewer",
    "p_matched_enrichment": "p more",
    "persona": "effects correlate, personas",
    "none": "no system prompt",
    "p_exclusive": "p exclusive (Holm)",
}
counts = ["high", "low", "intersection"]
table.astype(dict.fromkeys(counts, int)).set_index("trait")[["high", "low", *names, "verdict"]].rename(columns=names)

# %% [markdown]
# ## Do traits keep to themselves?
#
# Sets of *different* traits come from different contrasts, so here overlap is a real question without a neutral arm.
# Each trait's dual selection at `quantile=0.98`, some sixty neurons a pole. But neurons of large activations differ for
# any trait, so chance is that of sets dealt out anew among neurons of like scale (`size=`: the standard error of their
# mean difference), which can be computed exactly. A cell shows how many neurons two poles share, its colour how that
# compares with this chance on a log scale (red more, blue fewer); a star marks more at 5 % after Holm's correction over
# all pairs. Cells of one trait's own two poles are empty by construction.

# %%
effects_of = {trait: wb.effect_sizes(tally) for trait, tally in tallies.items()}
selections = {trait: wb.select_neurons(each, quantile=0.98) for trait, each in effects_of.items()}
sets = {(trait, pole): getattr(each, pole) for trait, each in selections.items() for pole in ("high", "low")}
scale = torch.stack([each.standard_error.double() for each in effects_of.values()]).log().mean(0).exp()
matrix = wb.measure.overlap_matrix(sets, population=neurons, size=scale, layers=range(model.n_layers))
wb.plots.overlap_heatmap(matrix)

# %% [markdown]
# Two weaker controls beside it: random sets of these sizes, and sets of as many *other* neurons of the same layers with
# the nearest |s|, whose overlap with the other traits' real sets is counted in twenty draws. Over all pairs of poles
# the real sets share 153 neurons. Random ones would share 26, and 13 of 40 pairs lie above that. Neurons matched in |s|
# share 72 (64 to 81), but as the selection takes the largest, they are smaller than what they stand for. Sets of like
# scale would share 166. So taken together the real sets overlap no more than any sets of neurons of such scale, and the
# total says nothing of what the traits have in common. Two pairs do share more than scale explains, the high poles and
# the low poles of Extraversion and Agreeableness; none surely by more than a fifth of the smaller set, which is what a
# study's verdict would call shared.

# %%
across = matrix[matrix["trait_a"] != matrix["trait_b"]]
drawn = []
for seed in range(20):
    replaced = {
        key: wb.select.matched_neurons(each, effects_of[key[0]], exclude=selections[key[0]].both, seed=seed)
        for key, each in sets.items()
    }
    shared = [(len(replaced[a] & sets[b]) + len(sets[a] & replaced[b])) / 2 for a in sets for b in sets if a[0] < b[0]]
    drawn.append(sum(shared))
pd.DataFrame(
    {
        "pairs of poles": [len(across)],
        "neurons shared": [across["intersection"].sum()],
        "by chance": [(across["size_a"] * across["size_b"] / neurons).sum()],
        "of like scale": [across["matched_expected"].sum()],
        "matched controls": [pd.Series(drawn).mean()],
        "matched, least": [min(drawn)],
        "matched, most": [max(drawn)],
        "pairs above chance (Holm)": [(across["p_enrichment_holm"] < 0.05).sum()],
        "above like scale": [(across["p_matched_holm"] < 0.05).sum()],
        "by over a fifth": [(across["p_beyond_margin_holm"] < 0.05).sum()],
    }
)

# %% [markdown]
# ## Is it valence?
#
# High Conscientiousness and high Agreeableness are both flattering, high Neuroticism is not. If a model only
# distinguished good from bad, sets of equally desirable poles would overlap. `valence_structure` compares the overlap
# (as lift over chance) of equally desirable poles with that of opposite ones; its p-value is the share of all ways to
# call poles desirable that would show at least this much. With five traits there are 16 ways, so p is at best 0.06 and
# nothing can be shown at 5 %; `valence_structure` and `shared_valence` warn of it.
#
# Equally desirable poles overlap 3.2 times as much as opposite ones (p = 0.19): in that direction, but so they do in
# two of the fifteen other ways, and the heat map shows why. Extraversion and Agreeableness share most where both are
# desirable; Conscientiousness and Neuroticism share most where they are *not*. So something other than valence
# contributes.

# %%
with warnings.catch_warnings(action="ignore", category=UserWarning):
    structure = wb.measure.valence_structure(matrix)
    valence = wb.measure.shared_valence(effects_of)
structure.table.assign(ratio=structure.ratio, p=structure.pvalue).set_index("poles")

# %% [markdown]
# The same question without any threshold: turn every trait so that its desirable pole is positive, and ask how much of
# a trait's effects over all neurons the *other* traits' common direction explains (`share`, a squared cosine; 1 would
# be all of it). It is 5 % at the most: over all neurons, the traits of this model are close to perpendicular.

# %%
shares = valence.share.query("layer == -1").set_index("trait")[["cosine", "share"]]
shares.assign(mean_cosine_between_traits=valence.mean_cosine, p=valence.pvalue)
