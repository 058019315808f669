"""Outcomes compared: doses, trait against cost, arms at equal dose and at equal trait shift, with intervals."""

import numpy as np
import pandas as pd

from workbench.measure.paired import bootstrap_difference, bootstrap_mean

SIGN = {"increase": 1.0, "decrease": -1.0}
ALL = "all"


def with_base(answers: pd.DataFrame) -> pd.DataFrame:
    """Edited answers beside the unedited answer to the same question under the same random draws.

    Returns:
        The edited rows with `base_score`, `base_wellformed` and `shift`: by how much the score moved in the
        intended direction, in points of the 1 to 5 scale; missing where either answer has no score.
    """
    base = answers.loc[answers["arm"] == "none", ["trait", "question", "score", "wellformed"]]
    base = base.rename(columns={"score": "base_score", "wellformed": "base_wellformed"})
    rows = answers[answers["arm"] != "none"].merge(base, on=["trait", "question"], validate="many_to_one")
    return rows.assign(shift=rows["direction"].map(SIGN) * (rows["score"] - rows["base_score"]))


def items_with_base(capability: pd.DataFrame) -> pd.DataFrame:
    """Edited capability outcomes beside the unedited outcome on the same item."""
    names = ["trait", "direction", "task", "item"]
    base = capability.loc[capability["arm"] == "none", [*names, "correct"]].rename(columns={"correct": "base_correct"})
    return capability[capability["arm"] != "none"].merge(base, on=names, validate="many_to_one")


def _by_trait(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(ALL, frame), *((str(trait), rows) for trait, rows in frame.groupby("trait", sort=False))]


def _interval(frame: pd.DataFrame, column: str, cluster: str, resamples: int) -> dict[str, float]:
    rows = frame.dropna(subset=[column])
    if rows.empty:
        return {"estimate": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    clusters = rows["trait"] + "|" + rows[cluster]
    found = bootstrap_mean(rows[column].to_numpy(float), clusters=clusters.to_numpy(), resamples=resamples)
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
    table = tradeoff[(tradeoff["gamma"] == gamma) & (tradeoff["trait"] == ALL)]
    return table.drop(columns="trait").reset_index(drop=True)


def shift_against_random(answers: pd.DataFrame, *, gamma: float, resamples: int, seed: int = 0) -> pd.DataFrame:
    """Each arm's shift beyond the random control's at one dose, paired by question.

    Returns:
        Columns trait, arm, difference, low, high, n.
    """
    rows = with_base(answers)
    rows = rows[rows["gamma"] == gamma]
    control = rows[rows["arm"] == "random"].set_index(["trait", "direction", "question"])["shift"]
    found = []
    for arm, part in rows[rows["arm"] != "random"].groupby("arm", sort=False):
        own = part.set_index(["trait", "direction", "question"])["shift"]
        both = pd.DataFrame({"own": own, "control": control}).dropna().reset_index()
        for trait, each in _by_trait(both):
            interval = bootstrap_difference(
                each["control"].to_numpy(),
                each["own"].to_numpy(),
                clusters=(each["trait"] + each["question"]).to_numpy(),
                resamples=resamples,
                seed=seed,
            )
            found.append(
                {"trait": trait, "arm": arm, "difference": interval.estimate, "low": interval.low}
                | {"high": interval.high, "n": interval.n}
            )
    return pd.DataFrame(found)


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
        and `wellformed_against`, `capability_against`: the arm's minus DPN-LE's; each with `_low`, `_high`.
        Missing where the arm never reaches the shift.
    """
    questions = with_base(answers)
    questions = questions.assign(wellformed_change=questions["wellformed"] - questions["base_wellformed"])
    questions = questions.assign(cluster=questions["trait"] + "|" + questions["question"])
    items = items_with_base(capability)
    items = items.assign(
        change=items["correct"].astype(float) - items["base_correct"].astype(float),
        cluster=items["trait"] + "|" + items["direction"] + "|" + items["item"],
    )
    generator = np.random.default_rng(seed)
    by_question, by_item = (np.asarray(frame["cluster"].unique()) for frame in (questions, items))
    weights = {
        "question": _resampling_weights(generator, len(by_question), resamples),
        "item": _resampling_weights(generator, len(by_item), resamples),
    }
    curves: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]] = {}
    for arm, part in questions.groupby("arm", sort=False):
        own = items[items["arm"] == arm]
        gammas = np.sort(part["gamma"].unique())
        curves[str(arm)] = (
            np.concatenate([[0.0], gammas]),
            {
                "shift": _curve(part, "shift", gammas, by_question, weights["question"]),
                "wellformed": _curve(part, "wellformed_change", gammas, by_question, weights["question"]),
                "capability": _curve(own, "change", gammas, by_item, weights["item"]),
            },
        )
    doses, dpn = curves["DPN-LE"]
    at = int(np.flatnonzero(doses == gamma)[0])
    target = dpn["shift"][:, at]
    reference = {name: dpn[name][:, at] for name in ("wellformed", "capability")}
    found = []
    for arm, (doses, curve) in curves.items():
        # DPN-LE itself is read at its own dose, not where a noisy curve first crosses.
        needed = np.full(len(target), gamma) if arm == "DPN-LE" else _first_reaching(doses, curve["shift"], target)
        entry: dict[str, object] = {"arm": arm, "reached": float(np.isfinite(needed[1:]).mean())}
        entry |= _summary("gamma", needed) | _summary("shift", target)
        for name in ("wellformed", "capability"):
            cost = np.array([np.interp(g, doses, row) for g, row in zip(needed, curve[name], strict=True)])
            cost[~np.isfinite(needed)] = np.nan
            entry |= _summary(f"{name}_change", cost) | _summary(f"{name}_against", cost - reference[name])
        found.append(entry)
    return pd.DataFrame(found)


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


def _resampling_weights(generator: np.random.Generator, clusters: int, resamples: int) -> np.ndarray:
    """`(1 + resamples, clusters)`: how often each cluster is drawn; the first row is the sample itself."""
    drawn = generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
    return np.vstack([np.ones(clusters), drawn])


def _curve(
    rows: pd.DataFrame, column: str, gammas: np.ndarray, clusters: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """`(1 + resamples, 1 + gammas)` means of a column by dose, 0 at dose 0; missing values are left out."""
    known = rows.dropna(subset=[column])
    cluster = pd.Categorical(known["cluster"], categories=clusters).codes
    place = (cluster, np.searchsorted(gammas, known["gamma"]))
    sums, counts = np.zeros((len(clusters), len(gammas))), np.zeros((len(clusters), len(gammas)))
    np.add.at(sums, place, known[column].to_numpy(float))
    np.add.at(counts, place, 1.0)
    means = (weights @ sums) / np.maximum(weights @ counts, 1e-12)
    return np.hstack([np.zeros((len(weights), 1)), means])


def _first_reaching(doses: np.ndarray, shifts: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The least dose at which each row's shift, straight between doses, reaches its target; nan if none does."""
    needed = np.full(len(target), np.nan)
    for i, (row, goal) in enumerate(zip(shifts, target, strict=True)):
        reaching = np.flatnonzero(row >= goal)
        if len(reaching):
            j = int(reaching[0])
            if j == 0:
                needed[i] = doses[0]
            else:
                share = (goal - row[j - 1]) / (row[j] - row[j - 1])
                needed[i] = doses[j - 1] + share * (doses[j] - doses[j - 1])
    return needed


def _summary(name: str, values: np.ndarray) -> dict[str, float]:
    """The sample's own value and the 95 % percentile interval of the resamples, where most of them have one."""
    resampled = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or len(resampled) < 0.5 * (len(values) - 1):
        return {name: float(values[0]), f"{name}_low": np.nan, f"{name}_high": np.nan}
    low, high = np.quantile(resampled, [0.025, 0.975])
    return {name: float(values[0]), f"{name}_low": float(low), f"{name}_high": float(high)}


def compare(
    answers: pd.DataFrame, capability: pd.DataFrame, *, gamma: float, resamples: int, seed: int
) -> dict[str, pd.DataFrame]:
    """All tables of a study's outcomes by name."""
    traded = tradeoff(answers, capability, resamples=resamples)
    shifts = equal_shift_by_dose(answers, capability, resamples=resamples, seed=seed)
    tables = {
        "dose": dose(answers, capability, resamples=resamples),
        "tradeoff": traded,
        "equal_dose": equal_dose(traded, gamma=gamma),
        "equal_shift": shifts[shifts["dpn_gamma"] == gamma].drop(columns="dpn_gamma").reset_index(drop=True),
        "equal_shift_by_dose": shifts,
    }
    if "random" in set(answers["arm"]):
        tables["against_random"] = shift_against_random(answers, gamma=gamma, resamples=resamples, seed=seed)
    return tables
