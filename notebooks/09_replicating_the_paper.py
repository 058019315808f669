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
# # Replicating the paper
#
# Whoever doubts a paper wants to run it as it was run, and see its numbers beside the new ones. `workbench replicate`
# does so for three: DPN-LE, NPTI and CAA. A paper's protocol is one file in the package, with its settings, its numbers
# and where each of them stands. A run takes what a folder of data holds, leaves out the steps whose data are not there,
# and says so. Here a small run of DPN-LE on the embedded model, whose numbers can say nothing of the paper's model but
# show every part of the output; at the end, how the full one is started.

# %%
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from IPython.display import Markdown

import workbench as wb

pd.set_option("display.max_colwidth", None)

model = wb.load_model("testbed")
folder = TemporaryDirectory()
here = Path(folder.name)

# %% [markdown]
# ## A protocol is a file
#
# Every setting and every number says where it stands, so that it can be held against the paper; `workbench replicate
# dpn-le --show` prints all of it. The paper itself was not at hand when this file was written: its numbers are from
# summaries, its settings from the authors' code. Whoever finds another number in the paper corrects the file, or runs
# a copy of it.

# %%
protocol = wb.replicate.read_protocol("dpn-le")
pd.DataFrame([{"number": n.id, "paper": n.value, "where": n.where} for n in protocol.numbers]).head(8)

# %% [markdown]
# ## A folder of data
#
# Files are recognised by the names under which they are published: `personalitybench` with its descriptions, search
# and test questions, `ipip_neo`, `gsm8k.jsonl`, `hotpot_qa.jsonl`, `trivia_qa.jsonl`, `npti_neurons`, and CAA's
# `datasets`. The embedded model speaks a small language of its own, so this folder holds a PersonalityBench in its
# words, and nothing else.

# %%
made = wb.Contrast.testbed("Extraversion", n=200, seed=1)
asked = wb.Contrast.testbed("Extraversion", n=60, seed=2, held_out=True)


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


bench = here / "data" / "personalitybench"
personas = [list(dict.fromkeys(prompt.system or "" for prompt in pole))[:80] for pole in (made.high, made.low)]
write(
    bench / "description.json",
    [{"Extraversion": high, "Extraversion_reversed": low} for high, low in zip(*personas, strict=True)],
)
for split, contrast in (("search", made), ("test", asked)):
    questions = dict.fromkeys(prompt.user for prompt in contrast.high)
    write(bench / split / "Extraversion.json", [{"question": text} for text in questions])

# %% [markdown]
# ## What it will take
#
# Before anything runs: tokens, hours on this machine, memory, and what the judge is asked. With a price for the
# judge's tokens it says what that costs.

# %%
settings = {"pairs": 60, "test_questions": 20, "quantiles": []}
small = {"model": "testbed", "data": here / "data", "small": True, "settings": settings}
planned = wb.replicate.plan_replication("dpn-le", **small)
planned.table.set_index("part")

# %% [markdown]
# ## The small run
#
# `small=True` runs every step on few pairs, questions and items. Answers in the embedded model's words are rated by the
# grammar that taught it; any other model rates itself in a small run, which means little, and is rated by the judge
# that you name in a full one. What is done is kept in the folder: the same call continues a run that was stopped.

# %%
replication = wb.replicate.replicate("dpn-le", folder=here / "run", **small)
numbers = replication.table.query("verdict != 'not run'").set_index("id")
numbers[["arm", "gamma", "paper", "ours", "low", "high", "n", "verdict"]].round(2)

# %% [markdown]
# *Inside* and *outside* say whether the paper's number lies within our interval. Only of the paper's own model under
# its whole protocol would that be *reproduced* or *not reproduced*. Where all rows are alike there is no interval.
#
# Every step is listed, with what it lacks:

# %%
replication.steps.assign(why=replication.steps["why"].str.split(" in /").str[0]).set_index("step")

# %% [markdown]
# ## What ran otherwise
#
# A replication is only as good as its list of differences: what a small run changes, what the folder of data lacks,
# and what this package does otherwise in every run.

# %%
pd.DataFrame([each.model_dump() for each in replication.deviations]).set_index("what")

# %% [markdown]
# ## What the paper lacks
#
# The authors quote personality at gamma 1 and capability at 0.8. Here each row is one strength, with all that was
# measured at it; beside it stand controls of equal strength and a shift of the residual stream with the same norm.

# %%
strength = replication.added["one_strength"]
strength.pivot_table(index=["arm", "gamma"], columns="quantity", values="estimate", sort=False).round(2)

# %% [markdown]
# How far the method moves the trait beyond each control and prompt, paired by question:

# %%
controls = replication.added["controls"].query("trait == 'all'").set_index("control")
controls[["difference", "low", "high", "n", "draws"]].round(2)

# %% [markdown]
# All of this is in the folder too, as `replication.md` and CSV, and the whole study behind it under `study`, with its
# tables and its report.

# %%
sorted(path.name for path in (here / "run").iterdir())

# %% [markdown]
# ## The full one
#
# On a machine that holds the paper's model, with the data of the papers in a folder:
#
# ```bash
# workbench replicate dpn-le --model meta-llama/Meta-Llama-3-8B-Instruct --dtype bfloat16 --data data \
#   --judge gpt-4o --price 2.5/10 --out runs/dpn-le --plan
# ```
#
# Without `--plan` it runs. `--small` with nothing but `--data` is the same on SmolLM2, which then rates itself.
# `workbench replicate npti` and `workbench replicate caa` take the same options. The documentation on replication says
# which files are looked for.

# %%
full = wb.replicate.plan_replication("dpn-le", model="testbed", data=here / "data", judge="grammar",
                                     settings={"traits": ["Extraversion"]})  # fmt: skip
Markdown(f"{full.tokens:,} tokens for one trait of the full protocol; {len(full.lacking)} steps lack their data.")

# %%
folder.cleanup()
