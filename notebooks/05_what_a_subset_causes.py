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
# # What a set of neurons causes
#
# An effect size is a correlation: the persona changes the neuron, and the persona changes the answer. Whether the
# change *goes through* the neuron is another question, and interventions answer it. This notebook applies four methods
# to one set of neurons, the half percent that DPN-LE selects: patching, patching of controls of similar size, ablation,
# and a first-order approximation that estimates patching for all neurons at once.
#
# Every result is read from the logits of the next token after the prompt, along the line from the introverted prompt's
# logits (0) to the extraverted prompt's (1).

# %%
import pandas as pd
from IPython.display import Markdown

import workbench as wb

pd.set_option("display.float_format", "{:.2f}".format, "display.max_colwidth", None)

model = wb.load_model("testbed")
effects = wb.effect_sizes(wb.capture(model, wb.Contrast.testbed("Extraversion", n=200, seed=0)))
chosen = wb.select_neurons(effects, rule="dual", quantile=0.995, min_d=0.8)
selected = chosen.both
held_out = wb.Contrast.testbed("Extraversion", n=32, held_out=True)
selected

# %% [markdown]
# ## Controls of like size
#
# Any 32 neurons of this size, patched, would do something. `matched_neurons` draws others from the same layers, each
# among the ten nearest in |s| to one of the set. `match_quality` shows how near they are (`ratio`; the last row is all
# layers together). As the selection takes the *largest* |s|, its controls are smaller: half its size. Its lead over
# them is therefore partly due to size, and no proof that exactly these neurons matter.

# %%
matched = wb.select.matched_neurons(selected, effects, seed=0)
wb.select.match_quality(selected, matched, effects).set_index("layer")[["neurons", "set", "control", "ratio"]]

# %% [markdown]
# ## Patching in
#
# Run the introverted prompt, with a set of neurons at the last position set to what they do in the extraverted prompt
# of the same row. Four sets on the same 32 pairs of held-out personas: the selection, its matched controls, as many
# random neurons, and all 6,144. The effect is what the readout moves in all pairs together, over the whole way in all
# pairs together; a mean of the pairs' own shares could be decided by a pair with next to no way to go. Intervals are
# 95 % bootstraps over whole descriptions, of the high or of the low pole, whichever is wider.
#
# The selection, half a percent of the neurons, brings 26 % of the persona's effect, its matched controls 12 %, random
# ones 1 %. All MLP neurons at the last position together bring 92 %; the rest goes through attention.

# %%
everything = wb.select_neurons(effects, rule="broad").both
random = wb.edit.random_control(wb.dpn_edit(effects, chosen), seed=0).neurons
sets = {"selected": selected, "matched": matched, "random": random, "all": everything}
patched = wb.patch(model, held_out, sets, mode=["joint", "by_layer", "cumulative"])
patched.frame().query("mode == 'joint'").set_index("set")[["neurons", "effect", "low", "high", "n", "clusters"]]

# %% [markdown]
# Matched and random neurons are drawn, and these are one draw of each. Here are twenty, with the share of draws, the
# selection itself counted among them, that bring at least as much as the selection (`p`). The matched ones bring 11 %
# on average, between 7 and 14 %; the selection ranks before all, and with twenty draws the least p-value is 1/21.

# %%
twenty = {f"matched {seed}": wb.select.matched_neurons(selected, effects, seed=seed) for seed in range(20)}
twenty |= {
    f"random {seed}": wb.edit.random_control(wb.dpn_edit(effects, chosen), seed=seed).neurons for seed in range(20)
}
brought = wb.patch(model, held_out, {"selected": selected} | twenty).frame().set_index("set")["effect"]
draws = brought.drop("selected").groupby(lambda name: name.split()[0])
ranks = draws.agg(["mean", "min", "max", "count"])
ranks["p"] = (1 + draws.agg(lambda effect: (effect >= brought["selected"]).sum())) / (1 + ranks["count"])
ranks

# %% [markdown]
# ## The verdict
#
# `causal_verdict` compares the set with its controls, pair by pair, by a rule fixed beforehand: *causes* where the
# effect, and what it has over every control, surely lie above 0; *does not cause* where the opposite is sure: the
# effect lies under `smallest`, or under that of a control; *undecided* otherwise. Surely is at 5 %, by t tests over
# pairs, clustered by description.

# %%
Markdown(str(wb.edit.causal_verdict(patched, control=["matched", "random"], smallest=0.05)))

# %% [markdown]
# The rule must also be able to refute. Here the random neurons take the place of the selection:

# %%
Markdown(str(wb.edit.causal_verdict(patched, selected="random", control="matched", smallest=0.05)))

# %% [markdown]
# And here the matched controls do, compared with other neurons that match *them*. They bring about as much as these,
# and that leaves it undecided: a difference that may be 0 shows neither that they cause more nor that they cause less.

# %%
again = wb.select.matched_neurons(matched, effects, exclude=selected, seed=1)
other = wb.patch(model, held_out, {"selected": matched, "matched": again})
Markdown(str(wb.edit.causal_verdict(other, control="matched", smallest=0.05)))

# %% [markdown]
# ## Layer by layer
#
# Left, each layer's neurons alone; right, all layers up to that one. Layer 0 carries most, in every set: patch all its
# neurons and 85 % of the effect is there. Before it, attention has moved the persona's words to the last token. The
# personas of this model are described by single words; in a larger model the figure may look quite different.

# %%
wb.plots.patching_by_layer(patched.frame())

# %% [markdown]
# ## The other way, and from neutral
#
# The same sets with the introverted prompts' activations patched into the extraverted ones (`decrease`), and each
# pole's activations patched into *neutral* prompts, which tests whether the neurons suffice where the persona says
# nothing of the trait. The effect is similar in both directions. From neutral they bring 12 to 13 % of the way, half of
# what they bring from the opposite persona: more than their controls, and little.

# %%
pair = {name: sets[name] for name in ("selected", "matched")}
found = []
for direction in ("increase", "decrease"):
    for base in ("opposite", "neutral"):
        one = wb.patch(model, held_out, pair, direction=direction, base=base)
        over = wb.edit.compare_sets(one, "selected", "matched").iloc[0]
        table = one.frame().set_index("set")["effect"]
        found.append(
            {"direction": direction, "base": base, "selected": table["selected"], "matched": table["matched"]}
            | {"difference": over["difference"], "low": over["low"], "high": over["high"]}
        )
pd.DataFrame(found).set_index(["direction", "base"])

# %% [markdown]
# ## Directly, or through later layers?
#
# A neuron writes to the residual stream, and later layers read it. `direct=True` adds what the change writes to the
# final residual stream alone, bypassing all later layers. The remaining effect is the direct one on the logits: here
# 0.19 of 0.26, most of it. These neurons act on the answer's first word directly.

# %%
direct = wb.patch(model, held_out, pair, direct=True).frame().set_index("set")
pd.DataFrame(
    {
        "whole effect": patched.frame().query("mode == 'joint'").set_index("set")["effect"],
        "direct": direct["effect"],
        "direct, low": direct["low"],
        "direct, high": direct["high"],
    }
).loc[list(pair)]

# %% [markdown]
# ## Ablation
#
# Patching asks what neurons *can* bring about; ablation asks what is *lost* without them. The extraverted prompt runs
# with the set silenced: to zero, to its mean over introverted prompts, or to what it does in a random introverted
# prompt (all neurons from the same prompt, so that their values belong together). 0 means that nothing is lost, 1
# everything.
#
# With the set at its introverted mean, or resampled, as much is lost as patching gained: 25 to 26 %. With the set at
# *zero*, the loss cannot be distinguished from 0. Zero does not stand for the other persona, and an ablation by zero
# alone would have suggested that these neurons are irrelevant.

# %%
rows = []
for kind in ("zero", "mean", "resample"):
    ablation = wb.ablate(model, held_out, pair, kind=kind, seed=0)
    over = wb.edit.compare_sets(ablation, "selected", "matched").iloc[0]
    lost = ablation.frame().set_index("set")["lost"]
    rows.append(
        {"kind": kind, "selected": lost["selected"], "matched": lost["matched"]}
        | {"difference": over["difference"], "low": over["low"], "high": over["high"]}
    )
pd.DataFrame(rows).set_index("kind")

# %% [markdown]
# ## Attribution: the quick screen
#
# Patching each of 6,144 neurons alone would take as many runs. *Attribution patching* estimates all of them from one
# gradient: how the readout would change per unit, times how far patching would move the neuron. It is exact where the
# readout is linear in the neuron; `agreement` compares it with true patching of a sample, half of it the strongest
# neurons of each layer. On this model the estimate is reliable.

# %%
screen = wb.edit.attribution(model, held_out)
Markdown(str(screen.agreement(model, held_out.rows(range(8)), neurons=4, seed=0)))

# %% [markdown]
# Now the question that matters for DPN-LE: is the *largest mean difference* a good guide to what *causes* the effect?
# The 32 neurons with the largest attribution, found on training prompts and patched on held-out ones, beside the
# selection of the same size. Attribution finds a set that carries 0.47 where the selection carries 0.26, and shares a
# quarter of its neurons with it. The largest mean difference is a useful guide to the causes, but not the best one.

# %%
training = wb.edit.attribution(model, wb.Contrast.testbed("Extraversion", n=64, seed=1))
best = training.top(len(selected))
rival = wb.patch(model, held_out, {"selected": selected, "attribution": best})
shared = wb.overlap(selected, best, population=len(everything))
over = wb.edit.compare_sets(rival, "attribution", "selected").iloc[0]
frame = rival.frame().set_index("set")[["neurons", "effect", "low", "high"]]
Markdown(
    f"The {len(best)} neurons of greatest attribution bring {frame.loc['attribution', 'effect']:.2f} "
    f"[{frame.loc['attribution', 'low']:.2f}, {frame.loc['attribution', 'high']:.2f}], the selection "
    f"{frame.loc['selected', 'effect']:.2f} [{frame.loc['selected', 'low']:.2f}, {frame.loc['selected', 'high']:.2f}]: "
    f"{over['difference']:+.2f} [{over['low']:+.2f}, {over['high']:+.2f}]. They share {shared.intersection} neurons, "
    f"where chance would give {shared.intersection / shared.lift if shared.intersection else 0:.1f}."
)

# %% [markdown]
# ## Another readout
#
# The projection on the pair's own difference sums over the whole vocabulary. A sharper readout names words: here first
# words of an answer by which the poles differ, *Wonderful* and *Count (me in)* against *Too (many people)* and *Not (my
# kind of place)*. The result is the same, so it does not depend on the readout.

# %%
words = wb.edit.token_difference(model, ["Wonderful", "Count"], ["Too", "Not"])
wb.patch(model, held_out, sets, metric=words).frame().set_index("set")[["neurons", "effect", "low", "high", "dropped"]]

# %% [markdown]
# ## On a real model
#
# The same question of SmolLM2-135M-Instruct, where it is installed: its selected neurons and as many others of like
# size, patched from the high persona's prompt into the low one's.

# %%
try:
    real = wb.load_model("smollm2")
except FileNotFoundError as error:
    real, seen = None, Markdown(str(error))
if real is not None:
    its_effects = wb.effect_sizes(wb.capture(real, wb.Contrast.builtin("Extraversion", n=24, seed=0, held_out=False)))
    its_chosen = wb.select_neurons(its_effects, min_d=0.5).both
    its_sets = {"selected": its_chosen, "matched": wb.select.matched_neurons(its_chosen, its_effects)}
    unseen = wb.Contrast.builtin("Extraversion", n=16, seed=0, held_out=True)
    seen = wb.patch(real, unseen, its_sets).frame().set_index("set")[["neurons", "effect", "low", "high"]]
seen
