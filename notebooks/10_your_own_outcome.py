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
# # An outcome of your own
#
# A study measures whatever outcomes you name. Open answers, scored by a grammar or a judge, questionnaires and others
# are built in; you may want to measure something else. This notebook writes an outcome in thirty lines: the
# log-likelihood of sentences about company and about solitude as the model's own answer. No judge is needed, and any
# model can be asked. The study treats it like a built-in one: it chooses the dose, gets columns, a figure and a
# verdict, and is kept step by step.

# %%
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from IPython.display import Markdown

import workbench as wb

model = wb.load_model("testbed")
folder = TemporaryDirectory()

# %% [markdown]
# ## What an outcome is
#
# A frozen dataclass. It names the column that is resampled (`cluster`) and the numbers that each row holds
# (`quantities`): here one number, of the role `trait`, which an edit is meant to move. `ask` is given the model and the
# conditions, and returns a row for each condition and sentence, with the condition's labels. A condition is one edit,
# one instruction, or the model as it is; inside `asking.edited(model, condition)` the model runs under the condition,
# and its edits are counted.
#
# Sentences of the search split choose the dose, and results are reported on those of the test split; no sentence is in
# both.

# %%
COMPANY = ("I talk to everyone at the party.", "I love to meet new people.", "I often invite my friends.")
SOLITUDE = ("I stay quiet at the party.", "I like to be left alone.", "I rarely speak to anyone.")


@dataclass(frozen=True)
class Sentences(wb.Outcome):
    """How likely sentences of company are as an answer, and how unlikely those of solitude; nats per token."""

    question: str = "How do you spend your time at the office party?"

    name = "sentences"
    cluster = "sentence"
    quantities = (wb.outcome.Quantity("likelihood", "trait", "likelihood of sociable sentences", "nats per token"),)

    def ask(self, model: wb.Model, asking: wb.outcome.Asking) -> pd.DataFrame:
        some = slice(0, 1) if asking.split == "search" else slice(1, None)
        signed = [(text, 1.0) for text in COMPANY[some]] + [(text, -1.0) for text in SOLITUDE[some]]
        rows = []
        for condition in asking.conditions:
            prompt = condition.put(wb.Prompt(self.question))
            with asking.edited(model, condition):
                nats = wb.model.answer_likelihoods(model, [prompt] * len(signed), [text for text, _ in signed])
            for (text, sign), mean in zip(signed, nats, strict=True):
                rows.append({**condition.labels, "sentence": text, "likelihood": sign * mean})
        return pd.DataFrame(rows)


# %% [markdown]
# ## A study of it
#
# The rest of the study is as in any other: traits, pairs, arms, doses. `outcomes=` takes your value alone, as here, or
# together with names of built-in ones.

# %%
config = wb.StudyConfig(
    traits=("Extraversion",),
    pairs=100,
    arms=("DPN-LE", "residual", "random", "shuffled", "flipped", "simple prompt"),
    gammas=(0.5, 1.0),
    quantiles=(),
    permutations=99,
    resamples=200,
)
study = wb.run_study(config, Path(folder.name) / "own", outcomes=[Sentences()], model=model)
verdicts = study.verdict().query("trait == 'all'")
Markdown("\n".join(f"- **{row.verdict}**: {row.claim}. {row.text}" for row in verdicts.head(2).itertuples()))

# %% [markdown]
# With four sentences nothing can be decided, however far they move: their signs can be flipped in 16 ways, and the
# least two-sided p-value is 0.12. For a study of your own, take more.
#
# The outcome has chosen the dose (`study.gamma`), and stands in the tables that compare arms:

# %%
study.tables["equal_dose"][["arm", "gamma", "shift", "shift_low", "shift_high"]].round(2)

# %% [markdown]
# and in the figures of the study: `workbench figures` and the report draw them from the same tables.

# %%
wb.plots.dose_curves(study.tables["dose"], legend=wb.plots.Legend.of(study))

# %% [markdown]
# ## Kept, and asked again where it changed
#
# Every outcome of every arm and dose is kept in the study's folder, under a key that holds the outcome's fields and the
# code of its methods. A second run asks nothing. An outcome with another question, or with changed code, has another
# key and is asked again, so that an old answer never counts for a new question.

# %%
shifts = {"first": study.tables["equal_dose"]["shift"]}
for name, outcome in (
    ("again", Sentences()),
    ("another question", Sentences(question="What do you do on a free day?")),
):
    run = wb.run_study(config, Path(folder.name) / "own", outcomes=[outcome], model=model)
    shifts[name] = run.tables["equal_dose"]["shift"]
pd.DataFrame(shifts).set_index(study.tables["equal_dose"]["arm"]).round(3)

# %% [markdown]
# ## An arm of your own, or another arm under test
#
# An arm is a value too: `wb.ArmSpec(name, role, doses, build)`. `build` gets the place of the trait in the model and
# the edit under test, and returns an edit at gamma 1. And `method=` puts any arm in DPN-LE's place: here the question
# is whether the residual-stream shift does better than *its* controls, one of them half of itself.


# %%
def half(context: wb.arm.ArmContext) -> wb.Edit:
    """The edit under test, half as strong."""
    edit = context.single_reference()
    return replace(edit, value=edit.value / 2)


arms = ["residual", "random", "flipped", wb.ArmSpec("half", "control", "graded", half)]
residual = config.model_copy(update={"method": "residual", "arms": ("residual", "random", "flipped")})
rival = wb.run_study(residual, Path(folder.name) / "rival", outcomes=[Sentences()], arms=arms, model=model)
rival.tables["against_controls"].query("trait == 'all'")[["control", "difference", "low", "high", "p"]].round(3)

# %%
folder.cleanup()
