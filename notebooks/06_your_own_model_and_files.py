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
# # Your own model, and other tools' files
#
# Nothing here is tied to the embedded model. This notebook loads a checkpoint from a folder, wraps a model that is
# already hooked, and shows why a control matters on any of them. Then it exports an edit as files of other tools, reads
# them back, compares them with the original, and shows what is refused, and why.
#
# The checkpoint is a random two-layer Llama that the notebook writes, so that nothing has to be downloaded. For a real
# one only the line `load_model("...")` changes.

# %%
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import torch
from IPython.display import Markdown
from transformers import LlamaConfig, LlamaForCausalLM

import workbench as wb
from workbench.select import PRESETS

pd.set_option("display.float_format", "{:.2f}".format, "display.max_colwidth", None)

folder = tempfile.TemporaryDirectory()
here = Path(folder.name)
testbed = wb.load_model("testbed")

# %% [markdown]
# ## A checkpoint folder
#
# It contains `config.json`, weights and tokenizer, as `save_pretrained` writes them. From a pickle of weights only
# tensors are read; a checkpoint that lacks weights of its network is refused.

# %%
token = testbed.tokenizer.get_vocab()
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=len(token),
    hidden_size=64,
    intermediate_size=256,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
    tie_word_embeddings=True,
    initializer_range=0.2,
    **{f"{name}_token_id": getattr(testbed.tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")},
)
LlamaForCausalLM(config).save_pretrained(here / "small-llama")
testbed.tokenizer.save_pretrained(here / "small-llama")
small = wb.load_model(here / "small-llama")
small.hooked.cfg.n_layers, small.d_mlp, small.d_model

# %% [markdown]
# Have you hooked a model with TransformerLens yourself? `wrap_model` takes it as it is, a `TransformerBridge` or a
# `HookedTransformer`, and what follows is the same to the last digit.

# %%
wrapped = wb.wrap_model(small.hooked, small.tokenizer, name="mine")
contrast = wb.Contrast.testbed("Extraversion", n=60, seed=0)
loaded_effects, wrapped_effects = (wb.effect_sizes(wb.capture(each, contrast)) for each in (small, wrapped))
torch.equal(loaded_effects.cohens_d, wrapped_effects.cohens_d)

# %% [markdown]
# ## Published settings
#
# Layers, quantile and thresholds that a paper used are found by what a model *is*, its architecture and size, never by
# its name. `preset_of(model)` gives them, or None, as for this one; `**preset.selection` hands them to
# `select_neurons`.

# %%
Markdown("\n".join(f"- {each}" for each in (f"of the small Llama: {wb.select.preset_of(small)}", *PRESETS.values())))

# %% [markdown]
# ## What a random network teaches
#
# This network knows nothing. A rule that takes the largest differences takes some here as well, for something is always
# largest; and as other personas are other words, intervals exclude 0 for more neurons than the 5 % that chance would
# give. Here the effect-size criterion matters: the higher tau_d, the more of the neurons above the magnitude threshold
# it removes; at the published 0.8 it removes all, and the rule refuses to select. In the embedded model, which has
# learned the trait, it removes none. **Before you trust your pipeline on a model that may have the trait, run it on one
# that cannot.**

# %%
bank = wb.effect_sizes(wb.capture(testbed, contrast))
swept = {
    name: wb.select.sensitivity(each, quantiles=[0.98], min_ds=[0.0, 0.2, 0.5, 0.8]).set_index("min_d")["selected"]
    for name, each in {"random network": loaded_effects, "embedded model": bank}.items()
}
pd.DataFrame(swept).rename_axis("tau_d")

# %% [markdown]
# The same over all neurons: for 13 % of the random network's neurons the interval excludes 0, and their effects are a
# sixteenth of those in the embedded model.

# %%
low, high = loaded_effects.interval()
pd.Series(
    {
        "random network: median |d|": loaded_effects.cohens_d.abs().median().item(),
        "share of its neurons whose 95 % interval excludes 0": ((low > 0) | (high < 0)).double().mean().item(),
        "embedded model: median |d|": bank.cohens_d.abs().median().item(),
    }
)

# %% [markdown]
# ## An edit leaves
#
# From here on the embedded model, so that answers can be read. The edit leaves out layer 0, as one of the formats
# cannot express it. `bake` writes it into a stock checkpoint's biases; `export_edit` writes all other formats: `gguf`
# writes llama.cpp's control vector, `lm-eval` a file for the evaluation harness, `dpn-le` and `npti` those methods' own
# files. (`gguf` needs the package of that name and is left out where it is not installed.)

# %%
pairs = wb.Contrast.testbed("Extraversion", n=200, seed=0)
tallies = wb.capture_sites(
    testbed, pairs, sites=["hook_post", "hook_pre"], settings=wb.CaptureSettings(positive=True, sample=512)
)
effects = wb.effect_sizes(tallies["hook_post"])
chosen = wb.select_neurons(effects, layers=range(1, 8), quantile=0.99, min_d=0.8)
edit = wb.dpn_edit(effects, chosen, gamma=1.0, direction="increase")
baked = wb.bake(testbed, edit, here / "baked")
paths = {
    "edit": edit.save(here / "increase.safetensors"),
    "hf": baked.folder,
    "lm-eval": wb.export.export_edit(testbed, edit, here / "increase.pt", to="lm-eval"),
    "dpn-le": wb.export.export_edit(testbed, edit, here / "dpn-le", to="dpn-le"),
    "npti": wb.export.export_edit(testbed, edit, here / "npti", to="npti", tally=tallies["hook_pre"]),
}
if find_spec("gguf"):
    paths["gguf"] = wb.export.export_edit(testbed, edit, here / "increase.gguf", to="gguf")
sizes = {
    kind: sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir())) / 1000
    for kind, path in paths.items()
}
pd.DataFrame({"written": [path.name for path in paths.values()], "kB": sizes.values()}, index=list(paths))

# %% [markdown]
# ## And comes back
#
# `read_steering` recognises the format of a file and checks it against the model. With each file the model answers the
# same twenty questions with the same random draws, in scope `all`, which most formats imply, and the answers are
# compared with the original edit's. The baked checkpoint is no steering file: it is a model of its own, loaded with
# `load_model` and run without any hook. NPTI's files hold the same neurons, but that method silences one half of them
# and drives the other, so its answers are expected to differ. The control shows how often the unedited model gives the
# same answers.

# %%
questions = sorted({prompt.user for prompt in pairs.high})[:20]


def answers(of: wb.Model) -> list[str]:
    return of.generate(questions, max_new_tokens=24, temperature=1.0, seed=0)


with wb.edited(testbed, edit, scope="all"):
    original = answers(testbed)
given = {"(no edit)": ("the control", answers(testbed))}
for kind, path in paths.items():
    if kind == "hf":
        given[kind] = (baked.architecture, answers(wb.load_model(path)))
    else:
        back = wb.export.read_steering(path, model=testbed)
        with wb.edited(testbed, back, scope="all"):
            given[kind] = (f"{type(back).__name__} at {back.site}, gamma {back.gamma:g}", answers(testbed))
rows = [
    {"file": kind, "read as": what, "same answers, of 20": sum(map(str.__eq__, own, original))}
    for kind, (what, own) in given.items()
]
pd.DataFrame(rows).set_index("file")

# %% [markdown]
# A baked checkpoint is loaded with plain transformers and compared with the hooked model before it is kept, on texts
# and on random tokens. It appears under its name only if both agree:

# %%
Markdown(
    f"{len(baked.changed)} tensors changed. The largest difference between logits is {baked.max_logit_difference:.1e}, "
    f"where logits spread over {baked.logit_spread:.1f}; {baked.greedy_tokens} greedy tokens were compared over "
    f"{baked.prompts} prompts, {baked.greedy_ties} of them ties that rounding may turn."
)

# %% [markdown]
# ## Published formats
#
# The files that two papers released, here those just written. `read_npti` gives a pole's neurons, `read_npti_folder`
# all sets of a folder by trait and pole, to compare with your own; `read_dpn_le` gives DPN-LE's mean differences, d and
# both sets, and makes edits of them. An edit keeps no d, so its DPN-LE files hold none; `write_dpn_le` writes measured
# effects.

# %%
wb.export.write_dpn_le(here / "measured", effects=effects, selection=chosen)
published = wb.export.read_dpn_le(here / "measured", model=testbed)
npti = wb.export.read_npti_folder(here / "npti")
pd.Series(
    {
        "DPN-LE: High neurons": len(published.high),
        "DPN-LE: Low neurons": len(published.low),
        "the same as selected": (published.high, published.low) == (chosen.high, chosen.low),
        "its edit is ours": published.edit(gamma=1.0, direction="increase") == edit,
        "NPTI: sets": ", ".join(f"{trait} {pole} ({len(neurons)})" for (trait, pole), neurons in npti.items()),
        "NPTI: shared with DPN-LE's": len((npti["Extraversion", "high"] | npti["Extraversion", "low"]) & chosen.both),
    }
)


# %% [markdown]
# ## Refused, with the reason
#
# If a format cannot express an edit exactly, no file is written. A file for another model is not adapted to this one.
# Each of these calls stops with one sentence that says what arrived and what to do; nothing is left on disk.


# %%
def refusal(attempt: Callable[[], object]) -> str:
    """The message of what must not work."""
    try:
        attempt()
    except (ValueError, FileExistsError) as error:
        return str(error).replace(f"{here}/", "")
    raise AssertionError("This should have been refused.")


whole = wb.dpn_edit(effects, wb.select_neurons(effects))
attempts: dict[str, Callable[[], object]] = {
    "bake an edit of decoding alone": lambda: wb.bake(testbed, edit, here / "no", scope="decode"),
    "bake over a folder that is there": lambda: wb.bake(testbed, edit, here / "baked"),
    "use it on another model": lambda: wb.export.read_steering(paths["edit"], model=small),
    "a dose that is no number": lambda: edit.with_gamma(float("nan")),
    "a rule that selects nothing": lambda: wb.select_neurons(effects, min_d=50),
    "an unknown export": lambda: wb.export.export_edit(testbed, edit, here / "no", to="onnx"),
}
if find_spec("gguf"):
    attempts["a control vector for block 0"] = lambda: wb.export.export_edit(
        testbed, whole, here / "no.gguf", to="gguf"
    )
reasons = pd.DataFrame({"the reason": {what: refusal(attempt) for what, attempt in attempts.items()}})
reasons.style.set_table_styles([{"selector": "th, td", "props": "text-align: left"}])

# %%
assert not (here / "no").exists()
folder.cleanup()
