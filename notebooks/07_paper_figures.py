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
# # From a study to a paper's figures
#
# The other notebooks ask one question at a time. A *study* asks all of them at once, from one file: traits, arms,
# doses, outcomes, seeds. It keeps every step as it goes, so that a stopped one continues, and it ends in tables, in a
# verdict on each claim of the method, and in figures. Here is a small one, of two traits with few pairs, doses and
# questions: it runs in less than a minute, and its intervals are as wide as that deserves. `make demo` runs the full
# one.

# %%
import tempfile
import time
from pathlib import Path

import pandas as pd
from IPython.display import Image, Markdown

import workbench as wb

pd.set_option("display.float_format", "{:.2f}".format, "display.max_colwidth", None)

model = wb.load_model("testbed")
folder = tempfile.TemporaryDirectory()
here = Path(folder.name)

# %% [markdown]
# ## What is asked
#
# Every entry has a default and is checked before anything runs. `gammas` are the doses of the edits of few neurons,
# `broad_gammas` those of the much stronger edit of all. The reported dose is chosen on questions of the search topics,
# and everything is measured on those of the test topics. Random controls are drawn `draws` times at that dose; 20, the
# default, are the fewest among which a rank can show anything at 5 %. As a file, a configuration is TOML; `workbench
# study study.toml --out runs/mine` runs it from a shell.

# %%
config = wb.StudyConfig(
    traits=("Extraversion", "Neuroticism"),
    pairs=100,
    quantiles=(),
    arms=("DPN-LE", "broad", "residual", "random", "shuffled", "simple prompt"),
    gammas=(0.5, 1.0),
    broad_gammas=(0.1, 0.2),
    outcomes=("answers", "capability", "off-target", "patching"),
    temperature=1.0,
    search_questions=5,
    test_questions=12,
    items_per_task=2,
    patching_pairs=10,
    permutations=99,
    resamples=300,
)
Markdown(f"```toml\n{config.toml()}```")

# %% [markdown]
# ## Running, and running again
#
# A folder of your own, such as `runs/mine`, keeps the study; here it is a temporary one. The second run finds every
# step done, checks it against its hash, and computes no more than the comparisons.

# %%
seconds = {}
for run in ("first", "again"):
    start = time.perf_counter()
    study = wb.run_study(config, here / "mine", model=model)
    seconds[run] = time.perf_counter() - start
pd.Series(seconds, name="seconds")

# %% [markdown]
# ## The verdict on each claim
#
# *Supported*, *refuted* or *undecided*, with the numbers that say so. With so few questions many claims stay undecided,
# as they should: that capability was kept, for one, cannot be shown by 40 answers, though none of them changed. The
# README has the verdicts of the full study.

# %%
verdicts = study.verdict().query("trait == 'all'").set_index("claim")[["verdict", "text"]]
verdicts.style.set_table_styles([{"selector": "th, td", "props": "text-align: left"}])

# %% [markdown]
# ## The figures
#
# `wb.plots` takes a study's tables and draws them; nothing is computed in between, so that a figure cannot say anything
# that the tables do not. A study's `Legend` gives the arms their colours, by their roles, and what was measured its
# words and units. First, where the trait is: every neuron's d, with the chosen ones marked.

# %%
legend = wb.plots.Legend.of(study)
wb.plots.effect_map(study.tables["effects"], trait="Extraversion")

# %% [markdown]
# The outcome against the dose, both traits together, solid lines increasing and dashed ones decreasing; 95 % intervals
# resample whole questions. The broad edit's doses are smaller as it edits 6,144 neurons instead of 32.

# %%
shown = study.tables["dose"].query("arm in ['DPN-LE', 'broad', 'residual', 'random']")
wb.plots.dose_curves(shown, legend=legend)

# %% [markdown]
# All arms side by side at the chosen dose: how far they move the trait, and what it costs. The broad edit is run there
# too, at a dose far too strong for it, which is why arms are not to be compared at one dose. The prompt, one adjective
# said to the model, is a yardstick: it moves this model further than any edit here, and costs nothing.

# %%
wb.plots.arms_compared(study.tables["equal_dose"], legend=legend)

# %% [markdown]
# What decides between arms is not one dose but the whole curve of shift against cost. An arm is better where its curve
# runs further to the upper right.

# %%
wb.plots.trait_against_cost(study.tables["tradeoff"], cost="wellformed", gamma=study.gamma, legend=legend)

# %% [markdown]
# Does the edit move its own trait alone? Rows are edited, columns are measured; a star would say that a shift differs
# from 0 after Holm's correction over all cells. With twelve questions no cell has one. The estimates are no comfort:
# *decreasing* Neuroticism moves Extraversion more (by 0.38) than Neuroticism (by 0.07).

# %%
wb.plots.specificity_heatmap(study.tables["specificity"], arm="DPN-LE")

# %% [markdown]
# And what the neurons carry of the persona's own effect, beside their matched controls; see
# [05](05_what_a_subset_causes.ipynb).

# %%
wb.plots.patching_by_layer(study.tables["patching"], trait="Extraversion")

# %% [markdown]
# ## On paper
#
# A column of a journal is 85 mm wide. `write_figures` lays a figure out for that width, as pdf (vectors, for the
# paper), as png and as a page, one for all traits and one for each, and puts the data that they show beside them.
# Images need kaleido and a Chromium on the machine; where these are missing, `warn` is told why, and the page alone is
# written.

# %%
missing: list[str] = []
written = wb.report.write_figures(
    study, here / "figures", only=["dose-curves"], formats=("html", "pdf", "png"), width_mm=85, warn=missing.append
)
pd.DataFrame({"file": [path.name for path in written], "kB": [path.stat().st_size / 1000 for path in written]})

# %% [markdown]
# As it will stand in the column:

# %%
png = [path for path in written if path.suffix == ".png"]
Image(png[0].read_bytes(), width=420) if png else Markdown(f"No image was drawn here: {'; '.join(missing)}")

# %% [markdown]
# ## Tables
#
# `csv` with every number as it was computed, `tex` rounded as on the study's page, with booktabs and the intervals in
# brackets. A caption and a label are there; `\input` it.

# %%
tables = wb.report.write_tables(study, here / "tables", only=["equal-dose", "equal-shift"], formats=("csv", "tex"))
Markdown(f"```latex\n{next(path for path in tables if path.suffix == '.tex').read_text(encoding='utf-8')}\n```")

# %% [markdown]
# `wb.report.write_study_report(study)` puts all of it on one page that opens in a browser without a network, and
# `workbench explore FOLDER` lets a reader walk through it.

# %%
folder.cleanup()
