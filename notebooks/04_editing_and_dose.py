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
# # Editing, and how much of it
#
# An edit says what is added to which neurons; `gamma`, its *dose*, scales it. This notebook looks into an edit, runs it
# in three scopes, draws its dose curve beside a random control's, chooses a dose within a limit on costs, and shows
# what breaks at high doses, including the evidence against editing few neurons.

# %%
import tempfile
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

import workbench as wb
from workbench.score import answer_items, answer_questions
from workbench.score.minimal_pairs.bank import builtin_minimal_pairs
from workbench.study import Measured, Plan
from workbench.testbed import grammar, tasks

pd.set_option("display.float_format", "{:.2f}".format, "display.max_colwidth", None)

model = wb.load_model("testbed")
pairs = wb.Contrast.testbed("Extraversion", n=200, seed=0)
effects = wb.effect_sizes(wb.capture(model, pairs))
chosen = wb.select_neurons(effects, rule="dual", quantile=0.995, min_d=0.8)

# %% [markdown]
# ## An edit is a value
#
# You can print, compare, save, load and add edits. `value` is what is added at dose 1, the neuron's mean difference
# between the poles; `delta` is `gamma` times that.

# %%
edit = wb.dpn_edit(effects, chosen, gamma=0.5, direction="increase")
edit.frame().head()

# %% [markdown]
# Variants on the same neurons: the other direction reverses the signs, *weighted* scales the values of neurons with
# smaller |d| in a layer down to 0.75, *directional* edits only the neurons of the intended pole. `strength` is the norm
# of everything that is added at dose 1.

# %%
variants = {
    "increase": edit,
    "decrease": wb.dpn_edit(effects, chosen, direction="decrease"),
    "weighted": wb.dpn_edit(effects, chosen, direction="increase", weighted=True),
    "directional": wb.dpn_edit(effects, chosen, direction="increase", neurons="directional"),
}
pd.DataFrame(
    {
        name: {"neurons": len(each), "lowered": int((each.value < 0).sum()), "strength": each.value.norm().item()}
        for name, each in variants.items()
    }
).T.astype({"neurons": int, "lowered": int})

# %% [markdown]
# Because edits are values, half a dose twice equals one dose, an edit and its opposite cancel, and a file keeps an edit
# exactly.

# %%
with tempfile.TemporaryDirectory() as folder:
    path = edit.save(Path(folder) / "increase.safetensors")
    from_file = wb.load_edit(path)
both_ways = edit + variants["decrease"].with_gamma(0.5)
pd.Series(
    {
        "half and half is whole": all((edit + edit).delta(k).equal(edit.with_gamma(1.0).delta(k)) for k in edit.layers),
        "with its opposite, neurons left": len(both_ways),
        "from file, equal": from_file == edit,
    }
)

# %% [markdown]
# ## Turn the dials yourself
#
# With a running kernel you can choose layers, quantile, tau_d and gamma here, and see the map, the counts and a steered
# answer change. (Without a kernel nothing is shown; the rest of the notebook does not need it.)

# %%
wb.explore.trait_panel(model, effects, question="How do you spend your time at the office party?")

# %% [markdown]
# ## Scopes
#
# *Which* positions are edited matters as much as which neurons. `decode` edits the steps after the first new token, as
# the published code does; the first token of an answer is then never steered. `generated` also edits the last prompt
# position, and with it the first token. `all` edits the whole prompt. Every run counts what it edited, in (position,
# layer) pairs: the prompt below has 15 tokens with its template, the answer 16, and 8 layers are edited.
#
# Under `decode` the answer begins as it would without an edit, undecided, and continues from there. One answer proves
# little, but the first word constrains the rest; so `generated` is the default, and a study can compare several scopes.

# %%
question = "How do you spend your time at the team workshop?"
rows = []
for scope in ("decode", "generated", "all"):
    with wb.edited(model, edit.with_gamma(1.0), scope=scope) as run:
        [answer] = model.generate([question], max_new_tokens=16, temperature=1.0, seed=1)
    rows.append({"scope": scope, "prompt": run.pairs["prompt"], "decode": run.pairs["decode"], "answer": answer})
pd.DataFrame(rows).set_index("scope").style.set_table_styles([{"selector": "th, td", "props": "text-align: left"}])

# %% [markdown]
# ## A dose curve
#
# 34 held-out questions at five doses in both directions, for DPN-LE and for **random**: the same values on as many
# other neurons of the same layers. It is one draw of a random control; [01](01_tour.ipynb) ranks the edit among twenty
# at one dose, and a study does so at its chosen dose. Beside them 40 held-out capability items (sums, facts,
# comparisons, orderings, digits to sort). All arms answer the same questions with the same random draws; intervals are
# 95 %, over questions.

# %%
questions = {"Extraversion": grammar.questions("Extraversion", "test")[::6]}
items = [item for task in tasks.TASKS for item in tasks.items(task, "test", n=8, seed=0)]


def outcomes(arms: dict[str, dict[str, wb.Edit]], doses: tuple[float, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Open answers and capability items under every arm, direction and dose."""
    conditions = [
        wb.score.Condition(name, "Extraversion", direction, dose, arm.with_gamma(dose))
        for name, both in arms.items()
        for direction, arm in both.items()
        for dose in doses
    ]
    answers = answer_questions(model, conditions, questions, temperature=1.0, seed=0)
    return answers, answer_items(model, conditions, [items] * len(conditions))


directions = ("increase", "decrease")
dpn = {direction: wb.dpn_edit(effects, chosen, direction=direction) for direction in directions}
random = {direction: wb.edit.random_control(each, seed=0) for direction, each in dpn.items()}
unedited = [wb.score.Condition("none", "Extraversion", direction, 0.0, None) for direction in directions]
asked = [
    (
        answer_questions(model, [wb.score.Condition.unedited("Extraversion")], questions, temperature=1.0, seed=0),
        answer_items(model, unedited, [items] * 2),
    ),
    outcomes({"DPN-LE": dpn, "random": random}, (0.25, 0.5, 0.75, 1.0, 1.5)),
]
answers, capability = (pd.concat(parts, ignore_index=True) for parts in zip(*asked, strict=True))
plan = Plan.of(wb.StudyConfig(traits=("Extraversion",)), outcomes=["answers", "capability"])


def measured() -> list[Measured]:
    """Both outcomes' rows, with the numbers that a study reads from them."""
    return [Measured.of(outcome, rows) for outcome, rows in zip(plan.outcomes, (answers, capability), strict=True)]


curves = wb.study.dose(measured(), resamples=1000)
legend = wb.plots.Legend(quantities=tuple(each for outcome in plan.outcomes for each in outcome.quantities))
wb.plots.dose_curves(curves, trait="Extraversion", legend=legend)

# %% [markdown]
# DPN-LE moves the score with the dose and in the direction that it is meant to; this random control stays near the
# unedited model. At 1.5 DPN-LE's curve turns back: six in ten answers have no score any more, as nothing in them is
# well-formed and tells of the trait, and an answer without a score counts as not moved. Left out, they would have
# hidden that the edit breaks the model. The next figure shows the share of well-formed sentences in the same runs.
# Above a dose of about 0.75 it falls, for the selected neurons earlier than for random ones.

# %%
wb.plots.dose_curves(curves, trait="Extraversion", quantity="wellformed", legend=legend)

# %% [markdown]
# ## Choosing a dose
#
# `calibrate` finds the least dose that reaches the shift you ask for, and refuses it if it costs more capability than
# you allow. Here it gets other questions and items than those above, so that no dose is chosen on the data that report
# its effect. (By default it uses all search questions of the embedded model.)

# %%
search = {
    "questions": grammar.questions("Extraversion", "search")[::2],
    "items": [item for task in tasks.TASKS for item in tasks.items(task, "train", n=10, seed=0)],
}
found = wb.calibrate(model, edit, target=0.4, max_loss=0.02, gammas=(0.25, 0.5, 1.0), tolerance=0.13, **search)
Markdown(found.reason)

# %% [markdown]
# For the random control (the same draw) it finds no dose, and reports how near the control came.

# %%
control = wb.calibrate(model, wb.edit.random_control(edit, seed=0), target=0.4, gammas=(1.0,), **search)
Markdown(control.reason)

# %% [markdown]
# ## What breaks
#
# One question at rising doses. First the persona's words appear, then the grammar breaks, and in the end single words
# are left.

# %%
words, doses = [], (0.0, 0.5, 1.0, 1.5, 3.0)
for dose in doses:
    with wb.edited(model, edit.with_gamma(dose)):
        words.append({"answer": model.generate([question], temperature=1.0, seed=1)[0]})
pd.DataFrame(words, index=[f"gamma {dose:g}" for dose in doses]).style.set_table_styles(
    [{"selector": "th, td", "props": "text-align: left"}]
)

# %% [markdown]
# ## Few neurons or all of them?
#
# At an equal *dose* an edit of few neurons costs little, but it also does little. The fair comparison is at equal
# *cost*. Two rivals: **broad** adds the mean difference to all 6,144 neurons, at smaller doses; **residual** adds one
# vector to the residual stream of each layer, all of them together as long as what the whole of DPN-LE's edit writes.
# Every curve begins at the unedited model (0, 0): further right is more shift, further down is a higher cost.

# %%
stream = wb.effect_sizes(wb.capture(model, pairs, site="resid_post"))
every = wb.select_neurons(effects, rule="broad")
writing = wb.edit.Writing.of(model)
broad = {direction: wb.dpn_edit(effects, every, direction=direction) for direction in directions}
residual = {direction: wb.edit.residual_edit(stream, each, writing=writing) for direction, each in dpn.items()}
asked += [outcomes({"broad": broad}, (0.1, 0.2, 0.3)), outcomes({"residual": residual}, (0.25, 0.5, 0.75))]
answers, capability = (pd.concat(parts, ignore_index=True) for parts in zip(*asked, strict=True))
tradeoff = wb.study.tradeoff(measured(), plan.target, resamples=1000)
wb.plots.trait_against_cost(tradeoff.query("gamma <= 1"), cost="wellformed", trait="Extraversion", legend=legend)

# %% [markdown]
# The same in numbers: how far each arm has moved the trait by the dose at which it first costs 2 or 5 percentage points
# of well-formed sentences. `against` is the shift beyond DPN-LE's, with its interval over questions. (An arm that never
# costs so much is read at its largest dose; so is the random one.)
#
# By the dose at which it has cost 5 points, DPN-LE has moved the trait by 0.54 points. At their largest doses, where
# neither has yet cost as much, the broad edit has moved it by 0.32 [0.10, 0.62] more, the residual vector by 0.39
# [0.20, 0.69] more. On this model editing *few* neurons is not the gentler way to
# steer. What 34 questions of one trait show here, the full study (`make demo`) shows for five.

# %%
losses = wb.measure.equal_loss(
    answers, capability, reference="DPN-LE", losses=(0.02, 0.05), cost="wellformed", resamples=1000, seed=0
)
columns = [f"{name}{end}" for name in ("shift", "against") for end in ("", "_low", "_high")]
losses.set_index(["loss", "arm"])[["gamma", *columns]]

# %% [markdown]
# ## On a real model
#
# The same curve on SmolLM2-135M-Instruct, where it is installed: the shift of its statements (high minus low, nats per
# token) beside a capability that is below its ceiling, minimal pairs of sentences of which one is right. Both need no
# judge, and nothing that the model was taught here.

# %%
try:
    real = wb.load_model("smollm2")
except FileNotFoundError as error:
    real, seen = None, Markdown(str(error))
if real is not None:
    its_pairs = wb.Contrast.builtin("Extraversion", n=24, seed=0, held_out=False)
    its_effects = wb.effect_sizes(wb.capture(real, its_pairs))
    its_edit = wb.dpn_edit(its_effects, wb.select_neurons(its_effects, min_d=0.5))
    statements = wb.score.read_statements("builtin", "Extraversion")[:48]
    facts = builtin_minimal_pairs()[:48]
    its_curve = []
    for dose in (0.0, 1.0, 4.0, 16.0):
        with wb.edited(real, its_edit.with_gamma(dose)):
            means = wb.score.statement_scores(real, statements).groupby("pole")["logprob"].mean()
            right = wb.score.sentence_scores(real, facts)["correct"].mean()
        its_curve.append({"gamma": dose, "high minus low": means["high"] - means["low"], "pairs told apart": right})
    seen = pd.DataFrame(its_curve).set_index("gamma")
seen
