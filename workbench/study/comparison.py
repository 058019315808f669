"""Outcomes compared: doses, trait against cost, arms at equal dose, trait shift and loss, with intervals."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from workbench.measure.comparing import compare_arms, equal_loss, specificity_matrix
from workbench.measure.curves import first_reaching, items_with_base, outcome_curves, summary, two_sided, with_base
from workbench.measure.paired import bootstrap_difference, bootstrap_mean, holm
from workbench.measure.permutation import permutation_test
from workbench.study.config import CONTROLS, PROMPTING, StudyConfig
from workbench.vocabulary import SIGN

ALL = "all"
_ENDS = ("", "_low", "_high")
PERMUTATIONS = 2000
"""Sign flips behind each p-value."""


def _by_trait(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(ALL, frame), *((str(trait), rows) for trait, rows in frame.groupby("trait", sort=False))]


def _interval(frame: pd.DataFrame, column: str, cluster: str, resamples: int) -> dict[str, float]:
    values = frame[column].to_numpy(float)
    known = ~np.isnan(values)
    if not known.any():
        return {"estimate": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    traits, units = (frame[name].to_numpy(object)[known] for name in ("trait", cluster))
    found = bootstrap_mean(values[known], clusters=traits + "|" + units, resamples=resamples)
    return {"estimate": found.estimate, "low": found.low, "high": found.high, "n": found.n}


def dose(answers: pd.DataFrame, capability: pd.DataFrame, *, resamples: int) -> pd.DataFrame:
    """Every outcome by arm, dose, direction and trait, the unedited model as dose 0 of each arm.

    Returns:
        Columns arm, gamma, direction, trait (`all` for all), quantity (`trait_score`, `wellformed`,
        `coverage`, `capability`), estimate, low, high (95 %, clustered by question or item), n.
    """
    scored = answers.assign(coverage=answers["score"].notna().astype(float)).rename(columns={"score": "trait_score"})
    quantities = {"trait_score": "question", "wellformed": "question", "coverage": "question", "capability": "item"}
    found = []
    frames = {"question": scored, "item": capability.rename(columns={"correct": "capability"})}
    arms = [arm for arm in dict.fromkeys(answers["arm"]) if arm != "none"]
    for cluster, frame in frames.items():
        wanted = [quantity for quantity, of in quantities.items() if of == cluster]
        for (arm, gamma, direction), rows in frame.groupby(["arm", "gamma", "direction"], sort=False):
            for trait, own in _by_trait(rows):
                for quantity in wanted:
                    interval = _interval(own, quantity, cluster, resamples)
                    found.append(
                        {"arm": arm, "gamma": gamma, "direction": direction, "trait": trait, "quantity": quantity}
                        | interval
                    )
    table = pd.DataFrame(found)
    return pd.concat([_base_as_dose_zero(table, arms), table[table["arm"] != "none"]], ignore_index=True)


def _base_as_dose_zero(table: pd.DataFrame, arms: list[str]) -> pd.DataFrame:
    base = table[table["arm"] == "none"]
    copies = []
    for arm in arms:
        for direction in SIGN:
            own = base[base["direction"].isin([direction, "none"])]
            copies.append(own.assign(arm=arm, direction=direction, gamma=0.0))
    return pd.concat(copies, ignore_index=True)


def tradeoff(answers: pd.DataFrame, capability: pd.DataFrame, *, resamples: int) -> pd.DataFrame:
    """Trait shift against what it costs, both directions together.

    Returns:
        Columns arm, gamma, trait, and for each of `shift` (points in the intended direction), `wellformed`,
        `coverage`, `capability` (shares) and `capability_change`, `wellformed_change` (paired, edited minus
        unedited) the estimate and its `_low` and `_high` (95 %, clustered).
    """
    rows = with_base(answers)
    rows = rows.assign(
        coverage=rows["score"].notna().astype(float), wellformed_change=rows["wellformed"] - rows["base_wellformed"]
    )
    items = items_with_base(capability)
    items = items.assign(
        capability=items["correct"].astype(float),
        capability_change=items["correct"].astype(float) - items["base_correct"].astype(float),
    )
    items_of = {(arm, gamma): part for (arm, gamma), part in items.groupby(["arm", "gamma"], sort=False)}
    found = []
    for (arm, gamma), part in rows.groupby(["arm", "gamma"], sort=False):
        traits = dict(_by_trait(items_of[arm, gamma]))
        for trait, own in _by_trait(part):
            entry: dict[str, object] = {"arm": arm, "gamma": gamma, "trait": trait}
            for name in ("shift", "wellformed", "wellformed_change", "coverage"):
                entry |= _named(name, _interval(own, name, "question", resamples))
            for name in ("capability", "capability_change"):
                entry |= _named(name, _interval(traits[trait], name, "item", resamples))
            found.append(entry)
    return pd.DataFrame(found)


def _named(name: str, interval: dict[str, float]) -> dict[str, float]:
    return {name: interval["estimate"], f"{name}_low": interval["low"], f"{name}_high": interval["high"]}


def equal_dose(tradeoff: pd.DataFrame, *, gamma: float) -> pd.DataFrame:
    """Every arm at the same dose, all traits together."""
    here = (tradeoff["gamma"] == gamma) | tradeoff["arm"].isin(PROMPTING)  # what is only said has no dose
    table = tradeoff[here & (tradeoff["trait"] == ALL)]
    return table.drop(columns="trait").reset_index(drop=True)


def shift_against_controls(answers: pd.DataFrame, *, gamma: float, resamples: int, seed: int = 0) -> pd.DataFrame:
    """DPN-LE's shift beyond each control's at one dose, paired by question.

    Returns:
        Columns control, trait, difference (points), low, high (95 %), n, p (sign flips of whole questions,
        two-sided) and p_holm (over the traits of a control).
    """
    rows = with_base(answers)
    names = ["trait", "direction", "question"]
    dpn = rows[(rows["arm"] == "DPN-LE") & (rows["gamma"] == gamma)].set_index(names)["shift"]
    found = []
    for control in [arm for arm in dict.fromkeys(rows["arm"]) if arm in (*CONTROLS, *PROMPTING)]:
        # What is only said to the model has no dose.
        at = 1.0 if control in PROMPTING else gamma
        other = rows[(rows["arm"] == control) & (rows["gamma"] == at)].set_index(names)["shift"]
        both = pd.DataFrame({"own": dpn, "control": other}).dropna().reset_index()
        for trait, each in _by_trait(both):
            pair = (each["control"].to_numpy(), each["own"].to_numpy())
            clusters = (each["trait"] + each["question"]).to_numpy()
            interval = bootstrap_difference(*pair, clusters=clusters, resamples=resamples, seed=seed)
            p = permutation_test(*pair, clusters=clusters, permutations=PERMUTATIONS, seed=seed).pvalue
            found.append(
                {"control": control, "trait": trait, "difference": interval.estimate, "low": interval.low}
                | {"high": interval.high, "n": interval.n, "p": p}
            )
    table = pd.DataFrame(found, columns=["control", "trait", "difference", "low", "high", "n", "p"])
    return _with_holm(table, "control")


def trait_shifts(answers: pd.DataFrame, *, gamma: float, resamples: int, seed: int = 0) -> pd.DataFrame:
    """Every arm's shift against the unedited model at one dose, by trait and direction.

    Returns:
        Columns arm, trait, direction (`both` for both), shift (points), low, high (95 %), n, unscored (answers that
        the scorer cannot tell), p (sign flips of whole questions) and p_holm (over the traits of an arm and direction).
    """
    rows = with_base(answers)
    rows = rows[(rows["gamma"] == gamma) | rows["arm"].isin(PROMPTING)]
    found = []
    for arm, own in rows.groupby("arm", sort=False):
        for direction in ("both", *SIGN):
            part = own if direction == "both" else own[own["direction"] == direction]
            for trait, each in _by_trait(part):
                known = each.dropna(subset=["shift"])
                entry = {"arm": arm, "trait": trait, "direction": direction, "unscored": len(each) - len(known)}
                if known.empty:
                    found.append(entry | {"shift": np.nan, "low": np.nan, "high": np.nan, "n": 0, "p": 1.0})
                    continue
                clusters = (known["trait"] + known["question"]).to_numpy()
                shift = known["shift"].to_numpy()
                interval = bootstrap_mean(shift, clusters=clusters, resamples=resamples, seed=seed)
                drawn = {"clusters": clusters, "permutations": PERMUTATIONS, "seed": seed}
                p = permutation_test(np.zeros(len(shift)), shift, **drawn).pvalue
                found.append(
                    entry
                    | {"shift": interval.estimate, "low": interval.low, "high": interval.high, "n": interval.n, "p": p}
                )
    return _with_holm(pd.DataFrame(found), ["arm", "direction"])


def _with_holm(table: pd.DataFrame, by: str | list[str]) -> pd.DataFrame:
    """p-values adjusted over the traits of each group; that of all traits together stays as it is."""
    adjusted = table["p"].copy()
    for _, rows in table[table["trait"] != ALL].groupby(by, sort=False):
        adjusted.loc[rows.index] = holm(rows["p"].to_numpy())
    return table.assign(p_holm=adjusted)


def equal_shift(
    answers: pd.DataFrame, capability: pd.DataFrame, *, gamma: float, resamples: int, seed: int = 0
) -> pd.DataFrame:
    """What each arm costs where it moves the traits as far as DPN-LE does at `gamma`.

    Each arm's shift, well-formedness and capability are taken as straight lines between its doses, from the
    unedited model at dose 0; the dose at which the shift first reaches DPN-LE's is found, and the costs are read
    there. Intervals (95 %, percentile) resample questions and items as clusters, the target with them.

    Returns:
        Columns arm, reached (the share of resamples in which the arm reaches the shift at all), gamma, shift
        (the target, points), wellformed_change and capability_change (edited minus unedited, at that shift),
        and `wellformed_against`, `capability_against`: the arm's minus DPN-LE's; each with `_low`, `_high`, the
        last two with `_p`, two-sided, from the resamples. Missing where the arm never reaches the shift. An arm
        that was run at a single dose has no curve and is left out.
    """
    answers, capability = _graded(answers), _graded(capability)
    curves = outcome_curves(answers, capability, resamples=resamples, seed=seed)
    doses, dpn = curves["DPN-LE"]
    at = int(np.flatnonzero(doses == gamma)[0])
    target = dpn["shift"][:, at]
    reference = {name: dpn[name][:, at] for name in ("wellformed", "capability")}
    found = []
    for arm, (doses, curve) in curves.items():
        # DPN-LE itself is read at its own dose, not where a noisy curve first crosses.
        needed = np.full(len(target), gamma) if arm == "DPN-LE" else first_reaching(doses, curve["shift"], target)
        entry: dict[str, object] = {"arm": arm, "reached": float(np.isfinite(needed[1:]).mean())}
        entry |= summary("gamma", needed) | summary("shift", target)
        for name in ("wellformed", "capability"):
            cost = np.array([np.interp(g, doses, row) for g, row in zip(needed, curve[name], strict=True)])
            cost[~np.isfinite(needed)] = np.nan
            against = cost - reference[name]
            entry |= summary(f"{name}_change", cost) | summary(f"{name}_against", against)
            entry |= {f"{name}_against_p": two_sided(against)}
        found.append(entry)
    return pd.DataFrame(found)


def cost_by_breadth(equal_shift: pd.DataFrame, sizes: pd.DataFrame) -> pd.DataFrame:
    """What each arm costs at the same trait shift, beside how many units it edits.

    Args:
        equal_shift: as `equal_shift` returns it.
        sizes: columns arm, site and units, a row a trait and direction.

    Returns:
        Columns arm, site, units (mean over traits and directions), reached, gamma, shift, wellformed_change and
        capability_change, the last four with `_low` and `_high`; fewest units first.
    """
    edited = sizes.groupby("arm", sort=False).agg(site=("site", "first"), units=("units", "mean")).reset_index()
    values = [f"{name}{end}" for name in ("gamma", "shift", "wellformed_change", "capability_change") for end in _ENDS]
    table = edited.merge(equal_shift[["arm", "reached", *values]], on="arm", validate="one_to_one")
    return table.sort_values("units", kind="stable", ignore_index=True)


def equal_shift_by_dose(
    answers: pd.DataFrame, capability: pd.DataFrame, *, resamples: int, seed: int = 0
) -> pd.DataFrame:
    """`equal_shift` for the shift that DPN-LE reaches at each of its doses, so that none is favoured.

    Returns:
        The columns of `equal_shift` after `dpn_gamma`, the dose of DPN-LE whose shift is the target.
    """
    doses = sorted(answers.loc[answers["arm"] == "DPN-LE", "gamma"].unique())
    tables = [
        equal_shift(answers, capability, gamma=dose, resamples=resamples, seed=seed).assign(dpn_gamma=dose)
        for dose in doses
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[["dpn_gamma", *table.columns.drop("dpn_gamma")]]


def equal_shift_by_trait(
    answers: pd.DataFrame, capability: pd.DataFrame, *, resamples: int, seed: int = 0
) -> pd.DataFrame:
    """`equal_shift_by_dose` for all traits together and for each alone, in a column trait."""
    traits = list(dict.fromkeys(answers["trait"]))
    tables = [equal_shift_by_dose(answers, capability, resamples=resamples, seed=seed).assign(trait=ALL)]
    for trait in traits if len(traits) > 1 else []:
        own = [frame[frame["trait"] == trait] for frame in (answers, capability)]
        tables.append(equal_shift_by_dose(*own, resamples=resamples, seed=seed).assign(trait=trait))
    if len(traits) == 1:
        tables.append(tables[0].assign(trait=traits[0]))
    return pd.concat(tables, ignore_index=True)


def _graded(frame: pd.DataFrame) -> pd.DataFrame:
    """The unedited model and the arms that were run at several doses."""
    doses = frame.groupby("arm")["gamma"].nunique()
    several = set(doses.index[doses > 1]) | {"none", "DPN-LE"}
    return frame[frame["arm"].isin(several)]


def scopes(outcomes: Mapping[str, pd.DataFrame], *, gamma: float, resamples: int) -> pd.DataFrame:
    """DPN-LE's shift and costs at the chosen dose in each scope, in a column scope; see `tradeoff`."""
    found = []
    base = [frame[frame["arm"] == "none"] for frame in (outcomes["answers"], outcomes["capability"])]
    dpn = [
        frame[(frame["arm"] == "DPN-LE") & (frame["gamma"] == gamma)]
        for frame in (outcomes["answers"], outcomes["capability"])
    ]
    for scope in dict.fromkeys(dpn[0]["scope"]):
        both = [pd.concat([b, own[own["scope"] == scope]]) for b, own in zip(base, dpn, strict=True)]
        found.append(tradeoff(*both, resamples=resamples).assign(scope=scope))
    return pd.concat(found, ignore_index=True)


def fluency(answers: pd.DataFrame, *, resamples: int) -> pd.DataFrame:
    """Perplexity, repetition and length of answers by arm and dose, all traits together, beside the unedited model's.

    Returns:
        Columns arm, gamma, quantity (`log_perplexity_change`: natural log of the answer's perplexity under the
        unedited model minus that of its own answer; `repetition_change`, a share; `length_change`, tokens),
        estimate, low, high (95 %, clustered by question), n, and empty (answers without a token).
    """
    if "perplexity" not in answers:
        return pd.DataFrame()
    told = answers.assign(log_perplexity=np.log(answers["perplexity"]))
    quantities = ("log_perplexity", "repetition", "length")
    base = told.loc[told["arm"] == "none", ["trait", "question", *quantities]]
    rows = told[told["arm"] != "none"].merge(base, on=["trait", "question"], suffixes=("", "_base"))
    found = []
    for (arm, gamma), own in rows.groupby(["arm", "gamma"], sort=False):
        for quantity in quantities:
            change = own.assign(change=own[quantity] - own[f"{quantity}_base"])
            found.append(
                {"arm": arm, "gamma": gamma, "quantity": f"{quantity}_change", "empty": int((own["length"] == 0).sum())}
                | _interval(change, "change", "question", resamples)
            )
    return pd.DataFrame(found)


def questionnaire(asked: pd.DataFrame, *, resamples: int) -> pd.DataFrame:
    """Shift of the keyed questionnaire score by arm, dose and trait, in the intended direction.

    Returns:
        Columns arm, gamma, trait, shift (points of 1 to 5; the expected score over options and their orders), low,
        high (95 %, clustered by item), n, unparsed (the share of items whose options carry too little probability).
    """
    keys = ["trait", "item"]
    scored = asked.assign(expected=asked["expected"].where(asked["parsed"]))
    means = scored.groupby(["arm", "gamma", "direction", *keys], sort=False, as_index=False).agg(
        expected=("expected", "mean"), parsed=("parsed", "mean")
    )
    base = means.loc[means["arm"] == "none", [*keys, "expected"]].rename(columns={"expected": "base"})
    rows = means[means["arm"] != "none"].merge(base, on=keys, validate="many_to_one")
    rows = rows.assign(shift=rows["direction"].map(SIGN) * (rows["expected"] - rows["base"]))
    found = []
    for (arm, gamma), own in rows.groupby(["arm", "gamma"], sort=False):
        for trait, each in _by_trait(own):
            interval = _interval(each, "shift", "item", resamples)
            found.append(
                {"arm": arm, "gamma": gamma, "trait": trait, "shift": interval.pop("estimate")}
                | interval
                | {"unparsed": 1 - each["parsed"].mean()}
            )
    return pd.DataFrame(found)


def specificity(
    across: pd.DataFrame, answers: pd.DataFrame, *, gamma: float, resamples: int, seed: int
) -> pd.DataFrame:
    """The trait that is edited against the trait that is measured, by arm; see `specificity_matrix`."""
    base = answers[answers["arm"] == "none"].assign(measured=lambda frame: frame["trait"])
    found = []
    for arm in dict.fromkeys(across["arm"]):
        own = answers[(answers["arm"] == arm) & ((answers["gamma"] == gamma) | (arm in PROMPTING))]
        others = across[across["arm"] == arm]
        others = others.assign(measured=others["trait"], trait=others["edited"])
        rows = pd.concat([base, others, own.assign(measured=own["trait"])], ignore_index=True)
        table = specificity_matrix(rows, resamples=resamples, seed=seed)
        found.append(table.rename(columns={"trait": "edited"}).assign(arm=arm))
    return pd.concat(found, ignore_index=True)


def capability_tests(capability: pd.DataFrame, config: StudyConfig) -> pd.DataFrame:
    """Every arm against the unedited model by task and trait, by either, and altogether (`all`); see `compare_arms`."""
    settings = {"margin": config.margin, "resamples": config.resamples, "seed": config.seed}
    settings["permutations"] = PERMUTATIONS
    tables = []
    for by in (("task", "trait"), ("task",), ("trait",), ()):
        labelled = capability.assign(whole=ALL)
        table = compare_arms(labelled, by=by or ("whole",), **settings).drop(columns="whole", errors="ignore")
        tables.append(table.assign(**{name: ALL for name in ("task", "trait") if name not in by}))
    joined = pd.concat(tables, ignore_index=True)
    front = ["arm", "gamma", "task", "trait"]
    return joined[[*front, *joined.columns.drop(front)]]


def losses(answers: pd.DataFrame, capability: pd.DataFrame, *, resamples: int, seed: int) -> pd.DataFrame:
    """The shift of each arm where it first costs a given loss of either kind, in a column cost; see `equal_loss`."""
    graded = (_graded(answers), _graded(capability))
    return pd.concat(
        [
            equal_loss(*graded, cost=cost, resamples=resamples, seed=seed).assign(cost=cost)
            for cost in ("capability", "wellformed")
        ],
        ignore_index=True,
    )


def compare(outcomes: Mapping[str, pd.DataFrame], *, gamma: float, config: StudyConfig) -> dict[str, pd.DataFrame]:
    """All tables of a study's outcomes by name."""
    answers, capability = outcomes["answers"], outcomes["capability"]
    resamples, seed = config.resamples, config.seed
    traded = tradeoff(answers, capability, resamples=resamples)
    shifts = equal_shift_by_trait(answers, capability, resamples=resamples, seed=seed)
    together = shifts[shifts["trait"] == ALL].drop(columns="trait").reset_index(drop=True)
    at_gamma = capability[(capability["gamma"] == gamma) | capability["arm"].isin(("none", *PROMPTING))]
    tables = {
        "dose": dose(answers, capability, resamples=resamples),
        "tradeoff": traded,
        "equal_dose": equal_dose(traded, gamma=gamma),
        "equal_shift": together[together["dpn_gamma"] == gamma].drop(columns="dpn_gamma").reset_index(drop=True),
        "equal_shift_by_dose": together,
        "equal_shift_by_trait": shifts[shifts["trait"] != ALL].reset_index(drop=True),
        "equal_loss": losses(answers, capability, resamples=resamples, seed=seed),
        "shifts": trait_shifts(answers, gamma=gamma, resamples=resamples, seed=seed),
        "against_controls": shift_against_controls(answers, gamma=gamma, resamples=resamples, seed=seed),
        "capability_tests": capability_tests(at_gamma, config),
    }
    if "fluency" in config.outcomes:
        tables["fluency"] = fluency(answers, resamples=resamples)
    if "questionnaire" in outcomes:
        tables["questionnaire"] = questionnaire(outcomes["questionnaire"], resamples=resamples)
    if "off-target" in outcomes:
        across = outcomes["off-target"]
        tables["specificity"] = specificity(across, answers, gamma=gamma, resamples=resamples, seed=seed)
        tables["off_target"] = across
    return tables
