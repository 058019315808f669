"""What a study lacks, read from its manifest, its file and its tables' names."""

import pandas as pd

from workbench.study.study import Study

_FEW_DRAWS = 19  # with fewer, no p-value of a random control's draws reaches 5 %
_FEW_RESAMPLES = 1000
_KINDS = {"control": "controls", "prompt": "prompts that ask for the trait", "rival": "other ways to steer"}


def limits_of(study: Study) -> pd.DataFrame:
    """What this study cannot say, and why.

    Returns:
        columns limit and what it means, a row each: of the model, the measures, the sample, the comparison, what was
        left out or warned of, and every claim that is undecided or refuted.
    """
    rows = [*_of_model(study), *_of_measures(study), *_of_sample(study), *_of_arms(study), *_of_run(study)]
    rows += [
        (f"{finding.verdict}: {finding.claim}", finding.sentence)
        for finding in study.findings
        if finding.verdict != "supported"
    ]
    return pd.DataFrame(rows, columns=["limit", "what it means"])


def _of_model(study: Study) -> list[tuple[str, str]]:
    config, manifest = study.config, study.manifest
    rows = [("one model", f"Nothing here was shown on any model but {manifest['model']}.")]
    if config.contrast == "testbed":
        rows.append(
            (
                "a toy model's language",
                "Pairs are of the embedded model's generated language; what holds there need not hold in any other.",
            )
        )
    weights = manifest.get("weights") or ""
    if weights and weights != "as the checkpoint has them":
        rows.append(("weights that are not the checkpoint's own", f"They are {weights}."))
    if config.adapter:
        rows.append(("an adapter", f"{config.adapter} is merged into the model."))
    if manifest.get("rendering_remarks"):
        rows.append(("how prompts were rendered", "; ".join(manifest["rendering_remarks"]) + "."))
    return rows


def _of_measures(study: Study) -> list[tuple[str, str]]:
    config, quantities = study.config, study.quantities
    rows = []
    if config.scorer == "grammar" and "answers" in set(quantities["outcome"]):
        rows.append(
            ("no judge", "Open answers were scored by the embedded model's grammar, not by a judge or a person.")
        )
    elif config.scorer == "none":
        rows.append(("no judge", "Open answers have no score; they are shown only."))
    elif config.judge is not None:
        rows.append(("one kind of judge", f"Open answers were scored by {config.judge.model}, not by a person."))
    traits = quantities.loc[quantities["role"] == "trait", "label"].drop_duplicates().tolist()
    if len(traits) == 1:
        rows.append(("one measure of the trait", f"The trait is known by {traits[0]} alone."))
    costs = quantities.loc[quantities["role"] == "cost", "label"].drop_duplicates().tolist()
    if not costs:
        rows.append(("no cost", "Nothing was measured that an edit should leave as it is."))
    elif not len(study.tables.get("kept", ())):
        rows.append(("no margin", "No cost was tested against a margin, so none is shown to be kept."))
    return rows


def _of_sample(study: Study) -> list[tuple[str, str]]:
    config = study.config
    rows = [("one seed", f"Pairs, answers and intervals are those of seed {study.manifest['seed']}; no other was run.")]
    if len(config.traits) == 1:
        rows.append(("one trait", f"{config.traits[0]} alone, so nothing is said of other traits, nor of specificity."))
    drawn = [arm for arm in ("random", "matched random", "shuffled") if arm in study.roles]
    if drawn and config.draws < _FEW_DRAWS:
        least = 1 / (config.draws + 1)
        rows.append(
            (
                "few draws",
                f"Random controls were drawn {config.draws} times, so that no p-value lies below {least:.2g}: being "
                "ahead of all draws shows nothing at 5 %.",
            )
        )
    if config.resamples < _FEW_RESAMPLES:
        rows.append(("few resamples", f"Intervals rest on {config.resamples} bootstrap resamples and are rough."))
    if len(config.scopes) == 1:
        rows.append(("one scope", f"Edits acted on the positions of scope {config.scopes[0]} alone."))
    return rows


def _of_arms(study: Study) -> list[tuple[str, str]]:
    roles = study.roles
    return [
        (f"no {kind}", f"{study.method} was compared with none.")
        for role, kind in _KINDS.items()
        if role not in roles.values()
    ]


def _of_run(study: Study) -> list[tuple[str, str]]:
    rows = [(f"left out: {arm}", why) for arm, why in study.left_out.items()]
    rows += [(f"no comparison: {arm}", f"It is {twin}, value by value.") for arm, twin in study.twins.items()]
    rows += [(f"stand-in for {trait}", str(found["why"])) for trait, found in study.stand_ins.items()]
    return [*rows, *(("warning", warning) for warning in study.warnings)]
