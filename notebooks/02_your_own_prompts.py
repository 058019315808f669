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
# # From your own prompts to a map of effects
#
# Everything starts from pairs of prompts that differ in one thing. This notebook makes such pairs by hand, first as
# plain texts and then as a table with personas and questions, and asks three things before it believes them: do the two
# sides differ in anything *besides* the trait, would shuffled labels have found as many neurons, and would other
# descriptions have found the same ones? The trait, *talkativeness*, is in no bank; its words are ones that the embedded
# model knows. For a model of your own you can choose any words.

# %%
import tempfile
from pathlib import Path

import pandas as pd

import workbench as wb

pd.set_option("display.float_format", "{:.2f}".format, "display.max_colwidth", None)

model = wb.load_model("testbed")
folder = tempfile.TemporaryDirectory()

# %% [markdown]
# ## Plain texts
#
# The quickest start is two lists of equal length. `from_texts` uses them without chat template or system prompt, and
# activations are read at each text's last token. Line *i* of one list is paired with line *i* of the other, so let them
# differ in the trait alone: here each pair has the same frame.

# %%
talks = ["talk to everyone", "bring the group together", "speak first", "fill the room with laughter"]
keeps = ["keep my thoughts to myself", "stay quiet in a corner", "listen without saying much", "avoid the noisy crowd"]
frames = ("I always {}.", "I often {}.", "I really {}.")
texts = wb.Contrast.from_texts(
    "talkativeness",
    high=[frame.format(deed) for frame in frames for deed in talks],
    low=[frame.format(deed) for frame in frames for deed in keeps],
)
pd.DataFrame({"high": [text.user for text in texts.high], "low": [text.user for text in texts.low]}).head(4)

# %% [markdown]
# The next steps are the same for every contrast: capture, then effects. With twelve texts a side the median width of a
# neuron's interval of d is 1.7, and d itself is biased upwards in so small a sample (`hedges_g` corrects that). For 57
# % of the neurons the 95 % interval excludes 0, where 5 % would do so by chance.

# %%
plain = wb.effect_sizes(wb.capture(model, texts))
low, high = plain.interval()
pd.Series(
    {
        "neurons": plain.cohens_d.numel(),
        "interval excludes 0": ((low > 0) | (high < 0)).double().mean().item(),
        "median |d|": plain.cohens_d.abs().median().item(),
        "median |g|": plain.hedges_g.abs().median().item(),
        "median width of the interval of d": (high - low).median().item(),
    }
)

# %% [markdown]
# Two cautions about this table. `from_texts` does not know what the texts share, so its intervals take the twelve rows
# as independent, though they are four deeds in three frames. And an effect at the last token of a plain sentence need
# not be the effect of a persona on an answer. A table can hold more information.

# %% [markdown]
# ## A table
#
# A table (jsonl, csv or parquet) has columns `high` and `low`, and where known `neutral`, `question`, `trait`,
# `high_id`, `low_id` and `neutral_id`. With a question, the poles' texts are system prompts and the question is the
# user's turn. The ids say which rows share a description, and every interval then allows for that. Here are eight pairs
# of personas, each with six questions; the seventh and the eighth pair are badly written on purpose.

# %%
personas = [
    ("You are very talkative.", "You are very silent."),
    ("You are outgoing and you talk to everyone.", "You are reserved and you prefer to be alone."),
    ("People say that you tell funny stories to the room.", "People say that you listen without saying much."),
    ("You always start conversations with strangers.", "You always wait for others to speak."),
    ("Act like someone who is very sociable.", "Act like someone who is very shy."),
    ("You are a lively person. You enjoy the loud crowd.", "You are a timid person. You avoid the noisy crowd."),
    ("You are lively and cheerful. You always talk to everyone. You invite more people along.", "You are shy."),
    ("You are talkative and outgoing. You always bring the group together.", "You are silent."),
]
asked = [
    f"{stem} the {topic}?"
    for stem in ("How do you spend your time at", "Who do you meet at")
    for topic in ("office party", "market", "village festival")
]
rows = [
    {"trait": "talkativeness", "question": question, "high": high, "low": low, "high_id": f"talks {i}",
     "low_id": f"keeps quiet {i}", "neutral": "You are a person in the middle."}
    for i, (high, low) in enumerate(personas)
    for question in asked
]  # fmt: skip
path = Path(folder.name) / "talkativeness.jsonl"
pd.DataFrame(rows).to_json(path, orient="records", lines=True)
pairs = wb.Contrast.from_table(path)
pairs

# %% [markdown]
# ## What else differs?
#
# `balance` compares the poles in everything that is easy to count: each point is a standardised difference with its
# interval, which allows for shared descriptions. Differences within the green band are negligible. The high personas
# here are longer (d +0.75 in tokens) and have longer words, which is no part of the trait.

# %%
balance = pairs.balance(model)
wb.plots.balance_love(balance.table)

# %% [markdown]
# `matched` keeps the pairs whose texts are similar in length (here within a ratio of 1.4 in tokens), and reports what
# it dropped and why. With `min_cosine=` it also requires similar meaning; that needs a sentence-embedding model, and is
# left out here. It dropped the two pairs that were written badly.

# %%
matched = pairs.matched(model, max_length_ratio=1.4, min_cosine=None)
matched.dropped.drop_duplicates("high")[["why", "high", "low"]]

# %% [markdown]
# The differences before and after. Length is even now; words are still longer at the high pole, as "talkative" is
# longer than "shy". With six descriptions a pole every interval is wide: an interval that holds 0 is no proof of
# balance.

# %%
pd.concat(
    {
        name: each.balance(model).table.set_index("measure")[["difference", "difference_low", "difference_high"]]
        for name, each in (("all pairs", pairs), ("matched", matched))
    },
    axis=1,
).loc[["tokens", "text tokens", "type-token ratio", "word length", "negations"]]

# %% [markdown]
# ## The map
#
# Capture, effects, selection and map, as for any contrast. `keep=True` keeps every row beside the moments: the controls
# below need them. Marked are the neurons that the dual rule chose.

# %%
kept = wb.capture(model, matched, keep=True)
effects = wb.effect_sizes(kept)
chosen = wb.select_neurons(effects, rule="dual", quantile=0.995, min_d=0.8)
wb.plots.effect_map(effects.frame(), neurons=chosen.frame())

# %% [markdown]
# ## Would shuffled labels have found as many?
#
# The control of a map is a map of shuffled labels. `permutation_null` assigns whole descriptions to the poles at
# random, all rows of a description together, and applies the same rule to each shuffle. A rule that takes the largest
# half percent of every layer finds something in noise too, as long as its |d| is above 0.8: 11 neurons on average, and
# in 9 % of the shuffles as many as with the true labels. With six descriptions a pole, *how many* neurons were selected
# is no evidence (p = 0.09).

# %%
null = wb.permutation_null(kept, unit="description", permutations=500, seed=0)
counts = pd.DataFrame({"shuffled": "description", "selected": null.counts, "real": null.count})
wb.plots.null_distribution(counts)

# %% [markdown]
# *How strong* they are is. `max_t` holds the largest |t| among all 6,144 neurons in each shuffle; 95 % of these are
# below 13, and the true labels reach 47. A neuron beyond that bound differs between the poles at a family-wise error of
# 5 % over the whole model; 1,789 neurons do.

# %%
pd.Series(
    {
        "chosen with the true labels": null.count,
        "chosen with shuffled labels, mean": counts["selected"].mean(),
        "share of shufflings that choose as many (p)": null.count_pvalue,
        "largest |t|, true labels": null.t.abs().max().item(),
        "largest |t|, 95 % of shufflings below": null.max_t.quantile(0.95).item(),
        "neurons with family-wise p below 0.05": int((null.family_wise < 0.05).sum()),
    }
)

# %% [markdown]
# ## Would other descriptions have found the same?
#
# Two random halves of the descriptions each select neurons, fifty times over. Jaccard is the number of neurons that
# both halves chose over the number that either chose; corrected for chance it is 0 where they share no more than random
# sets would, and 1 where they agree. Here it is 0.67 (95 % of the splits between 0.52 and 0.78), with three
# descriptions in a half: fairly stable, though not for every single neuron.

# %%
steady = wb.stability(kept, unit="description", splits=50, bootstraps=50, seed=0)
steady.summary().set_index("measure")

# %% [markdown]
# ## The same neurons as a large contrast's?
#
# An outside check: 200 rows of the package's own bank for Extraversion, other texts on other questions. Random sets of
# these sizes would share 0.16 neurons. The two contrasts share 27 of 31: six pairs of personas and two hundred lead to
# nearly the same neurons.

# %%
bank = wb.effect_sizes(wb.capture(model, wb.Contrast.testbed("Extraversion", n=200, seed=0)))
large = wb.select_neurons(bank, rule="dual", quantile=0.995, min_d=0.8)
shared = wb.overlap(chosen.both, large.both, population=effects.cohens_d.numel())
pd.Series(
    {
        "six pairs of personas": shared.size_a,
        "the bank": shared.size_b,
        "shared": shared.intersection,
        "shared by chance": shared.intersection / shared.lift,
        "Jaccard": shared.jaccard,
    }
)

# %% [markdown]
# ## For a real model
#
# `Contrast.builtin` is a bank in plain English for models that speak it: six facets a trait,
# personas of each pole drawn independently of the other's, and a neutral arm. `style="behavioural"` takes situations
# instead, written as twins. `Contrast.personalitybench(folder, trait)` reads the published files. For all of them,
# continue as in this notebook from `balance` onwards.

# %%
wb.Contrast.builtin("Extraversion", n=3, seed=0).frame().set_index(["row", "pole"]).sort_index()[["system", "user"]]

# %%
folder.cleanup()
