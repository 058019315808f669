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
# # The whole of it, in ten cells
#
# A language model can be told to be talkative, and then it talks like somebody who is. Which of its MLP neurons carry
# that, and are they the *cause*, or do they only go along? **DPN-LE** (Dual Personality Neuron Localization and
# Editing) answers in four steps: contrast two personas, find the neurons that differ most between them, add the
# difference to just these neurons, and look at what the model says. `workbench` does the four steps, and a fifth that
# decides how much to believe: what matters below has an interval and a control beside it.
#
# The model here is a small one that comes with the package. It knows five personality traits and little else, so
# everything runs on a laptop in seconds. All seeds are 0: the numbers in the text are those that you will see.

# %% [markdown]
# ## 1 · A model
#
# `"testbed"` is the embedded model. A Hugging Face name or a checkpoint folder stands in the same place
# ([06](06_your_own_model_and_files.ipynb) does that); whatever is loaded is hooked by TransformerLens.

# %%
import pandas as pd
from IPython.display import Markdown

import workbench as wb
from workbench.measure import bootstrap_difference
from workbench.score import answer_questions
from workbench.testbed import grammar

pd.set_option("display.float_format", "{:.2f}".format, "display.max_colwidth", None)

model = wb.load_model("testbed")
model

# %% [markdown]
# ## 2 · A contrast
#
# A *contrast* is a trait told in *poles*. Each row puts one question to a persona at the high pole, to one at the low
# pole, and to a neutral one that says nothing of the trait. Only the system prompt differs. Here are the first two of
# 200 rows.

# %%
pairs = wb.Contrast.testbed("Extraversion", n=200, seed=0)
pairs.frame().query("row < 2").sort_values("row", kind="stable").set_index(["row", "pole"])[["system", "user"]]

# %% [markdown]
# ## 3 · A capture
#
# One forward pass for each prompt reads `hook_post`, what goes into the down projection, one number a neuron, at the
# last token before the answer. What is kept are moments by pole and not the activations, so memory does not grow with
# the number of prompts. `clusters=` keeps descriptions and questions apart: rows that share one resemble each other,
# and intervals have to allow for that.

# %%
tally = wb.capture(model, pairs, clusters=("description", "question"))
tally

# %% [markdown]
# ## 4 · Effects
#
# For every neuron there is the difference of the poles' means, *s*, in activation units, and Cohen's *d*, the same in
# pooled standard deviations, with its 95 % interval (`d_low` to `d_high`). Positive means more active under the
# extraverted persona. These are the five neurons of 6,144 with the largest |s|.

# %%
effects = wb.effect_sizes(tally)
table = effects.frame()
table.loc[table["mean_difference"].abs().nlargest(5).index].set_index(["layer", "neuron"])

# %% [markdown]
# ## 5 · The map
#
# All neurons at once: a row for each layer, its neurons in the order of their d. Hover for a neuron's numbers. Nearly
# everything is coloured: in this model most neurons tell the two personas apart, so that a large d alone singles out
# nothing.

# %%
wb.plots.effect_map(table)

# %% [markdown]
# ## 6 · A selection
#
# DPN-LE's *dual criterion* takes the largest half percent of |s| in each layer (`quantile=0.995`; the least of them is
# the threshold tau_q) **if** their |d| is above `min_d` (tau_d). `removed_by_d` counts the neurons that pass the first
# and fail the second: none, in any layer. On this model the second criterion does no work, and what is selected is
# simply what differs most. On another model it may be otherwise; the table tells.

# %%
chosen = wb.select_neurons(effects, rule="dual", quantile=0.995, min_d=0.8)
chosen.layers.set_index("layer")[["threshold", "above_threshold", "above_min_d", "removed_by_d", "high", "low"]]

# %% [markdown]
# ## 7 · An edit
#
# An edit is a value: what is added, and to which neurons. `gamma` is the *dose*; at 1 each chosen neuron is moved by
# its own mean difference, all the way from one persona to the other. To *increase* the trait the difference is added,
# to *decrease* it it is taken away.

# %%
edit = wb.dpn_edit(effects, chosen, gamma=1.0, direction="increase")
edit

# %% [markdown]
# ## 8 · Steered answers
#
# Five questions without any persona, put to the model as it is, and edited in either direction. Nothing is said to the
# model; 32 of its 6,144 neurons are moved, from the last token of the prompt onwards. Answers are sampled at
# temperature 1, with the same random draws in each column. Some answers turn around, some do not change at all.

# %%
questions = grammar.questions("Extraversion", "test")[::2]
shown = questions[::20]
answers = {"as it is": model.generate(shown, temperature=1.0, seed=0)}
for direction in ("increase", "decrease"):
    with wb.edited(model, wb.dpn_edit(effects, chosen, direction=direction), scope="generated"):
        answers[direction] = model.generate(shown, temperature=1.0, seed=0)
pd.DataFrame(answers, index=shown).style.set_table_styles([{"selector": "th, td", "props": "text-align: left"}])

# %% [markdown]
# ## 9 · Controls
#
# Five answers prove nothing. Here are a hundred questions, on topics that the neurons were not found on, under four
# edits of equal size:
#
# - **DPN-LE**, the edit above;
# - **random**, the same values on as many other neurons of the same layers;
# - **shuffled**, the same 32 neurons with their values dealt out among them anew;
# - **flipped**, the same neurons pushed the other way.
#
# The trait score of an answer goes from 1 (low) to 5 (high) and is read off its words. `estimate` is the mean change
# against the unedited model, question by question, with its 95 % bootstrap interval over the `n` questions that every
# arm answers readably; `wellformed` is the share of sentences that still are sentences.

# %%
arms = {
    "DPN-LE": edit,
    "random": wb.edit.random_control(edit, seed=0),
    "shuffled": wb.edit.shuffled_control(edit, seed=0),
    "flipped": wb.edit.flipped_control(edit),
}
conditions = [wb.score.Condition(name, "Extraversion", "increase", 1.0, arm) for name, arm in arms.items()]
scored = answer_questions(
    model, [wb.score.Condition.unedited("Extraversion"), *conditions], {"Extraversion": questions}
)
score = scored.pivot_table(index="question", columns="arm", values="score").dropna()
shifts = pd.DataFrame([vars(bootstrap_difference(score["none"], score[name])) for name in arms], index=list(arms))
shifts[["estimate", "low", "high", "n"]].join(scored.groupby("arm")["wellformed"].mean())

# %% [markdown]
# The edit moves the score by 0.86 points of 4 [0.55, 1.16], random neurons do not, and the same neurons pushed the
# other way move it down. That speaks for the neurons. But the values *shuffled* among them do nearly as much, 0.66
# [0.37, 0.93]: which of the 32 gets which value hardly matters here. And there is a price: 15 % of the sentences are
# broken, where a random edit breaks 5 %. [04](04_editing_and_dose.ipynb) looks at doses and costs.

# %% [markdown]
# ## 10 · What the neurons cause
#
# So far neurons were *pushed*. The sharper question is whether they carry the persona's own effect. *Patching* runs the
# introverted prompt with some neurons set to what they do in the matching extraverted prompt, and asks how far the next
# token's logits move from the one to the other: 0 is not at all, 1 is all the way. The control is as many other neurons
# of the same layers, as near in magnitude as there are.

# %%
held_out = wb.Contrast.testbed("Extraversion", n=24, held_out=True)
sets = {"selected": chosen.both, "matched": wb.select.matched_neurons(chosen.both, effects)}
verdict = wb.edit.causal_verdict(wb.patch(model, held_out, sets), control="matched")
Markdown(str(verdict))

# %% [markdown]
# Half a percent of the neurons carries 28 % of the persona's effect [23, 32], and other neurons of the same layers 15 %
# [10, 20]; the difference is 13 [7, 17]. So the selected neurons are a *cause*, and a minor one: most of the effect
# goes elsewhere, and a good part of what they have over others is that they are larger.
#
# ## Where to go on
#
# - [02](02_your_own_prompts.ipynb): the same from prompts of your own, and what must be checked about them
# - [03](03_exclusivity.ipynb): do the two poles use different neurons?
# - [04](04_editing_and_dose.ipynb): edits, doses, scopes, and what breaks
# - [05](05_what_a_subset_causes.ipynb): patching, ablation, attribution
# - [06](06_your_own_model_and_files.ipynb): your own model, and files of other tools
# - [07](07_paper_figures.ipynb): a study of many arms, its verdicts, figures and tables
